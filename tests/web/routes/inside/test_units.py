"""What units follow, over HTTP."""

import pytest

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
    for unit in found["units"]:
        if unit["confirmed"] and unit["correlation"] < 0:
            assert unit["label"].endswith(f"{unit['feature']}, r = −{-unit['correlation']:.2f}")
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
