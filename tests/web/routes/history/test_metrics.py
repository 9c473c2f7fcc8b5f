"""Metrics over HTTP: their list, and their values at any resolution."""

import csv
import io

import pytest

from server.corpora.toy_texts import ToyText
from server.rnn.metrics import MEASURED_EVERY, METRICS
from tests.crash.reference_run import ReferenceRun
from tests.serving import PAGES

N = MEASURED_EVERY
UPDATES = 10 * N + 10
SMALL = {"hidden_size": 6, "sample_length": 40, "max_updates": UPDATES, "sample_every": 600}


@pytest.fixture(scope="module")
def run(server):
    run = server.create(
        **SMALL, corpus=server.upload(PAGES)["id"], learning_rate_decay=0.5, clip=0.3, paused=True
    )
    server.post(run, "step", {"updates": 6 * N + 8})
    server.post(run, "checkpoints")
    server.post(run, "resume")
    return server.until_ended(run)


@pytest.fixture(scope="module")
def values(run):
    """The values of each metric, computed here."""
    return ReferenceRun(PAGES, run["spec"]).train_to(UPDATES).metrics


def test_the_list_describes_each_metric(server):
    listed = server.client.get("/api/metrics").json()
    assert [each["name"] for each in listed] == list(METRICS)
    first = METRICS["gradient_norm"]
    assert listed[0] == {
        "name": "gradient_norm",
        "label": first.label,
        "unit": first.unit,
        "explanation": first.explanation,
        "every": N,
    }


def test_every_value_is_there_at_full_resolution(server, run, values):
    found = server.get(run, "metrics")
    assert (found["from"], found["to"], found["bucket"]) == (1, UPDATES, N)
    assert found["update"] == list(range(N, UPDATES + 1, N))
    assert list(found["metrics"]) == list(values)
    assert {"gradient_norm", "clipped_share", "update_ratio", "learning_rate"} <= set(values)
    for name, buckets in found["metrics"].items():
        assert buckets["mean"] == buckets["low"] == buckets["high"] == values[name]
    assert values["learning_rate"][-1] < values["learning_rate"][0]


def test_a_toy_text_has_a_share_of_right_answers(server):
    toy = {"task": "repeat", "delay": 3, "characters": 9_000}
    corpus = server.client.post("/api/corpora/generated", json=toy).json()
    run = server.until_ended(server.create(**SMALL, corpus=corpus["id"]))
    found = server.get(run, "metrics", names="right_answers")["metrics"]["right_answers"]["mean"]
    expected = ReferenceRun(ToyText(**toy).text(), run["spec"]).train_to(UPDATES).metrics
    assert found == expected["right_answers"]
    assert max(found) > 0


def test_buckets_keep_the_extremes_of_a_range(server, run, values):
    found = server.get(
        run, "metrics", names="learning_rate,gradient_norm", points=2, **{"from": 2 * N + 1}
    )
    assert (found["from"], found["to"]) == (2 * N + 1, UPDATES)
    # Measurements 3 to 10.
    assert (found["bucket"], found["update"]) == (4 * N, [6 * N, 10 * N])
    assert list(found["metrics"]) == ["gradient_norm", "learning_rate"]
    parts = values["gradient_norm"][2:6], values["gradient_norm"][6:10]
    buckets = found["metrics"]["gradient_norm"]
    assert buckets["low"] == [min(part) for part in parts]
    assert buckets["high"] == [max(part) for part in parts]
    assert buckets["mean"] == pytest.approx([sum(part) / 4 for part in parts])
    none = server.get(run, "metrics", **{"from": 1, "to": N - 1})
    assert none["update"] == none["metrics"]["gradient_norm"]["mean"] == []


def test_a_fork_continues_the_metrics_of_its_parent(server, run, values):
    (made, *_) = [each for each in server.get(run, "checkpoints") if each["update"] == 6 * N + 8]
    changes = {"clip": None, "max_updates": 8 * N + 8}
    forked = server.post(run, "fork", {"checkpoint": made["id"], "spec": changes})
    server.until_ended(forked)
    found = server.get(forked, "metrics")
    assert found["update"] == list(range(N, 8 * N + 1, N))
    assert found["metrics"]["gradient_norm"]["mean"][:6] == values["gradient_norm"][:6]
    assert found["metrics"]["clipped_share"]["mean"] == [*values["clipped_share"][:6], None, None]
    file = server.client.get(f"/api/runs/{forked['id']}/metrics.csv").text
    shares = [row["clipped_share"] for row in csv.DictReader(io.StringIO(file))]
    assert shares[6:] == ["", ""]


def test_the_file_has_a_row_for_each_measured_update(server, run, values):
    answer = server.client.get(f"/api/runs/{run['id']}/metrics.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    name = f"hurrah-{run['id']}-metrics.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["update", "epoch", "position", *values]
    losses = list(csv.DictReader(io.StringIO(server.losses_csv(run).decode())))
    places = [(row["update"], row["epoch"], row["position"]) for row in losses[N - 1 :: N]]
    assert [(row["update"], row["epoch"], row["position"]) for row in rows] == places
    for name in values:
        assert [float(row[name]) for row in rows] == values[name]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"names": "loss_of_face"}, "names"),
        ({"names": ""}, "names"),
        ({"names": "x" * 501}, "names"),
        ({"points": 0}, "points"),
        ({"points": 5_001}, "points"),
        ({"from": "a"}, "from"),
        ({"from": 9, "to": 8}, "to"),
    ],
)
def test_a_wrong_query_is_refused_by_its_name(server, run, query, field):
    answer = server.client.get(f"/api/runs/{run['id']}/metrics", params=query)
    problem = server.problem(answer, 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert field in problem["detail"]


def test_the_metrics_of_an_unknown_run_are_not_found(server):
    server.problem(server.client.get("/api/runs/0123456789ab/metrics"), 404)
