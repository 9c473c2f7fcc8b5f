"""While samples cannot be measured, training waits, and the server still answers."""

import os
import signal

import pytest

from server.worker.reporter import MAX_BACKLOG_SAMPLES
from tests.processes import child_pids
from tests.serving import until

# Training waits at this update: the sample of update 0 is measured, and so many are not.
FULL = MAX_BACKLOG_SAMPLES + 1
EAGER = {"hidden_size": 10, "sample_length": 20, "sample_every": 1, "max_updates": None}


@pytest.fixture
def server(serve):
    # Its own, so that it has one inference process.
    return serve("--no-demo")


@pytest.fixture
def inference(server):
    """Return the id of the inference process; a run is needed to start it."""
    held = server.create(**EAGER, paused=True)
    until(lambda: server.get(held, "samples"))
    [pid] = child_pids(server.process.pid, "server.inference")
    yield pid
    os.kill(pid, signal.SIGCONT)
    server.delete_runs()


def samples_of(server, run):
    """Return the updates of all samples written so far, once they are measured."""
    return [sample["update"] for sample in server.get(run, "samples")]


def test_a_run_can_be_paused_saved_and_deleted_while_no_sample_is_measured(server, inference):
    run = server.create(**EAGER, paused=True)
    until(lambda: server.get(run, "samples"))
    os.kill(inference, signal.SIGSTOP)
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] == FULL)
    stands = server.post(run, "pause")
    assert (stands["state"], stands["update"]) == ("paused", FULL)
    assert server.post(run, "checkpoints")["update"] == FULL

    os.kill(inference, signal.SIGCONT)
    assert samples_of(server, run) == list(range(FULL + 1))

    os.kill(inference, signal.SIGSTOP)
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] == 2 * FULL)
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204


def test_a_server_ends_in_time_while_no_sample_is_measured_and_loses_nothing(serve):
    server = serve("--no-demo")
    run = server.create(**EAGER, paused=True)
    until(lambda: server.get(run, "samples"))
    [inference] = child_pids(server.process.pid, "server.inference")
    os.kill(inference, signal.SIGSTOP)
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] == FULL)
    assert server.terminate() == 0

    again = serve("--no-demo")
    stands = again.run(run)
    assert (stands["state"], stands["update"]) == ("interrupted", FULL)
    assert samples_of(again, run) == list(range(FULL + 1))
