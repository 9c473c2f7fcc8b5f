"""Forks, and the loss by position in the text."""

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


def test_a_fork_without_changes_trains_identically(server, parent):
    forked = fork(server, parent, checkpoint=parent["checkpoint"])
    assert forked["id"] != parent["id"]
    assert forked["name"] == f"{parent['name']}, from 150"
    origin = {"run": parent["id"], "checkpoint": parent["checkpoint"], "update": 150}
    assert forked["forked_from"] == origin
    assert parent["forked_from"] is None
    done = server.until_ended(forked)
    assert (done["state"], done["update"], done["best"]) == ("finished", 400, parent["best"])
    assert server.losses_csv(forked) == server.losses_csv(parent)
    assert server.get(forked, "samples") == server.get(parent, "samples")


def test_a_fork_copies_the_history_and_then_differs(server, parent):
    forked = fork(
        server,
        parent,
        checkpoint=parent["checkpoint"],
        spec={"learning_rate": 0.01, "name": "slower", "max_updates": 300, "sample_every": 50},
    )
    assert (forked["name"], forked["spec"]["learning_rate"]) == ("slower", 0.01)
    assert server.until_ended(forked)["update"] == 300
    ours, theirs = (server.losses_csv(run).splitlines() for run in (forked, parent))
    # The loss of the update after the checkpoint is that of the common weights.
    assert ours[:152] == theirs[:152]
    assert ours[152] != theirs[152]
    assert [sample["update"] for sample in server.get(forked, "samples")][-3:] == [200, 250, 300]
    [first, *_] = server.get(forked, "checkpoints")
    assert (first["update"], first["automatic"]) == (150, False)
    assert parent["name"] in first["note"]


def test_a_fork_survives_the_deletion_of_its_parent(server, corpus):
    parent = server.create(corpus=corpus, **SMALL)
    server.until_ended(parent)
    forked = fork(server, parent, checkpoint="latest", spec={"max_updates": 500, "paused": True})
    assert (forked["state"], forked["update"]) == ("paused", 400)
    assert server.client.delete(f"/api/runs/{parent['id']}").status_code == 204
    assert server.post(forked, "step", {"updates": 10})["update"] == 410
    assert server.get(forked, "loss")["to"] == 410
    assert server.run(forked)["forked_from"]["run"] == parent["id"]
    server.client.delete(f"/api/runs/{forked['id']}")


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
def test_a_change_that_is_not_allowed_is_refused(server, parent, spec, field):
    before = server.client.get("/api/runs").json()
    request = {"checkpoint": parent["checkpoint"], "spec": spec}
    answer = server.client.post(f"/api/runs/{parent['id']}/fork", json=request)
    assert [error["field"] for error in server.problem(answer, 422)["errors"]] == [field]
    assert server.client.get("/api/runs").json() == before


def test_a_fork_needs_an_existing_checkpoint(server, parent):
    where = f"/api/runs/{parent['id']}/fork"
    server.problem(server.client.post(where, json={"checkpoint": "0123456789ab"}), 404)
    server.problem(server.client.post(where, json={}), 422)


# -- by position ----------------------------------------------------------------------------------


def by_hand(server, run):
    """Return the mean loss of every epoch at every position, from all losses."""
    rows = csv.DictReader(io.StringIO(server.losses_csv(run).decode()))
    means = {}
    for row in rows:
        means.setdefault(int(row["epoch"]), {})[int(row["position"])] = float(row["loss"])
    return means


def test_loss_by_position_has_a_row_for_each_epoch(server, parent):
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


def test_loss_by_position_of_a_long_text_is_binned(server):
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
def test_invalid_epochs_are_refused(server, parent, epochs):
    answer = server.client.get(
        f"/api/runs/{parent['id']}/loss/positions", params={"epochs": epochs}
    )
    assert server.problem(answer, 422)["errors"][0]["field"] == "epochs"
