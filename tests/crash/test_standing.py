"""Where runs stand after a crash is where they said that they stood, and they go on from there."""

import os
import signal
import sqlite3

import pytest

from tests.crash.undisturbed import Undisturbed
from tests.serving import PAGES, until

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_every": 50, "sample_length": 20}


def stored(server, run):
    """Return the update at which the database has a run, as another process sees it."""
    database = sqlite3.connect(f"file:{server.data_dir / 'hurrah.db'}?mode=ro", uri=True)
    try:
        [(update,)] = database.execute(
            "SELECT json_extract(run, '$.update') FROM runs WHERE id = ?", (run["id"],)
        )
    finally:
        database.close()
    return update


def kill_both(server):
    """Kill the server and its workers so that neither notices the other's end."""
    workers = server.worker_pids()
    os.kill(server.process.pid, signal.SIGSTOP)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    server.kill()


def agrees(server, run):
    """Hold what there is of a run to what it comes to undisturbed."""
    now = server.run(run)
    undisturbed = Undisturbed(PAGES, now["spec"]).up_to(now["update"])
    rows = server.losses_csv(run).decode().splitlines()[1:]
    assert [float(row.split(",")[3]) for row in rows] == undisturbed.losses
    samples = [(each["update"], each["text"]) for each in server.get(run, "samples")]
    assert samples == list(undisturbed.samples.items())


def test_steps_that_were_made_stay_made(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    server.post(run, "step", {"updates": 70})
    until(lambda: stored(server, run) == 170)
    kill_both(server)
    again = serve("--no-demo")
    found = again.run(run)
    assert (found["state"], found["update"]) == ("paused", 170)
    assert again.post(run, "checkpoints", {"note": "here"})["update"] == 170
    assert again.post(run, "step", {"updates": 5})["update"] == 175
    agrees(again, run)


@pytest.mark.parametrize("who", ["worker", "both"])
def test_a_run_that_had_just_made_its_last_update_keeps_its_network(serve, who):
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
    assert server.until_ended(run)["state"] == "finished"
    written = server.post(run, "passages", {"length": 10})
    assert written["source"]["update"] > 0
    agrees(server, run)


def test_a_run_whose_worker_was_killed_goes_on_by_itself_after_the_server_too(serve):
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
    agrees(again, run)


DECAYING = {"learning_rate_decay": 0.5, "max_updates": None, "paused": True}


@pytest.mark.parametrize("end", ["terminate", "kill_both"])
def test_a_learning_rate_that_was_set_again_stays_in_force(serve, end):
    """The decay had made another of it: what was set is what the spec said before."""
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


def test_samples_that_were_written_outlive_a_change_of_how_often(serve):
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
