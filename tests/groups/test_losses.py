"""The bands of groups, the figures of their members and the differences, over HTTP."""

import csv
import io

import numpy as np
import pytest

from tests.groups.test_members import create_group
from tests.serving import PAGES, until

FIELDS = {"sample_every": 100, "max_updates": 300, "validation_fraction": 0.2}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def trained(server, corpus):
    """A group of three finished runs, one of which has made more updates."""
    made = create_group(server, corpus, seeds=3, **FIELDS)
    first, *_ = made["runs"]
    for run in made["runs"]:
        server.until_ended(run)
    server.client.patch(f"/api/runs/{first['id']}", json={"max_updates": 400})
    server.post(first, "resume")
    # The last sample, which has the validation loss, is measured after the last update.
    until(lambda: server.get(first, "loss")["validation"]["update"][-1:] == [400])
    return made


def get(server, group, what, **query):
    answer = server.client.get(f"/api/groups/{group['group']['id']}/{what}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def smooth_losses(server, run):
    rows = csv.DictReader(io.StringIO(server.losses_csv(run).decode()))
    return [float(row["smooth_loss"]) for row in rows]


def test_the_band_is_that_of_the_runs_that_have_reached_each_update(server, trained):
    found = get(server, trained, "loss")
    curves = [smooth_losses(server, run) for run in trained["runs"]]
    assert [len(curve) for curve in curves] == [400, 300, 300]
    assert (found["from"], found["to"], found["bucket"]) == (1, 400, 1)
    assert found["update"] == list(range(1, 401))
    assert found["runs"] == [3] * 300 + [1] * 100
    common = np.array([curve[:300] for curve in curves])
    assert np.allclose(found["mean"][:300], common.mean(axis=0))
    assert np.allclose(found["low"][:300], common.min(axis=0))
    assert np.allclose(found["high"][:300], common.max(axis=0))
    assert np.allclose(found["deviation"][:300], common.std(axis=0, ddof=1))
    assert found["mean"][300:] == pytest.approx(curves[0][300:])
    assert found["deviation"][300:] == [None] * 100
    assert all(seconds > 0 for seconds in found["seconds"][1:])
    validation = found["validation"]
    assert [validation["update"][0], validation["update"][-1]] == [0, 400]
    assert (validation["runs"][0], validation["runs"][-1]) == (3, 1)
    first = [server.get(run, "loss")["validation"]["loss"][0] for run in trained["runs"]]
    assert validation["mean"][0] == pytest.approx(np.mean(first))


def test_a_range_of_the_band_is_reduced_and_smoothed_as_asked(server, trained):
    part = get(server, trained, "loss", **{"from": 101, "to": 200}, points=10)
    whole = get(server, trained, "loss")
    assert part["update"] == list(range(110, 201, 10))
    assert part["mean"] == pytest.approx([whole["mean"][update - 1] for update in part["update"]])
    raw = get(server, trained, "loss", smoothing=0, to=3)
    losses = [server.get(run, "loss")["low"][:3] for run in trained["runs"]]
    assert raw["high"] == pytest.approx(np.max(losses, axis=0).tolist())


def test_the_band_of_a_metric_is_that_of_the_means_of_its_runs(server, trained):
    name = "gradient_norm"
    found = get(server, trained, "metrics", names=name)
    curves = [server.get(run, f"metrics?names={name}") for run in trained["runs"]]
    values = [curve["metrics"][name]["mean"] for curve in curves]
    assert [len(row) for row in values] == [6, 4, 4]
    assert found["update"] == curves[0]["update"] == [64, 128, 192, 256, 320, 384]
    assert list(found["metrics"]) == [name]
    band = found["metrics"][name]
    assert band["runs"] == [3] * 4 + [1] * 2
    common = np.array([row[:4] for row in values])
    assert np.allclose(band["mean"][:4], common.mean(axis=0))
    assert np.allclose(band["low"][:4], common.min(axis=0))
    assert np.allclose(band["deviation"][:4], common.std(axis=0, ddof=1))
    assert band["high"][4:] == values[0][4:]
    # A part, in buckets that are the same for all runs.
    part = get(server, trained, "metrics", names=name, **{"from": 100, "to": 390}, points=2)
    assert part["update"] == [256, 384]
    assert part["metrics"][name]["mean"][0] == pytest.approx(common[:, 1:4].mean())
    assert part["metrics"][name]["runs"] == [3, 1]
    assert set(get(server, trained, "metrics")["metrics"]) > {name}


def test_a_group_that_has_not_begun_has_an_empty_band(server, corpus):
    made = create_group(server, corpus, seeds=2, paused=True)
    found = get(server, made, "loss")
    assert (found["update"], found["mean"], found["runs"]) == ([], [], [])
    metrics = get(server, made, "metrics", names="gradient_norm")
    assert (metrics["update"], metrics["metrics"]["gradient_norm"]["mean"]) == ([], [])


def test_the_figures_of_the_members(server, trained):
    goal = max(run["best"]["smooth_loss"] for run in map(server.run, trained["runs"])) + 1
    figures = get(server, trained, "figures", smooth_loss=goal)
    assert [each["run"]["id"] for each in figures] == trained["group"]["runs"]
    for each in figures:
        curve = smooth_losses(server, each["run"])
        below = [update for update, smooth in enumerate(curve, 1) if smooth < goal]
        assert each["reached"]["update"] == below[0]
        losses = server.get(each["run"], "loss")["validation"]["loss"]
        assert each["lowest_validation"]["loss"] == min(losses)
    too_low = get(server, trained, "figures", smooth_loss=1)
    assert {each["reached"]["update"] for each in too_low} == {None}
    assert get(server, trained, "figures")[0]["reached"] is None


def differences(server, *groups, **query):
    ids = ",".join(group["group"]["id"] for group in groups)
    answer = server.client.get("/api/groups/differences", params={"groups": ids} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()["differences"]


def test_the_difference_is_taken_at_the_last_common_update(server, corpus, trained):
    slow = create_group(
        server, corpus, seeds=3, learning_rate=1e-4, **FIELDS | {"max_updates": 250}
    )
    for run in slow["runs"]:
        server.until_ended(run)
    [found] = differences(server, trained, slow)
    lowest = [
        [min(smooth_losses(server, run)[:250]) / 10 for run in group["runs"]]
        for group in (trained, slow)
    ]
    assert (found["update"], found["runs"], found["left_out"]) == (250, [3, 3], [0, 0])
    assert found["means"] == pytest.approx([np.mean(each) for each in lowest])
    assert found["difference"] == pytest.approx(np.mean(lowest[0]) - np.mean(lowest[1]))
    assert found["different"]
    assert found["difference"] + found["margin"] < 0
    [held_out] = differences(server, trained, slow, loss="validation_loss")
    assert held_out["different"]
    assert held_out["means"] != found["means"]
    # Alike, and with wider intervals because there are three.
    alike = create_group(server, corpus, seeds=3, **FIELDS | {"seed": 50})
    for run in alike["runs"]:
        server.until_ended(run)
    first, second, third = differences(server, trained, slow, alike)
    assert first["margin"] > found["margin"]
    assert not second["different"]
    assert abs(second["difference"]) < second["margin"]
    assert third["different"]


def test_a_difference_needs_three_sound_runs_of_each_group_on_one_text(server, corpus, trained):
    pair = create_group(server, corpus, seeds=2, paused=True)
    [found] = differences(server, trained, pair)
    assert (found["reason"], found["runs"], found["different"]) == ("too few", [3, 2], False)
    server.post(pair["runs"][0], "seeds", {"seeds": 1})
    [found] = differences(server, trained, pair)
    assert (found["reason"], found["difference"], found["update"]) == ("not begun", None, None)
    other = create_group(server, server.upload(PAGES[::-1])["id"], seeds=3, paused=True)
    [found] = differences(server, trained, other)
    assert found["reason"] == "other text"


def test_wrong_requests(server, trained):
    identity = trained["group"]["id"]
    for query in ({"points": 0}, {"from": 5, "to": 4}, {"smoothing": 0.5}, {"smoothing": 2}):
        answer = server.client.get(f"/api/groups/{identity}/loss", params=query)
        server.problem(answer, 422)
    for query in ({"points": 0}, {"from": 5, "to": 4}, {"names": "height"}):
        answer = server.client.get(f"/api/groups/{identity}/metrics", params=query)
        server.problem(answer, 422)
    for ids, status in ((identity, 422), (f"{identity},{identity}", 422), (f"{identity},x", 404)):
        answer = server.client.get("/api/groups/differences", params={"groups": ids})
        server.problem(answer, status)
    wrong = {"groups": f"{identity},x", "loss": "accuracy"}
    server.problem(server.client.get("/api/groups/differences", params=wrong), 422)
    for what in ("loss", "metrics", "figures"):
        server.problem(server.client.get(f"/api/groups/nothing/{what}"), 404)
