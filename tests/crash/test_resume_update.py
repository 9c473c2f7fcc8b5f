"""After a crash, runs are at the update that they had reported, and resume from there."""

import contextlib
import os
import signal
import sqlite3
import threading

import httpx
import pytest

from tests.crash.reference_run import ReferenceRun
from tests.processes import is_stopped
from tests.serving import PAGES, until

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_every": 50, "sample_length": 20}


def stored(server, run):
    """Return the update of a run in the database, as another process sees it."""
    database = sqlite3.connect(f"file:{server.data_dir / 'hurrah.db'}?mode=ro", uri=True)
    try:
        [(update,)] = database.execute(
            "SELECT json_extract(run, '$.update') FROM runs WHERE id = ?", (run["id"],)
        )
    finally:
        database.close()
    return update


def step_past_a_checkpoint(server, run, updates):
    """Checkpoint a paused run at update 100, make more updates, and wait until they are stored."""
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    server.post(run, "step", {"updates": updates})
    until(lambda: stored(server, run) == 100 + updates)


def kill_both(server):
    """Kill the server and its workers so that neither notices that the other is gone."""
    os.kill(server.process.pid, signal.SIGSTOP)
    # A stopped server waits for no process, so the id of one that has ended is not gone.
    for worker in server.worker_pids():
        os.kill(worker, signal.SIGKILL)
    server.kill()


def in_vain(server, run, action, body):
    """Send a command to a server that is killed meanwhile."""
    with contextlib.suppress(httpx.HTTPError):
        server.client.post(f"/api/runs/{run['id']}/{action}", json=body)


def assert_equals_reference(server, run):
    """Check that a run's losses and samples equal those of a reference run."""
    now = server.run(run)
    reference = ReferenceRun(PAGES, now["spec"]).train_to(now["update"])
    rows = server.losses_csv(run).decode().splitlines()[1:]
    assert [float(row.split(",")[3]) for row in rows] == reference.losses
    samples = [(each["update"], each["text"]) for each in server.get(run, "samples")]
    assert samples == list(reference.samples.items())


def test_a_paused_run_comes_back_to_its_update(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    step_past_a_checkpoint(server, run, 70)
    kill_both(server)
    again = serve("--no-demo")
    found = again.run(run)
    assert (found["state"], found["update"]) == ("paused", 170)
    assert again.post(run, "checkpoints", {"note": "here"})["update"] == 170
    assert again.post(run, "step", {"updates": 5})["update"] == 175
    assert_equals_reference(again, run)


def test_a_run_without_a_worker_is_stopped_with_a_sample_of_its_last_update(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "validation_fraction": 0.2}
    paused = server.create(**spec, paused=True)
    step_past_a_checkpoint(server, paused, 73)
    running = server.create(**spec | {"pace": 1000, "sample_every": 10**6, "max_updates": None})
    # Without a checkpoint, nothing would be left to measure.
    saved = server.post(running, "checkpoints")["update"]
    server.until(running, lambda now: now["update"] > saved + 50)
    kill_both(server)
    again = serve("--no-demo")
    assert again.run(running)["state"] == "interrupted"
    for run in (paused, running):
        before = again.run(run)
        stopped = again.post(run, "stop")
        assert (stopped["state"], stopped["update"]) == ("stopped", before["update"])
        last = again.get(run, "samples")[-1]
        assert last["update"] == stopped["update"] == stopped["validation_update"]
        assert last["validation_loss"] == stopped["validation_loss"]
    assert not again.worker_pids()


@pytest.mark.parametrize(("kills", "ask"), [(1, ("resume", None)), (2, ("step", {"updates": 5}))])
def test_a_paused_run_stays_at_its_update_while_its_worker_comes_back_to_it(serve, kills, ask):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "paused": True, "max_updates": 300}
    run = server.create(**spec, watch_words=["e", "the"])
    step_past_a_checkpoint(server, run, 170)
    before = [server.get(run, what) for what in ("samples", "milestones")]
    losses = server.losses_csv(run)
    kill_both(server)
    for _ in range(kills):
        # The worker stops when it repeats the sample of update 150.
        server = serve("--no-demo", HURRAH_STOP_AT="snapshot.take")
        asking = threading.Thread(target=in_vain, args=(server, run, *ask))
        asking.start()
        until(lambda: any(map(is_stopped, server.worker_pids())))  # noqa: B023 - called at once
        kill_both(server)
        asking.join()
    again = serve("--no-demo")
    found = again.run(run)
    assert (found["state"], found["update"]) == ("paused", 270)
    assert [again.get(run, what) for what in ("samples", "milestones")] == before
    assert again.losses_csv(run) == losses
    assert again.post(run, "step", {"updates": 5})["update"] == 275
    assert again.post(run, "checkpoints")["update"] == 275
    assert_equals_reference(again, run)
    assert [
        again.get(run, what)[: len(known)]
        for what, known in zip(("samples", "milestones"), before, strict=True)
    ] == before


