"""kill -9 of any process at any time loses nothing that was acknowledged."""

import itertools
import os
import signal

import pytest

from server.checkpoints.npz import read_archive, write_archive
from tests.processes import child_pids, is_alive
from tests.serving import PAGES, until

SMALL = {"hidden_size": 20, "sample_length": 50, "sample_every": 100}


def only_worker(server):
    (worker,) = server.worker_pids()
    return worker


def undisturbed(server, spec):
    """Return what an undisturbed run of the same spec records."""
    run = server.create(**spec)
    server.until_ended(run)
    return recorded(server, run)


def recorded(server, run):
    """Return the losses, the metrics and the samples of a run."""
    metrics = server.get(run, "metrics", points=5_000)
    assert metrics["update"]
    return server.losses_csv(run), metrics, server.get(run, "samples")


def without_disturbances(milestones):
    kinds = {"epoch", "hurrah"}
    return [milestone | {"id": None} for milestone in milestones if milestone["kind"] in kinds]


def test_a_run_whose_worker_was_killed_fails_and_resumes_from_its_checkpoint(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 1_000}
    # With several threads, whose order of summation must be the same.
    spec |= {"batch_size": 3, "threads": 2}
    run = server.create(pace=100, **spec)
    server.until(run, lambda now: now["update"] > 120)
    made = server.post(run, "checkpoints")
    server.until(run, lambda now: now["update"] > made["update"] + 100)
    worker = only_worker(server)
    os.kill(worker, signal.SIGKILL)
    failed = server.until(run, lambda now: now["state"] == "failed")
    assert "killed" in failed["error"]
    assert failed["updates_per_second"] == 0
    until(lambda: not is_alive(worker))
    assert server.client.get("/healthz").json()["status"] == "ok"
    _, meta = server.checkpoint_file(run, made["id"])
    assert meta["trainer"]["updates"] == made["update"]
    assert len(server.post(run, "passages", {"length": 20})["text"]) == 20
    server.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    resumed = server.post(run, "resume")
    assert (resumed["state"], resumed["error"]) == ("running", None)
    assert server.until_ended(run)["update"] == 1_000
    assert recorded(server, run) == undisturbed(server, spec)


def test_a_run_whose_worker_was_killed_before_the_first_checkpoint_starts_again(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 300}
    run = server.create(pace=20, **spec)
    server.until(run, lambda now: now["update"] > 3)
    os.kill(only_worker(server), signal.SIGKILL)
    server.until(run, lambda now: now["state"] == "failed")
    server.problem(server.client.post(f"/api/runs/{run['id']}/checkpoints"), 404)
    server.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    server.post(run, "resume")
    server.until_ended(run)
    assert recorded(server, run) == undisturbed(server, spec)


def test_a_paused_run_whose_worker_was_killed_can_be_resumed(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 200}
    run = server.create(paused=True, **spec)
    server.post(run, "step", {"updates": 50})
    server.post(run, "checkpoints")
    os.kill(only_worker(server), signal.SIGKILL)
    server.until(run, lambda now: now["state"] == "failed")
    server.post(run, "resume")
    server.until_ended(run)
    assert recorded(server, run) == undisturbed(server, spec)


# How long a run trains before the server is killed: before, during and after the first flush.
@pytest.mark.parametrize("updates", [1, 50, 240])
def test_killing_the_server_loses_nothing(serve, updates):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "watch_words": ["the", "e"]}
    spec |= {"max_updates": 2_000}
    run = server.create(pace=200, **spec)
    server.until(run, lambda now: now["update"] >= updates)
    worker = only_worker(server)
    children = [worker, *child_pids(server.process.pid, "server.inference")]
    last_seen = server.run(run)["update"]
    server.kill()
    until(lambda: not any(map(is_alive, children)))

    again = serve("--no-demo")
    found = again.run(run)
    assert found["state"] == "interrupted"
    assert found["error"]
    assert found["update"] >= last_seen
    # The worker has saved a checkpoint after the server was gone.
    newest = again.get(run, "checkpoints")[-1]
    assert newest["update"] == found["update"] == again.get(run, "loss")["to"]
    assert again.losses_csv(run).count(b"\n") == found["update"] + 1
    assert len(again.post(run, "passages", {"source": "latest", "length": 20})["text"]) == 20
    assert again.worker_pids() == []

    again.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    assert again.post(run, "resume")["state"] in {"running", "finished"}
    assert again.until_ended(run)["update"] == 2_000
    found = recorded(again, run)
    milestones = without_disturbances(again.get(run, "milestones"))
    other = again.create(**spec)
    again.until_ended(other)
    assert found == recorded(again, other)
    assert milestones == without_disturbances(again.get(other, "milestones"))


