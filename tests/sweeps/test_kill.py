"""A sweep whose server is killed again and again: no configuration is lost or run twice."""

import json

import httpx
import pytest

from server.sweeps.samplers.sampler import make_sampler
from server.sweeps.schemas import SweepSpec
from server.sweeps.trials import Trial
from server.sweeps.validation import search_space
from tests.crash.reference_run import ReferenceRun
from tests.processes import state_of
from tests.serving import PAGES, RunningServer, until

SPEC = {"hidden_size": 5, "sequence_length": 10, "sample_length": 10, "max_updates": 40}
SWEEP = {
    "sampler": "tpe",
    "runs": 3,
    "seeds": 2,
    "seed": 3,
    "parameters": {
        "learning_rate": {"low": 0.01, "high": 1, "log": True},
        "cell": {"values": ["rnn", "gru"]},
    },
}
# Before and after the transaction that adds a run, before and after the one that ends it.
POINTS = ["run.add:2", "run.added", "sweep.end_run", "sweep.run_ended", "run.added:2"]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a server on the same data, which may stop at a failpoint."""
    running = []

    def begin(stop_at=None, *, listens=True):
        environment = {"HURRAH_MAX_TRAINING_RUNS": "1"}
        if stop_at is not None:
            environment["HURRAH_STOP_AT"] = stop_at
        server = RunningServer(tmp_path / "data", "--no-demo", listens=listens, **environment)
        running.append(server)
        return server

    yield begin
    for server in running:
        if server.process.poll() is None:
            server.kill()


def kill_when_stopped(server):
    """Kill a server with SIGKILL once it has stopped at its failpoint."""
    pid = server.process.pid
    until(lambda: state_of(pid) == "T")
    server.kill()


def expected_configurations():
    """Return what the sampler draws for a sweep that nothing disturbs.

    The results do not matter, because the first ten configurations are random.
    """
    spec = SweepSpec.model_validate(SWEEP)
    sampler, trials = make_sampler(spec, search_space(spec)), []
    for _ in range(SWEEP["runs"]):
        trials.append(Trial(sampler.draw(trials), "complete", 1.0))
    return [trial.parameters for trial in trials]


def test_a_sweep_that_is_killed_continues_without_losing_or_repeating_a_run(start):
    server = start(POINTS[0])
    corpus = server.upload(PAGES)["id"]
    body = SWEEP | {"spec": SPEC | {"corpus": corpus}}
    answer = server.client.post("/api/sweeps", json=body)
    assert answer.status_code == 201, answer.text
    kill_when_stopped(server)
    for point in POINTS[1:]:
        # It may stop before it listens.
        kill_when_stopped(start(point, listens=False))
    server = start()
    address = f"/api/sweeps/{answer.json()['id']}"
    until(lambda: server.client.get(address).json()["state"] != "running")
    sweep = server.client.get(address).json()
    assert (sweep["state"], sweep["failed"], sweep["error"]) == ("finished", 0, None)
    expected = [
        (number, parameters, seed)
        for number, parameters in enumerate(expected_configurations(), start=1)
        for seed in (0, 1)
    ]
    rows = [(row["configuration"], row["parameters"], row["seed"]) for row in sweep["runs"]]
    assert rows == expected
    # There are no other runs, and each has the loss of one that was never disturbed.
    runs = server.client.get("/api/runs").json()
    assert [run["id"] for run in reversed(runs)] == [row["run"] for row in sweep["runs"]]
    for row, run in zip(sweep["runs"], reversed(runs), strict=True):
        assert (run["state"], run["update"]) == ("finished", 40)
        reference = ReferenceRun(PAGES, run["spec"]).train_to(40)
        assert row["value"] == run["smooth_loss"] == reference.smooth_losses[-1]
    groups = server.client.get("/api/groups").json()
    assert sorted(len(group["runs"]) for group in groups) == [2, 2, 2]
    # A graceful stop and another start change nothing.
    assert server.terminate() == 0
    server = start()
    assert json.dumps(server.client.get(address).json()) == json.dumps(sweep)


@pytest.mark.parametrize(
    ("action", "point"), [("stop", "sweep.stopped"), ("delete", "sweep.deleting")]
)
def test_a_sweep_that_is_killed_while_it_ends_has_ended_after_the_next_start(start, action, point):
    server = start(point)
    corpus = server.upload(PAGES)["id"]
    body = SWEEP | {"spec": SPEC | {"corpus": corpus, "pace": 1}}
    address = f"/api/sweeps/{server.client.post('/api/sweeps', json=body).json()['id']}"
    until(lambda: server.client.get(address).json()["updates"] > 0)
    method, path = ("POST", "/stop") if action == "stop" else ("DELETE", "?runs=true")
    with pytest.raises(httpx.ReadTimeout):
        server.client.request(method, f"{address}{path}", timeout=0.5)
    kill_when_stopped(server)
    server = start()
    if action == "delete":
        assert server.client.get(address).status_code == 404
        assert server.client.get("/api/runs").json() == []
    else:
        until(lambda: server.client.get(address).json()["ended"] == 1)
        sweep = server.client.get(address).json()
        assert [row["state"] for row in sweep["runs"]] == [sweep["state"]] == ["stopped"]