def test_a_change_after_a_crash_is_made_at_the_update_of_the_paused_run(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "paused": True, "max_updates": None}
    run, other = [server.create(**spec) for _ in range(2)]
    for each in (run, other):
        step_past_a_checkpoint(server, each, 70)
    kill_both(server)
    again = serve("--no-demo")
    # The other one has a checkpoint at its update when it is changed.
    again.post(other, "checkpoints")
    for each in (run, other):
        path = f"/api/runs/{each['id']}"
        assert again.client.patch(path, json={"learning_rate": 0.03}).status_code == 200
        assert again.post(each, "step", {"updates": 30})["update"] == 200
        changes = [each for each in again.get(each, "milestones") if each["kind"] == "change"]
        assert [change["update"] for change in changes] == [170]
    assert again.losses_csv(run) == again.losses_csv(other)


@pytest.mark.parametrize("who", ["worker", "both"])
def test_a_crash_right_after_the_last_update_keeps_the_network(serve, who):
    server = serve("--no-demo", HURRAH_STOP_AT="archive.written")
    run = server.create(corpus=server.upload(PAGES)["id"], max_updates=120, **SMALL)
    until(lambda: stored(server, run) == 120)
    [worker] = server.worker_pids()
    if who == "worker":
        os.kill(worker, signal.SIGKILL)
        server.until(run, lambda now: now["state"] == "failed")
    else:
        kill_both(server)
        server = serve("--no-demo")
        assert server.run(run)["state"] == "interrupted"
    server.post(run, "resume")

    def finished():
        # The next worker stops there too.
        for worker in filter(is_stopped, server.worker_pids()):
            os.kill(worker, signal.SIGCONT)
        return server.run(run)["state"] == "finished"

    until(finished)
    written = server.post(run, "passages", {"length": 10})
    assert written["source"]["update"] > 0
    assert_equals_reference(server, run)
    # Its worker may have stopped at the failpoint again.
    kill_both(server)


def test_a_run_whose_worker_was_killed_resumes_automatically_after_the_server_was_killed(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], max_updates=None, pace=200, **SMALL)
    server.until(run, lambda now: now["update"] > 20)
    [worker] = server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    failed = server.until(run, lambda now: now["state"] == "failed")
    server.kill()
    again = serve("--no-demo", HURRAH_RESUME="1")
    again.until(run, lambda now: now["state"] == "running" and now["update"] > failed["update"])
    again.post(run, "pause")
    assert_equals_reference(again, run)


DECAYING = {"learning_rate_decay": 0.5, "max_updates": None, "paused": True}


@pytest.mark.parametrize("end", ["terminate", "kill_both"])
def test_a_learning_rate_set_during_decay_survives_a_restart(serve, end):
    """The decay has changed the rate meanwhile, so the value set equals the spec's old one."""
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    disturbed, other = [server.create(corpus=corpus, **DECAYING, **SMALL) for _ in range(2)]
    for run in (disturbed, other):
        server.post(run, "step", {"updates": 1_100})
        assert server.run(run)["epoch"] > 2
        changed = server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.1})
        assert changed.status_code == 200
    server.post(other, "step", {"updates": 60})
    assert server.post(other, "checkpoints")
    kill_both(server) if end == "kill_both" else server.terminate()
    again = serve("--no-demo")
    again.post(disturbed, "step", {"updates": 60})
    assert again.losses_csv(disturbed) == again.losses_csv(other)


def test_samples_survive_a_change_of_sample_every(serve):
    server = serve("--no-demo")
    spec = SMALL | {"sample_every": 20, "corpus": server.upload(PAGES)["id"], "paused": True}
    run = server.create(**spec, max_updates=None)
    server.post(run, "step", {"updates": 200})
    before = server.get(run, "samples")
    assert server.client.patch(f"/api/runs/{run['id']}", json={"sample_every": 10_000}).is_success
    server.post(run, "step", {"updates": 10})
    until(lambda: stored(server, run) == 210)
    kill_both(server)
    again = serve("--no-demo")
    assert again.post(run, "step", {"updates": 10})["update"] == 220
    assert again.get(run, "samples") == before
