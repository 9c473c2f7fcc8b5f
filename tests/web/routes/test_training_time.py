"""Training time: pauses are not counted, and it never decreases."""

import time

import pytest

from tests.serving import PAGES, RunningServer, until

SMALL = {"hidden_size": 10, "sample_length": 20, "watch_words": []}


def rising(values):
    return values == sorted(values)


@pytest.fixture(scope="module")
def run(server):
    """A run of 200 updates with a pause in between."""
    run = server.create(**SMALL, corpus=server.upload(PAGES)["id"], max_updates=400, paused=True)
    began = time.monotonic()
    server.post(run, "step", {"updates": 100})
    took = time.monotonic() - began
    until(lambda: time.monotonic() > began + took + 0.5)
    again = time.monotonic()
    server.post(run, "step", {"updates": 100})
    return server.run(run) | {"took_s": took + time.monotonic() - again}


def test_pauses_are_not_counted(server, run):
    assert 0 < run["seconds"] <= run["took_s"]
    loss = server.get(run, "loss")
    assert len(loss["seconds"]) == len(loss["update"]) == 200
    assert rising([0, *loss["seconds"], round(run["seconds"], 3)])
    assert loss["seconds"][-1] == pytest.approx(run["seconds"], abs=0.001)
    part = server.get(run, "loss", **{"from": 50, "to": 60})
    assert part["seconds"] == loss["seconds"][49:60]


def test_a_fork_continues_the_training_time_of_its_parent(server, run):
    server.post(run, "checkpoints")
    branch = server.post(run, "fork", {"checkpoint": "latest", "spec": {"paused": True}})
    assert branch["seconds"] == run["seconds"]
    ours, theirs = (server.get(each, "loss")["seconds"] for each in (branch, run))
    assert ours == theirs
    server.post(branch, "step", {"updates": 10})
    longer = server.get(branch, "loss")["seconds"]
    # Between two recorded times, which are a second apart, the time is interpolated.
    assert longer[:200] == pytest.approx(theirs, abs=max(1, run["seconds"]))
    assert rising(longer)
    assert server.run(branch)["seconds"] > run["seconds"]


def test_the_training_time_to_a_loss(server, run):
    loss = server.get(run, "loss")
    figure = loss["smooth"][120]
    reached = server.get(run, "loss/first-below", smooth_loss=figure + 1e-9)
    assert reached["update"] is not None
    assert reached["seconds"] == loss["seconds"][reached["update"] - 1]
    assert server.get(run, "loss/first-below", smooth_loss=0.001)["seconds"] is None


def test_training_time_never_decreases_after_a_crash_or_resume(tmp_path):
    with RunningServer(tmp_path, "--no-demo") as server:
        corpus = server.upload(PAGES)["id"]
        run = server.create(**SMALL, corpus=corpus, max_updates=None, pace=500)
        server.until(run, lambda now: now["update"] > 100)
        made = server.post(run, "checkpoints")
        # The history extends beyond the checkpoint when the server is killed.
        server.until(run, lambda now: now["update"] > made["update"] + 20)
        server.kill()
    with RunningServer(tmp_path, "--no-demo") as server:
        before = server.run(run)
        server.client.patch(f"/api/runs/{run['id']}", json={"max_updates": before["update"] + 500})
        server.post(run, "resume")
        done = server.until_ended(run)
        loss = server.get(run, "loss")
        assert done["seconds"] > before["seconds"] > 0
        assert None not in loss["seconds"]
        assert rising([*loss["seconds"], round(done["seconds"], 3)])
        # At 500 updates a second; the time without a server is not counted.
        assert done["seconds"] > 0.9 * done["update"] / 500
