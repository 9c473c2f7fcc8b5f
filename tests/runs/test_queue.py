"""Runs over the limit of training runs are queued, and start when a slot is free."""

import os
import signal

import pytest

from tests.serving import RunningServer

ENDLESS = {"hidden_size": 10, "sample_length": 20, "max_updates": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_MAX_TRAINING_RUNS="1") as running:
        yield running


@pytest.fixture(autouse=True)
def _no_runs_left(server):
    yield
    server.delete_runs()


def running(now):
    return now["state"] == "running"


def states(server):
    return [run["state"] for run in reversed(server.client.get("/api/runs").json())]


def test_queued_runs_start_when_another_is_paused_stopped_or_deleted(server):
    first, second, third, fourth = (server.create(**ENDLESS) for _ in range(4))
    assert states(server) == ["running", "queued", "queued", "queued"]
    assert (second["update"], second["loss"], second["error"]) == (0, None, None)
    server.post(first, "pause")
    server.until(second, running)
    assert states(server) == ["paused", "running", "queued", "queued"]
    server.post(second, "stop")
    server.until(third, running)
    server.client.delete(f"/api/runs/{third['id']}")
    server.until(fourth, running)
    assert states(server) == ["paused", "stopped", "running"]


def test_the_next_run_starts_when_one_finishes(server):
    runs = [server.create(**ENDLESS | {"max_updates": 300}) for _ in range(3)]
    for run in runs:
        assert server.until_ended(run)["update"] == 300


def test_the_next_run_starts_when_a_worker_is_killed(server):
    first = server.create(**ENDLESS)
    second = server.create(**ENDLESS)
    for worker in server.worker_pids():
        os.kill(worker, signal.SIGKILL)
    server.until(second, running)
    assert server.run(first)["state"] == "failed"


def test_a_queued_run_can_be_paused_resumed_stopped_and_changed(server):
    first, second, third = (server.create(**ENDLESS) for _ in range(3))
    assert server.post(second, "resume")["state"] == "queued"
    assert server.post(second, "pause")["state"] == "paused"
    assert server.post(third, "stop")["state"] == "stopped"
    changed = server.client.patch(f"/api/runs/{second['id']}", json={"name": "Later"}).json()
    assert (changed["name"], changed["state"]) == ("Later", "paused")
    server.post(first, "pause")
    # No run is queued any more.
    assert states(server) == ["paused", "paused", "stopped"]
    assert server.post(third, "resume")["state"] == "running"
    assert server.post(second, "resume")["state"] == "queued"
    server.client.delete(f"/api/runs/{third['id']}")
    server.until(second, running)


def test_passages_and_checkpoints_leave_a_queued_run_queued(server):
    first = server.create(**ENDLESS)
    server.post(first, "pause")
    second = server.create(**ENDLESS)
    assert server.post(first, "resume")["state"] == "queued"
    update = server.run(first)["update"]
    passage = server.post(first, "passages", {"source": "latest", "length": 10})
    assert passage["source"]["update"] == update
    assert server.post(first, "checkpoints")["update"] == update
    assert server.run(first)["state"] == "queued"
    server.post(second, "pause")
    server.until(first, running)
    server.until(first, lambda now: now["update"] > update)


def test_the_run_that_has_waited_longest_starts_first(server):
    first = server.create(**ENDLESS)
    second, third = (server.create(**ENDLESS) for _ in range(2))
    server.post(first, "pause")
    assert server.post(first, "resume")["state"] in {"running", "queued"}
    server.until(second, running)
    assert states(server)[1:] == ["running", "queued"]
    server.post(second, "pause")
    server.until(third, running)
    assert states(server) == ["queued", "paused", "running"]


def test_a_pause_during_the_start_of_a_run_takes_effect(server):
    for _ in range(5):
        first, second = (server.create(**ENDLESS) for _ in range(2))
        server.client.delete(f"/api/runs/{first['id']}")
        paused = server.post(second, "pause")
        assert paused["state"] == "paused"
        assert server.post(second, "checkpoints")["update"] == paused["update"]
        assert server.run(second)["state"] == "paused"
        server.delete_runs()


def test_a_run_deleted_during_the_start_of_its_worker_leaves_no_process(server):
    for _ in range(5):
        first, second = (server.create(**ENDLESS) for _ in range(2))
        server.client.delete(f"/api/runs/{first['id']}")
        assert server.client.delete(f"/api/runs/{second['id']}").status_code == 204
        assert server.worker_pids() == []