def test_a_run_that_made_its_last_update_without_the_server_has_finished(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 200}
    run = server.create(paused=True, **spec)
    server.post(run, "step", {"updates": 150})
    server.client.patch(f"/api/runs/{run['id']}", json={"pace": 20})
    worker = only_worker(server)
    server.post(run, "resume")
    # The server does nothing more, and is killed when the worker has made the last sample.
    os.kill(server.process.pid, signal.SIGSTOP)
    until((server.data_dir / "runs" / run["id"] / "snapshots" / "200.npz").exists)
    server.kill()
    until(lambda: not is_alive(worker))

    again = serve("--no-demo")
    found = again.run(run)
    assert (found["state"], found["error"], found["update"]) == ("finished", None, 200)
    assert recorded(again, run) == undisturbed(again, spec)


def test_server_and_worker_killed_together_go_back_to_the_last_checkpoint(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 1_000}
    run = server.create(pace=100, **spec)
    server.until(run, lambda now: now["update"] > 100)
    made = server.post(run, "checkpoints", {"note": "acknowledged"})
    os.kill(only_worker(server), signal.SIGKILL)
    server.kill()
    again = serve("--no-demo")
    found = again.run(run)
    assert found["state"] in {"interrupted", "failed"}
    assert found["update"] >= made["update"]
    assert again.get(run, "loss")["to"] == found["update"]
    assert made in again.get(run, "checkpoints")
    _, meta = again.checkpoint_file(run, made["id"])
    assert meta["trainer"]["updates"] == made["update"]
    again.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    again.post(run, "resume")
    again.until_ended(run)
    assert recorded(again, run) == undisturbed(again, spec)


def test_runs_resume_automatically_with_the_setting(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 1_500}
    run = server.create(pace=100, **spec)
    server.until(run, lambda now: now["update"] > 100)
    server.kill()
    again = serve("--no-demo", HURRAH_RESUME="1")
    assert again.run(run)["state"] == "running"
    again.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    again.until_ended(run)
    assert recorded(again, run) == undisturbed(again, spec)


def test_a_run_that_resumes_only_up_to_rounding_gets_one_milestone(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 100})
    made = server.post(run, "checkpoints")
    server.post(run, "stop")
    path = server.data_dir / "runs" / run["id"] / "checkpoints" / f"{made['id']}.npz"
    arrays, meta = read_archive(path)
    write_archive(path, arrays, meta | {"numpy": "1.0"})
    server.post(run, "resume")
    server.until_ended(run)
    server.client.patch(f"/api/runs/{run['id']}", json={"max_updates": 400})
    server.post(run, "resume")
    server.until(run, lambda now: now["update"] == 400)
    said = [each for each in server.get(run, "milestones") if "NumPy 1.0" in each["text"]]
    assert [(milestone["kind"], milestone["update"]) for milestone in said] == [("change", 100)]


