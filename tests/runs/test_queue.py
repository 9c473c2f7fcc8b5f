"""Runs over the limit of training runs are queued, and start when a slot is free."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving import RunningServer
from tests.web.live.test_websocket import Viewer

ENDLESS = {"hidden_size": 10, "sample_length": 20, "max_updates": None, "pace": 200}


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
    runs = [server.create(**ENDLESS | {"max_updates": 300, "pace": "max"}) for _ in range(3)]
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


def waiting(server):
    """Return the names of the runs that wait, in the order of their positions from 1."""
    queued = [run for run in server.client.get("/api/runs").json() if run["state"] == "queued"]
    queued.sort(key=lambda run: run["queue_position"])
    assert [run["queue_position"] for run in queued] == list(range(1, len(queued) + 1))
    return [run["name"] for run in queued]


def move(server, run, position):
    return server.client.patch(f"/api/runs/{run['id']}/queue", json={"position": position})


def create_named(server, *names):
    return [server.create(name=name, **ENDLESS) for name in names]


def test_a_moved_run_starts_in_its_new_place(server):
    first, second, third, fourth = create_named(server, "1", "2", "3", "4")
    assert (first["queue_position"], fourth["queue_position"]) == (None, 3)
    moved = move(server, fourth, 1)
    assert (moved.status_code, moved.json()["queue_position"]) == (200, 1)
    assert waiting(server) == ["4", "2", "3"]
    assert move(server, second, 99).json()["queue_position"] == 3
    assert waiting(server) == ["4", "3", "2"]
    assert move(server, third, 2).json()["queue_position"] == 2
    server.post(first, "pause")
    assert server.until(fourth, running)["queue_position"] is None
    assert waiting(server) == ["3", "2"]
    server.client.delete(f"/api/runs/{third['id']}")
    assert waiting(server) == ["2"]
    server.post(fourth, "stop")
    server.until(second, running)


def test_a_run_that_does_not_wait_cannot_be_moved(server):
    first, second, third = create_named(server, "1", "2", "3")
    server.post(third, "pause")
    for run in (first, third):
        refused = move(server, run, 1)
        assert refused.status_code == 409
        assert refused.json()["detail"] == "The run is not waiting for a free core."
    assert move(server, {"id": "unknown"}, 1).status_code == 404
    for position in (0, -1, 1.5, "1", None, 10**7):
        assert move(server, second, position).status_code == 422
    assert waiting(server) == ["2"]


def test_moves_at_the_same_time_as_starts_and_deletions_are_done_or_refused(server):
    runs = create_named(server, *"abcdefgh")
    server.post(runs[0], "pause")

    def delete(run):
        return server.client.delete(f"/api/runs/{run['id']}")

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(move, server, run, 1) for run in runs for _ in range(3)]
        asked += [pool.submit(delete, run) for run in runs[1:4]]
        asked += [pool.submit(move, server, run, 3) for run in runs]
        found = {each.result().status_code for each in asked}
    assert found <= {200, 204, 404, 409}
    # Every run that is left waits once, or trains.
    left = {run["name"] for run in server.client.get("/api/runs").json()}
    assert left == set("aefgh")
    server.until(runs[0], lambda _now: states(server).count("running") == 1)
    assert len(waiting(server)) == 3


def test_a_run_takes_a_slot_for_each_of_its_threads(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="2")
    three = server.create(**ENDLESS, batch_size=4, threads=3)
    small = server.create(**ENDLESS)
    # It needs more slots than there are, and trains because all were free.
    assert states(server) == ["running", "queued"]
    server.post(three, "pause")
    server.until(small, running)
    assert server.post(three, "resume")["state"] == "queued"
    # One slot is free, but the run with three threads is first.
    second, third, fourth = (server.create(**ENDLESS) for _ in range(3))
    assert states(server)[2:] == ["queued"] * 3
    assert move(server, second, 1).status_code == 200
    server.until(second, running)
    server.post(second, "pause")
    assert states(server)[3:] == ["queued"] * 2
    server.post(three, "pause")
    server.until(third, running)
    server.post(small, "pause")
    server.until(fourth, running)
    # Threads without a stream of their own take no slot.
    server.delete_runs()
    one, another = (server.create(**ENDLESS, threads=3) for _ in range(2))
    server.until(one, running)
    server.until(another, running)


def test_viewers_of_waiting_runs_learn_their_new_places(server):
    _, second, third = create_named(server, "1", "2", "3")

    def placed(position):
        return lambda message: message.get("run_state", {}).get("queue_position") == position

    with Viewer(server, third) as viewer:
        viewer.read_until(placed(2))
        move(server, third, 1)
        viewer.read_until(placed(1))
        move(server, second, 1)
        viewer.read_until(placed(2))
