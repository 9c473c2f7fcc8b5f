"""Sweeps on a real server: their runs, their results, and what a person can do with them."""

import json
import math

import pytest

from tests.serving import PAGES, until

TINY = {"hidden_size": 5, "sample_length": 10, "sequence_length": 10}
FOREVER = TINY | {"pace": 20, "max_updates": 100_000}


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(autouse=True)
def _no_sweep_left(server):
    yield
    server.delete_runs()


def start(server, spec, parameters, **fields):
    answer = server.client.post(
        "/api/sweeps", json={"spec": spec, "parameters": parameters, **fields}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def read(server, sweep):
    return server.client.get(f"/api/sweeps/{sweep['id']}").json()


def post(server, sweep, action, status=200):
    answer = server.client.post(f"/api/sweeps/{sweep['id']}/{action}")
    assert answer.status_code == status, answer.text
    return answer.json()


def until_sweep(server, sweep, condition):
    return until(lambda: (now := read(server, sweep)) and condition(now) and now)


def until_finished(server, sweep):
    return until_sweep(server, sweep, lambda now: now["state"] != "running")


def states(server, sweep):
    return [run["state"] for run in read(server, sweep)["runs"]]


def training(server, sweep):
    """Return the runs of a sweep that have made an update, once a slot is not free any more."""
    found = [run for run in read(server, sweep)["runs"] if run["update"] > 0]
    return found if len(found) == 2 else None


def test_each_configuration_of_a_grid_is_run_once_with_each_seed(server, corpus):
    spec = TINY | {"corpus": corpus, "max_updates": 30, "seed": 7, "validation_fraction": 0.3}
    rates = {"learning_rate": {"values": [0.1, 1e-6]}}
    sweep = start(
        server, spec, rates, sampler="grid", seeds=2, name="Rates", goal="validation_loss"
    )
    assert (sweep["name"], sweep["state"], sweep["best"]) == ("Rates", "running", None)
    assert (sweep["planned"], sweep["planned_updates"]) == (4, 120)
    done = until_finished(server, sweep)
    assert (done["state"], done["error"], done["unit"]) == ("finished", None, "nats per sequence")
    ran = sorted((row["parameters"]["learning_rate"], row["seed"]) for row in done["runs"])
    assert ran == [(1e-6, 7), (1e-6, 8), (0.1, 7), (0.1, 8)]
    assert [row["configuration"] for row in done["runs"]] == [1, 1, 2, 2]
    groups = []
    for row in done["runs"]:
        run = server.run({"id": row["run"]})
        assert run["sweep"] == sweep["id"]
        assert run["spec"]["learning_rate"] == row["parameters"]["learning_rate"]
        assert run["spec"]["seed"] == row["seed"]
        assert (row["value"], row["update"], row["state"]) == (
            run["validation_loss"],
            30,
            "finished",
        )
        assert run["validation_update"] == 30
        groups.append(run["group"])
    assert groups[0] == groups[1] != groups[2] == groups[3]
    known = {each["id"]: each["runs"] for each in server.client.get("/api/groups").json()}
    assert known[groups[0]["id"]] == [row["run"] for row in done["runs"][:2]]
    best = [row for row in done["runs"] if row["parameters"]["learning_rate"] == 0.1]
    assert done["best"] == {
        "configuration": best[0]["configuration"],
        "parameters": {"learning_rate": 0.1},
        "value": pytest.approx((best[0]["value"] + best[1]["value"]) / 2),
        "runs": [row["run"] for row in best],
    }
    counts = ("planned", "started", "ended", "stopped_early", "failed", "updates")
    assert [done[name] for name in counts] == [4, 4, 4, 0, 0, 120]
    # What is done with a run afterwards does not change the result.
    answer = server.client.patch(f"/api/runs/{best[1]['run']}", json={"max_updates": 40})
    assert answer.status_code == 200
    server.post({"id": best[1]["run"]}, "resume")
    server.until({"id": best[1]["run"]}, lambda now: now["update"] == 40)
    assert server.client.delete(f"/api/runs/{best[0]['run']}").status_code == 204
    after = read(server, sweep)
    assert after["best"] == done["best"] | {"runs": [best[1]["run"]]}
    assert sorted(row["run"] is None for row in after["runs"]) == [False, False, False, True]
    for action in ("pause", "resume"):
        assert "finished" in post(server, sweep, action, 409)["detail"]
    assert post(server, sweep, "stop")["state"] == "finished"


def test_runs_that_fall_behind_are_stopped_and_keep_what_they_learned(server, corpus):
    spec = TINY | {"corpus": corpus, "max_updates": 900, "loss_smoothing": 0.9}
    # A run that falls behind trains for some seconds before it would finish.
    spec["pace"] = 150
    rates = {"learning_rate": {"values": [0.1, 1e-6, 1e-7, 1e-8]}}
    # With this seed, the good rate is among the first two, which train at the same time.
    sweep = start(server, spec, rates, sampler="grid", stop_early=True, seed=0)
    done = until_finished(server, sweep)
    assert 0.1 in [row["parameters"]["learning_rate"] for row in done["runs"][:2]]
    stopped = [row for row in done["runs"] if row["stopped_early"]]
    assert len(stopped) == done["stopped_early"] >= 2
    assert done["best"]["parameters"] == {"learning_rate": 0.1}
    assert done["updates"] < done["planned_updates"] == 3_600
    for row in stopped:
        run = server.run({"id": row["run"]})
        assert (row["state"], run["state"]) == ("stopped", "stopped")
        assert 100 <= row["update"] == run["update"] < 900
        assert row["value"] == run["smooth_loss"]
        assert server.get(run, "checkpoints")[-1]["update"] == run["update"]
        assert server.get(run, "samples")[-1]["update"] == run["update"]


def test_a_run_whose_loss_diverges_has_no_value_and_the_sweep_goes_on(server, corpus):
    spec = TINY | {"corpus": corpus, "max_updates": 20, "optimizer": "sgd", "clip": None}
    values = {"values": [1e38, 0.01]}
    sweep = start(server, spec, {"learning_rate": values}, sampler="grid")
    done = until_finished(server, sweep)
    by_rate = {row["parameters"]["learning_rate"]: row for row in done["runs"]}
    assert by_rate[1e38]["value"] is None
    assert "finite" in by_rate[1e38]["error"]
    assert by_rate[0.01]["value"] > 0
    assert (done["failed"], done["best"]["parameters"]) == (1, {"learning_rate": 0.01})


def test_a_person_controls_a_sweep_and_its_runs(server, corpus):
    sweep = start(server, FOREVER | {"corpus": corpus}, {"layers": {"values": [1, 2, 3, 4]}})
    runs = until(lambda: training(server, sweep))
    # No run of a sweep waits in the queue, so that one that a person starts is the next.
    assert len(read(server, sweep)["runs"]) == 2
    own = server.create(**FOREVER, corpus=corpus)
    assert (own["state"], own["queue_position"]) == ("queued", 1)

    # Its settings and its length stay comparable.
    for change in ({"learning_rate": 0.5}, {"max_updates": 50_000}):
        answer = server.client.patch(f"/api/runs/{runs[0]['run']}", json=change)
        assert "belongs to a sweep" in server.problem(answer, 409)["detail"]
    answer = server.client.patch(f"/api/runs/{runs[0]['run']}", json={"pace": 30})
    assert answer.status_code == 200

    paused = post(server, sweep, "pause")
    assert paused["state"] == "paused"
    assert {row["state"] for row in paused["runs"]} == {"paused"}
    # The value is that of now, which is not compared with those at the end.
    for row in paused["runs"]:
        assert row["value"] == server.run({"id": row["run"]})["smooth_loss"] > 0
    assert paused["best"] is None
    assert post(server, sweep, "pause")["state"] == "paused"
    server.until(own, lambda now: now["state"] == "running")
    # The run of the person trains, so one slot is left, for the first of the paused runs.
    assert post(server, sweep, "resume")["state"] == "running"
    until(lambda: sorted(states(server, sweep)) == ["queued", "running"])
    server.post(own, "stop")
    until(lambda: states(server, sweep) == ["running", "running"])

    # A run that is stopped by hand has ended, one that is paused takes no slot.
    server.post({"id": runs[0]["run"]}, "stop")
    server.post({"id": runs[1]["run"]}, "pause")
    until(lambda: sorted(states(server, sweep)) == ["paused", "running", "running", "stopped"])
    # One that is deleted is not run again.
    assert server.client.delete(f"/api/runs/{runs[1]['run']}").status_code == 204
    rows = until_sweep(server, sweep, lambda now: now["failed"] == 1)["runs"]
    deleted = [(row["configuration"], row["error"]) for row in rows if row["run"] is None]
    assert deleted == [(runs[1]["configuration"], "The run was deleted.")]
    ended = post(server, sweep, "stop")
    assert ended["state"] == "stopped"
    assert {row["state"] for row in ended["runs"]} == {"stopped"}
    assert (ended["ended"], ended["planned"]) == (4, 4)
    assert "stopped" in post(server, sweep, "resume", 409)["detail"]
    assert post(server, sweep, "stop") == ended
    assert [each["id"] for each in server.client.get("/api/sweeps").json()] == [sweep["id"]]


@pytest.mark.parametrize("with_runs", [False, True])
def test_a_sweep_is_deleted_with_its_runs_or_without(server, corpus, with_runs):
    parameters = {"layers": {"values": [1, 2, 3, 4]}}
    sweep = start(server, FOREVER | {"corpus": corpus}, parameters)
    until(lambda: training(server, sweep))
    query = {"runs": "true"} if with_runs else {}
    answer = server.client.delete(f"/api/sweeps/{sweep['id']}", params=query)
    assert answer.status_code == 204
    left = server.client.get("/api/runs").json()
    assert [(run["state"], run["sweep"]) for run in left] == [("stopped", None)] * (
        0 if with_runs else 2
    )
    assert server.client.get("/api/sweeps").json() == []
    for method, path in [
        *(("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/stop"))
    ]:
        answer = server.client.request(method, f"/api/sweeps/{sweep['id']}{path}")
        server.problem(answer, 404)


def test_losses_of_different_lengths_are_compared_by_the_character(server, corpus):
    spec = {"corpus": corpus, "hidden_size": 5, "sample_length": 10, "max_updates": 5}
    sweep = start(server, spec, {"sequence_length": {"values": [5, 50]}}, runs=2)
    done = until_finished(server, sweep)
    assert done["unit"] == "nats per character"
    for row in done["runs"]:
        run = server.run({"id": row["run"]})
        assert row["value"] == run["smooth_loss"] / row["parameters"]["sequence_length"]


ONE = {"hidden_size": {"values": [5]}}
WRONG = [
    ("parameters", {}),
    ("parameters", {"parameters": {}}),
    ("parameters", {"parameters": [1]}),
    ("parameters.hiden_size", {"parameters": {"hiden_size": {"values": [5]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": 5}}),
    ("parameters.hidden_size.values", {"parameters": {"hidden_size": {"values": []}}}),
    ("parameters.hidden_size.values", {"parameters": {"hidden_size": {"values": [[5]]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"values": [5, 5]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"values": ["5"]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"values": [True]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"values": [10**9]}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"values": [10**300]}}}),
    ("parameters.hidden_size.values", {"parameters": {"hidden_size": {"values": [math.nan]}}}),
    ("parameters.hidden_size.low", {"parameters": {"hidden_size": {"low": math.nan, "high": 5}}}),
    ("parameters.dropout.high", {"parameters": {"dropout": {"low": 0, "high": "1"}}}),
    ("parameters.cell", {"parameters": {"cell": {"values": ["\ud800"]}}}),
    ("parameters.\\ud800", {"parameters": {"\ud800": {"values": ["rnn"]}}}),
    ("parameters.hidden_size.high", {"parameters": {"hidden_size": {"low": 5}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"low": 5, "high": 5}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"low": 5, "high": 6.5}}}),
    ("parameters.hidden_size", {"parameters": {"hidden_size": {"low": 0, "high": 6}}}),
    ("parameters.hidden_size.low", {"parameters": {"hidden_size": {"values": [5], "low": 5}}}),
    ("parameters.dropout", {"parameters": {"dropout": {"low": 0, "high": 0.5, "log": True}}}),
    ("parameters.cell", {"parameters": {"cell": {"low": 1, "high": 2}}}),
    ("parameters.cell", {"parameters": {"cell": {"values": ["perceptron"]}}}),
    ("parameters.seed", {"parameters": {"seed": {"values": [1, 2]}}}),
    ("parameters.corpus", {"parameters": {"corpus": {"values": ["a"]}}}),
    ("parameters.pace", {"parameters": {"pace": {"values": [10]}}}),
    ("parameters.loss_smoothing", {"parameters": {"loss_smoothing": {"values": [0.1, 0.9]}}}),
    ("parameters.hidden_size", {"parameters": ONE, "spec": {"hidden_size": 5}}),
    (
        "parameters.hidden_size",
        {"sampler": "grid", "parameters": {"hidden_size": {"low": 5, "high": 6}}},
    ),
    ("parameters.max_updates", {"parameters": {"max_updates": {"values": [5, None]}}}),
    (
        "parameters.hidden_size",
        {
            "parameters": {"hidden_size": {"values": [5, 2_048]}},
            "spec": {"layers": 4, "cell": "lstm", "dtype": "float64"},
        },
    ),
    (
        "spec.validation_fraction",
        {
            "parameters": {"sequence_length": {"low": 5, "high": 1_000}},
            "spec": {"validation_fraction": 0.9},
        },
    ),
    ("spec.max_updates", {"parameters": ONE, "spec": {"max_updates": None}}),
    ("spec.learning_rate", {"parameters": ONE, "spec": {"learning_rate": -1}}),
    ("spec.hiden_size", {"parameters": ONE, "spec": {"hiden_size": 5}}),
    ("spec.corpus", {"parameters": ONE, "spec": {"corpus": "no-such"}}),
    ("spec.paused", {"parameters": ONE, "spec": {"paused": True}}),
    ("spec.name", {"parameters": ONE, "spec": {"name": "x"}}),
    ("spec.seed", {"parameters": ONE, "spec": {"seed": 2**53 - 1}, "seeds": 2}),
    ("spec", {"parameters": ONE, "spec": 5}),
    ("sampler", {"parameters": ONE, "sampler": "bayes"}),
    ("goal", {"parameters": ONE, "goal": "validation_loss"}),
    (
        "goal",
        {"goal": "validation_loss", "parameters": {"validation_fraction": {"values": [0, 0.1]}}},
    ),
    (
        "stop_early",
        {"stop_early": True, "parameters": {"max_updates": {"low": 5, "high": 50}}},
    ),
    ("runs", {"parameters": ONE, "runs": 0}),
    ("seeds", {"parameters": ONE, "seeds": 2.5}),
    ("seed", {"parameters": ONE, "seed": -1}),
    ("name", {"parameters": ONE, "name": " "}),
    ("sweep", {"parameters": ONE, "sweep": 1}),
]


def test_a_wrong_field_is_named_and_nothing_is_created(server, corpus):
    for field, wrong_fields in WRONG:
        body, spec = wrong_fields, wrong_fields.get("spec", {})
        if isinstance(spec, dict):
            body = wrong_fields | {"spec": {"corpus": corpus} | spec}
        # Some clients send NaN, Infinity or half a surrogate pair.
        content = json.dumps(body).encode()
        answer = server.client.post(
            "/api/sweeps", content=content, headers={"Content-Type": "application/json"}
        )
        wrong = server.problem(answer, 422)
        assert [error["field"] for error in wrong["errors"]] == [field], (body, wrong)
        assert field in wrong["detail"]
        assert len(wrong["detail"]) < 400
    assert server.client.get("/api/sweeps").json() == []
    assert server.client.get("/api/runs").json() == []
