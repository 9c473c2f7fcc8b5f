"""Runs that leave others at a checkpoint; and the loss by the place in the book."""

import csv
import io

import pytest

from tests.serving import PAGES

SMALL = {"hidden_size": 16, "sequence_length": 10, "max_updates": 400, "sample_every": 100}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(scope="module")
def parent(server, corpus):
    """A finished run of 400 updates, with a checkpoint at 150."""
    run = server.create(corpus=corpus, paused=True, watch_words=["the"], **SMALL)
    server.post(run, "step", {"updates": 150})
    checkpoint = server.post(run, "checkpoints", {"note": "here"})
    server.post(run, "resume")
    return server.until_ended(run) | {"checkpoint": checkpoint["id"]}


def fork(server, run, **request):
    answer = server.client.post(f"/api/runs/{run['id']}/fork", json=request)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_fork_that_changes_nothing_becomes_the_same(server, parent):
    branch = fork(server, parent, checkpoint=parent["checkpoint"])
    assert branch["id"] != parent["id"]
    assert branch["name"] == f"{parent['name']}, from 150"
    origin = {"run": parent["id"], "checkpoint": parent["checkpoint"], "update": 150}
    assert branch["forked_from"] == origin
    assert parent["forked_from"] is None
    done = server.until_ended(branch)
    assert (done["state"], done["update"], done["best"]) == ("finished", 400, parent["best"])
    assert server.losses_csv(branch) == server.losses_csv(parent)
    assert server.get(branch, "samples") == server.get(parent, "samples")


def test_a_fork_shares_what_was_and_goes_its_own_way(server, parent):
    branch = fork(
        server,
        parent,
        checkpoint=parent["checkpoint"],
        spec={"learning_rate": 0.01, "name": "slower", "max_updates": 300, "sample_every": 50},
    )
    assert (branch["name"], branch["spec"]["learning_rate"]) == ("slower", 0.01)
    assert server.until_ended(branch)["update"] == 300
    ours, theirs = (server.losses_csv(run).splitlines() for run in (branch, parent))
    # The update after the checkpoint still reads with the weights that both had.
    assert ours[:152] == theirs[:152]
    assert ours[152] != theirs[152]
    assert [sample["update"] for sample in server.get(branch, "samples")][-3:] == [200, 250, 300]
    [first, *_] = server.get(branch, "checkpoints")
    assert (first["update"], first["automatic"]) == (150, False)
    assert parent["name"] in first["note"]


def test_a_fork_outlives_what_it_left(server, corpus):
    parent = server.create(corpus=corpus, **SMALL)
    server.until_ended(parent)
    branch = fork(server, parent, checkpoint="latest", spec={"max_updates": 500, "paused": True})
    assert (branch["state"], branch["update"]) == ("paused", 400)
    assert server.client.delete(f"/api/runs/{parent['id']}").status_code == 204
    assert server.post(branch, "step", {"updates": 10})["update"] == 410
    assert server.get(branch, "loss")["to"] == 410
    assert server.run(branch)["forked_from"]["run"] == parent["id"]
    server.client.delete(f"/api/runs/{branch['id']}")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"hidden_size": 17}, "hidden_size"),
        ({"cell": "gru"}, "cell"),
        ({"sequence_length": 5}, "sequence_length"),
        ({"max_updates": 150}, "max_updates"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_another_is_named_and_nothing_is_made(server, parent, spec, field):
    before = server.client.get("/api/runs").json()
    request = {"checkpoint": parent["checkpoint"], "spec": spec}
    answer = server.client.post(f"/api/runs/{parent['id']}/fork", json=request)
    assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]
    assert server.client.get("/api/runs").json() == before


def test_a_fork_needs_a_checkpoint_that_is_there(server, parent):
    where = f"/api/runs/{parent['id']}/fork"
    server.problem(server.client.post(where, json={"checkpoint": "0123456789ab"}), 404)
    server.problem(server.client.post(where, json={}), 422)


# -- by position ----------------------------------------------------------------------------------


def by_hand(server, run):
    """The mean loss of every epoch at every position, from all the losses."""
    rows = csv.DictReader(io.StringIO(server.losses_csv(run).decode()))
    means = {}
    for row in rows:
        means.setdefault(int(row["epoch"]), {})[int(row["position"])] = float(row["loss"])
    return means


def test_epochs_are_laid_over_each_other(server, parent):
    found = server.get(parent, "loss/positions")
    expected = by_hand(server, parent)
    assert [row["epoch"] for row in found["epochs"]] == sorted(expected)
    assert len(found["epochs"]) > 1
    # A small text has a bin for each update.
    assert found["positions"] == sorted(expected[1])
    for row in found["epochs"]:
        losses = expected[row["epoch"]]
        for position, loss in zip(found["positions"], row["loss"], strict=True):
            assert loss == (pytest.approx(losses[position]) if position in losses else None)
    second = server.get(parent, "loss/positions", epochs="2,99")
    assert second["epochs"] == [row for row in found["epochs"] if row["epoch"] == 2]


def test_a_long_text_is_cut_into_parts(server):
    run = server.create(hidden_size=2, sequence_length=100, max_updates=4_650)
    server.until_ended(run)
    found = server.get(run, "loss/positions")
    assert len(found["positions"]) == 500
    assert found["positions"][0] == 0
    [first, second] = (row["loss"] for row in found["epochs"])
    assert None not in first
    assert second[0] is not None
    assert second[-1] is None
    losses = list(by_hand(server, run)[1].items())
    for start, end, mean in zip(found["positions"], found["positions"][1:], first, strict=False):
        inside = [loss for position, loss in losses if start <= position < end]
        assert mean == pytest.approx(sum(inside) / len(inside))


@pytest.mark.parametrize("epochs", ["", "0", "one", "1;2", "-1", ",".join("1" * 21)])
def test_epochs_that_are_none_are_refused(server, parent, epochs):
    answer = server.client.get(
        f"/api/runs/{parent['id']}/loss/positions", params={"epochs": epochs}
    )
    assert server.problem(answer, 422)["errors"][0]["field"] == "epochs"
