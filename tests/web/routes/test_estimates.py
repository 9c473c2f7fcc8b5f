"""Estimates of runs over HTTP."""

import pytest

from server.rnn.cells import CELLS

TINY = {"hidden_size": 10, "sequence_length": 5, "max_updates": 1_000}


def estimate(server, **spec):
    return server.client.post("/api/estimate", json=spec)


def test_an_estimate_has_size_speed_and_duration_and_creates_no_run(server):
    answer = estimate(server, **TINY)
    assert answer.status_code == 200
    estimated = answer.json()
    corpora = server.client.get("/api/corpora").json()
    [corpus] = [corpus for corpus in corpora if corpus["shipped"]]
    K, m = corpus["distinct"], 10
    assert estimated["parameters"] == m * m + m * K + K * m + m + K
    assert estimated["memory_bytes"] > 4 * estimated["parameters"]
    assert estimated["updates_per_epoch"] == (corpus["characters"] - 1) // 5
    assert estimated["updates_per_second"] > 0
    assert estimated["one_thread_updates_per_second"] is None
    assert estimated["seconds"] == pytest.approx(1_000 / estimated["updates_per_second"])
    assert estimated["epochs"] == pytest.approx(1_000 / estimated["updates_per_epoch"])
    assert server.client.get("/api/runs").json() == []


def test_a_run_without_an_end_has_no_duration(server):
    estimated = estimate(server, **TINY | {"max_updates": None}).json()
    assert estimated["seconds"] is None
    assert estimated["epochs"] is None


@pytest.mark.parametrize("cell", CELLS)
def test_every_network_can_be_timed(server, cell):
    spec = TINY | {"cell": cell, "layers": 2, "batch_size": 3, "dropout": 0.1}
    assert estimate(server, **spec, validation_fraction=0.1).json()["updates_per_second"] > 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"hidden_size": 0}, "hidden_size"), ({"hidden_size": 50_000}, "hidden_size")],
)
def test_an_invalid_spec_cannot_be_estimated(server, wrong, field):
    answer = estimate(server, **TINY | wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_several_threads_are_compared_with_one(server):
    estimated = estimate(server, **TINY, batch_size=3, threads=2).json()
    assert estimated["updates_per_second"] > 0
    assert estimated["one_thread_updates_per_second"] > 0
    # A batch of one stream uses one thread.
    assert estimate(server, **TINY, threads=2).json()["one_thread_updates_per_second"] is None