def test_every_acknowledged_checkpoint_survives_repeated_kills_of_the_server(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": None, "pace": 500}
    run = server.create(**spec)
    acknowledged = []
    for _ in range(3):
        acknowledged += [server.post(run, "checkpoints") for _ in range(4)]
        server.kill()
        server = serve("--no-demo")
        listed = {made["id"]: made for made in server.get(run, "checkpoints")}
        for made in acknowledged:
            assert listed[made["id"]] == made
            arrays, meta = server.checkpoint_file(run, made["id"])
            assert meta["trainer"]["updates"] == made["update"]
            assert arrays["parameters.W"].shape == (20, 20)
        server.post(run, "resume")
    updates = [made["update"] for made in acknowledged]
    assert all(before <= after for before, after in itertools.pairwise(updates))


def test_paused_queued_and_finished_runs_survive_a_kill_unchanged(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1")
    corpus = server.upload(PAGES)["id"]
    finished = server.until_ended(server.create(corpus=corpus, max_updates=50, **SMALL))
    paused = server.create(corpus=corpus, paused=True, **SMALL)
    paused = server.post(paused, "step", {"updates": 30})
    endless = SMALL | {"corpus": corpus, "max_updates": None, "pace": 500}
    running, queued = server.create(**endless), server.create(**endless)
    changed = server.client.patch(f"/api/runs/{paused['id']}", json={"name": "Mine"}).json()
    samples = server.get(paused, "samples")
    server.kill()
    again = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1")
    assert again.run(finished) == finished | {"machine": None}
    assert again.run(paused) == changed | {"machine": None}
    assert again.get(paused, "samples") == samples
    assert again.run(running)["state"] == "interrupted"
    # The queued run starts by itself.
    again.until(queued, lambda now: now["state"] == "running")
    assert again.post(paused, "step", {"updates": 5})["update"] == 35


def test_the_order_of_waiting_runs_survives_a_kill(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1")
    corpus = server.upload(PAGES)["id"]
    spec = SMALL | {"corpus": corpus, "max_updates": None, "pace": 500}
    training, *waiting = [server.create(name=name, **spec) for name in "abcd"]
    # "b" waits behind the others since it was paused; "d" was moved to the front.
    server.post(waiting[0], "pause")
    server.post(waiting[0], "resume")
    place = f"/api/runs/{waiting[2]['id']}/queue"
    assert server.client.patch(place, json={"position": 1}).status_code == 200
    server.kill()
    again = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="1", HURRAH_RESUME="0")
    again.until(waiting[2], lambda now: now["state"] == "running")
    places = {run["name"]: run["queue_position"] for run in again.client.get("/api/runs").json()}
    assert [places[name] for name in "dcb"] == [None, 1, 2]
    again.post(waiting[2], "stop")
    again.until(waiting[1], lambda now: now["state"] == "running")
    assert again.run(training)["state"] == "interrupted"


def test_a_killed_inference_process_is_replaced(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    request = {"length": 30, "seed": 1}
    before = server.post(run, "passages", request)
    processes = child_pids(server.process.pid, "server.inference")
    assert processes
    for inference in processes:
        os.kill(inference, signal.SIGKILL)
    assert server.post(run, "passages", request) == before
    # The process that measures samples is replaced as well.
    server.post(run, "step", {"updates": 100})
    assert server.get(run, "samples")[-1]["update"] == 100


def test_an_unfinished_checkpoint_is_deleted_and_a_damaged_one_skipped(serve):
    server = serve("--no-demo")
    spec = SMALL | {"corpus": server.upload(PAGES)["id"], "max_updates": 300}
    run = server.create(paused=True, **spec)
    server.post(run, "step", {"updates": 100})
    good = server.post(run, "checkpoints")
    server.post(run, "step", {"updates": 100})
    bad = server.post(run, "checkpoints")
    server.kill()
    directory = server.data_dir / "runs" / run["id"] / "checkpoints"
    (directory / ".half.tmp").write_bytes(b"half")
    newest = max(directory.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
    for path in directory.glob("*.npz"):
        if path.stem != good["id"]:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert newest.stem != good["id"]
    assert bad["update"] == 200
    again = serve("--no-demo")
    assert not (directory / ".half.tmp").exists()
    assert len(again.post(run, "passages", {"length": 20})["text"]) == 20
    again.post(run, "resume")
    assert again.until_ended(run)["update"] == 300
    assert recorded(again, run) == undisturbed(again, spec)
