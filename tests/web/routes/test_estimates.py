"""What a run would be like, told before it is begun."""

import pytest

from server.rnn.cells import CELLS
from tests.serving import RunningServer

TINY = {"hidden_size": 10, "sequence_length": 5, "max_updates": 1_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("data"), "--no-demo") as running:
        yield running


def estimate(server, **spec):
    return server.client.post("/api/estimate", json=spec)


def test_an_estimate_has_size_speed_and_duration_and_creates_no_run(server):
    answer = estimate(server, **TINY)
    assert answer.status_code == 200
    told = answer.json()
    [corpus] = server.client.get("/api/corpora").json()
    K, m = corpus["distinct"], 10
    assert told["parameters"] == m * m + m * K + K * m + m + K
    assert told["memory_bytes"] > 4 * told["parameters"]
    assert told["updates_per_epoch"] == (corpus["characters"] - 1) // 5
    assert told["updates_per_second"] > 0
    assert told["seconds"] == pytest.approx(1_000 / told["updates_per_second"])
    assert told["epochs"] == pytest.approx(1_000 / told["updates_per_epoch"])
    assert server.client.get("/api/runs").json() == []


def test_a_run_without_an_end_has_no_duration(server):
    told = estimate(server, **TINY | {"max_updates": None}).json()
    assert told["seconds"] is None
    assert told["epochs"] is None


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
