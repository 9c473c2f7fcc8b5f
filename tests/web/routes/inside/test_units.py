"""What units follow, over HTTP."""

import numpy as np
import pytest

from server.inspection.units import MAX_SNAPSHOTS, spread_out
from tests.inspection.quotation_unit import book, teach_quotation_marks

UNITS = 20
SMALL = {"hidden_size": UNITS, "sample_length": 20, "sample_every": 50, "dtype": "float64"}


@pytest.fixture(scope="module")
def run(server):
    """A finished run, whose snapshot at update 50 has learned to follow quotation marks."""
    corpus = server.upload(book(5, words=5_000))["id"]
    run = server.until_ended(server.create(corpus=corpus, max_updates=100, **SMALL))
    teach_quotation_marks(server.data_dir, run["id"], 50)
    return run


def test_the_feature_of_each_unit_of_a_snapshot(server, run):
    found = server.get(run, "units", update=50)
    assert found["model"] == {"kind": "snapshot", "update": 50}
    assert (found["layers"], found["hidden_size"], len(found["units"])) == (1, UNITS, UNITS)
    first = found["units"][0]
    assert (first["layer"], first["unit"], first["confirmed"]) == (0, 0, True)
    assert first["feature"] == "inside quotation marks"
    assert first["correlation"] > 0.95 > first["limit"] > 0
    assert first["label"] == f"unit 0: inside quotation marks, r = {first['correlation']:.2f}"
    others = [unit for unit in found["units"] if not unit["confirmed"]]
    assert others
    for unit in others:
        assert unit["feature"] is unit["correlation"] is unit["limit"] is None
        assert unit["label"] == f"unit {unit['unit']}: follows no feature"
    untrained = server.get(run, "units", update=0)
    assert untrained["model"]["update"] == 0
    assert sum(unit["confirmed"] for unit in untrained["units"]) <= 1


def test_the_history_of_a_unit(server, run):
    found = server.get(run, "units/history", layer=0, unit=0, feature="inside quotation marks")
    snapshots = server.get(run, "snapshots")["updates"]
    assert found["feature"] == "inside quotation marks"
    assert found["update"] == snapshots
    by_update = dict(zip(found["update"], found["correlation"], strict=True))
    assert by_update[50] > 0.95
    assert max(abs(r) for update, r in by_update.items() if update != 50) < 0.6
    # Without a feature, it is the one of the latest model.
    latest = server.get(run, "units")
    assert latest["model"] == {"kind": "latest", "update": 100}
    for unit in latest["units"][:4]:
        without = server.get(run, "units/history", layer=0, unit=unit["unit"])
        assert (without["feature"], without["limit"]) == (unit["feature"], unit["limit"])
        assert bool(without["update"]) is unit["confirmed"]


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("units?update=1&source=latest", "update", "cannot be combined"),
        ("units?update=-1", "update", "greater than or equal to 0"),
        ("units?source=best_validation", "source", "no validation set"),
        ("units/history?unit=1", "layer", "required"),
        ("units/history?layer=1&unit=1", "layer", "less than 1 "),
        ("units/history?layer=0&unit=20", "unit", "less than 20 "),
        ("units/history?layer=0&unit=1&feature=a dream", "feature", "not a feature"),
    ],
)
def test_bad_requests_name_the_field(server, run, path, field, message):
    answer = server.client.get(f"/api/runs/{run['id']}/{path}")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"].lower()


@pytest.mark.parametrize("last", [0, 9, 100, 1_400, 50_000, 10_000_000])
def test_few_snapshots_of_any_run_are_read_and_they_stay_the_same(last):
    def stored(last):
        every = max(1, last // 150)
        dense = [d * 10**k for k in range(4) for d in (1, 2, 5)]
        return sorted({0, *(u for u in dense if u < min(last, every)), *range(0, last + 1, every)})

    chosen = spread_out(stored(last))
    assert len(chosen) <= MAX_SNAPSHOTS
    assert (chosen[0], chosen[-1]) == (0, stored(last)[-1])
    if last:
        assert np.diff(chosen).max() <= max(1, last / 10)
    # Another snapshot changes little.
    before = spread_out(stored(last)[:-1])
    assert set(before[:-1]) <= set(chosen)
