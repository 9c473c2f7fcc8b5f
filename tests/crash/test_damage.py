"""A damaged checkpoint is reported, and the one before it is used."""

import contextlib
import os
import signal
import threading
import zipfile

import pytest

from tests.crash.reference_run import ReferenceRun
from tests.processes import is_stopped
from tests.serving import PAGES, until

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_every": 100, "sample_length": 30}


def files(server, run):
    return server.data_dir / "runs" / run["id"] / "checkpoints"


def damage(path):
    """Overwrite a part in the middle, as a failing disk does."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 512] = bytes(512)
    path.write_bytes(data)


def flip_a_bit_of_the_directory(path):
    """Lengthen the comment of a zip entry, so that the entries after it are not listed."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.start_dir
    for _ in range(3):
        entry = data.index(b"PK\x01\x02", entry + 1)
    data[entry + 33] ^= 4
    path.write_bytes(data)


@contextlib.contextmanager
def unreadable(path):
    """Make opening a file fail, for the superuser too."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    path.symlink_to(path.name)
    try:
        yield
    finally:
        aside.rename(path)


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_is_used(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    made = {}
    for update in (100, 200):
        server.post(run, "step", {"updates": 100})
        made[update] = server.post(run, "checkpoints", {"note": f"at {update}"})
    server.post(run, "stop")
    damage(files(server, run) / f"{made[200]['id']}.npz")
    before = server.client.get("/api/runs").json()
    for path, body in [
        (f"checkpoints/{made[200]['id']}/file", None),
        ("fork", {"checkpoint": made[200]["id"]}),
        ("passages", {"source": made[200]["id"]}),
    ]:
        method = "GET" if body is None else "POST"
        answer = server.client.request(method, f"/api/runs/{run['id']}/{path}", json=body)
        assert "update 200 is damaged" in server.problem(answer, 409)["detail"], path
    assert server.client.get("/api/runs").json() == before
    listed = {each["update"]: each["damaged"] for each in server.get(run, "checkpoints")}
    assert listed == {100: False, 200: True}
    # It is reported once.
    said = [each for each in server.get(run, "milestones") if "damaged" in each["text"]]
    assert [(milestone["update"], milestone["kind"]) for milestone in said] == [(200, "note")]

    server.post(run, "resume")
    assert server.until_ended(run)["update"] == 300
    answer = server.client.delete(f"/api/runs/{run['id']}/checkpoints/{made[200]['id']}")
    assert answer.status_code == 204
    reference = ReferenceRun(PAGES, run["spec"])
    reference.assert_equal(*server.checkpoint_file(run, "latest"))
    assert server.losses_csv(run).count(b"\n") == 301


def test_a_milestone_names_the_checkpoint_used_instead(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 50})
        made = server.post(run, "checkpoints")
    server.post(run, "stop")
    damage(files(server, run) / f"{made['id']}.npz")
    server.post(run, "resume")
    server.until_ended(run)
    [milestone] = [each for each in server.get(run, "milestones") if each["kind"] == "rollback"]
    assert milestone["update"] == 50
    assert "update 100 is damaged" in milestone["text"]
    assert "The one of update 50 is used instead." in milestone["text"]


def test_nothing_is_changed_when_all_checkpoints_are_damaged(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    server.post(run, "stop")
    whole = server.losses_csv(run), server.get(run, "samples")
    for path in files(server, run).glob("*.npz"):
        damage(path)
    for action in ("resume", "passages", "checkpoints"):
        answer = server.client.post(f"/api/runs/{run['id']}/{action}")
        assert "only checkpoint is damaged" in server.problem(answer, 409)["detail"], action
    assert (server.losses_csv(run), server.get(run, "samples")) == whole
    assert server.run(run)["update"] == 100


def test_a_flipped_bit_in_the_zip_directory_counts_as_damage(serve):
    """The next server recovers the run, and the run can be resumed."""
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 100})
        made = server.post(run, "checkpoints")
    server.kill()
    flip_a_bit_of_the_directory(files(server, run) / f"{made['id']}.npz")
    again = serve("--no-demo")
    assert again.run(run)["state"] in {"paused", "interrupted"}
    again.post(run, "resume")
    assert again.until_ended(run)["update"] == 300
    listed = {each["update"]: each["damaged"] for each in again.get(run, "checkpoints")}
    assert listed[200]
    ReferenceRun(PAGES, run["spec"]).assert_equal(*again.checkpoint_file(run, "latest"))


def test_a_temporarily_unreadable_checkpoint_is_not_marked_damaged(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 100})
        made = server.post(run, "checkpoints")
    server.post(run, "stop")
    before = server.client.get("/api/runs").json(), server.get(run, "checkpoints")
    with unreadable(files(server, run) / f"{made['id']}.npz"):
        for method, path, body in [
            ("POST", "resume", None),
            ("GET", f"checkpoints/{made['id']}/file", None),
            ("POST", "fork", {"checkpoint": made["id"]}),
            ("POST", "passages", {"source": made["id"]}),
            ("DELETE", f"checkpoints/{made['id']}", None),
        ]:
            answer = server.client.request(method, f"/api/runs/{run['id']}/{path}", json=body)
            said = server.problem(answer, 503)["detail"]
            assert "update 200 cannot be read at the moment: " in said, path
    assert (server.client.get("/api/runs").json(), server.get(run, "checkpoints")) == before
    server.post(run, "resume")
    assert server.until_ended(run)["update"] == 300
    assert not [each for each in server.get(run, "milestones") if "damaged" in each["text"]]


@pytest.mark.parametrize("ask", ["file", "resume"])
def test_the_damaged_mark_is_removed_once_the_file_can_be_read(server, corpus, ask):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 100})
        made = server.post(run, "checkpoints")
    server.post(run, "stop")
    path = files(server, run) / f"{made['id']}.npz"
    whole = path.read_bytes()
    damage(path)
    file = f"/api/runs/{run['id']}/checkpoints/{made['id']}/file"
    server.problem(server.client.get(file), 409)
    assert [each["damaged"] for each in server.get(run, "checkpoints")] == [False, True]
    path.write_bytes(whole)
    if ask == "resume":
        server.post(run, "resume")
        server.until_ended(run)
        assert server.get(run, "milestones")[-1]["kind"] != "rollback"
    else:
        assert server.client.get(file).content == whole
    assert not any(each["damaged"] for each in server.get(run, "checkpoints"))


def test_the_damaged_mark_stays_once_the_run_went_back_past_it(server, corpus):
    """The history before the checkpoint is deleted, and it does not fit the new history."""
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    for _ in range(2):
        server.post(run, "step", {"updates": 100})
        # So that the checkpoint contains no history.
        until(
            lambda: (
                server.checkpoint_file(run, "latest")[1]["unflushed"]["first"]
                > server.run(run)["update"]
            )
        )
        made = server.post(run, "checkpoints")
    path = files(server, run) / f"{made['id']}.npz"
    server.post(run, "stop")
    whole = path.read_bytes()
    damage(path)
    set_pace(server, run, 10)
    server.post(run, "resume")
    server.until(run, lambda now: 100 < now["update"] < 200)
    assert server.post(run, "pause")["update"] < 200
    path.write_bytes(whole)
    file = f"/api/runs/{run['id']}/checkpoints/{made['id']}/file"
    server.problem(server.client.get(file), 409)
    server.post(run, "stop")
    set_pace(server, run, "max")
    server.post(run, "resume")
    assert server.until_ended(run)["update"] == 300
    assert server.losses_csv(run).count(b"\n") == 301
    ReferenceRun(PAGES, run["spec"]).assert_equal(*server.checkpoint_file(run, "latest"))


def set_pace(server, run, pace):
    answer = server.client.patch(f"/api/runs/{run['id']}", json={"pace": pace})
    assert answer.status_code == 200, answer.text


def test_a_truncated_snapshot_is_replaced_by_the_nearest_one(server, corpus):
    run = server.create(corpus=corpus, paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 300})
    server.until_ended(run)
    snapshot = server.data_dir / "runs" / run["id"] / "snapshots" / "200.npz"
    os.truncate(snapshot, snapshot.stat().st_size // 2)
    for update in (200, 195):
        passage = server.post(run, "passages", {"source": {"update": update}, "length": 20})
        assert passage["source"]["update"] in {100, 300}
    assert not snapshot.exists()


def test_the_unfinished_file_of_a_killed_worker_is_deleted(serve):
    server = serve("--no-demo", HURRAH_STOP_AT="archive.written")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, max_updates=300, **SMALL)
    asking = threading.Thread(
        target=lambda: server.client.post(f"/api/runs/{run['id']}/checkpoints")
    )
    asking.start()
    [unfinished] = until(lambda: list(files(server, run).glob(".*.tmp")))
    [worker] = server.worker_pids()
    until(lambda: is_stopped(worker))
    assert unfinished.stat().st_size > 0
    os.kill(worker, signal.SIGKILL)
    until(lambda: not unfinished.exists())
    asking.join()
    assert list(files(server, run).parent.glob("*/.*")) == []


def test_a_server_starts_with_a_run_whose_checkpoints_are_all_damaged(serve):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, max_updates=300, **SMALL)
    server.post(run, "step", {"updates": 100})
    server.post(run, "checkpoints")
    whole = server.losses_csv(run)
    [worker] = server.worker_pids()
    # The server must not notice that the worker is gone.
    os.kill(server.process.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    server.kill()
    for path in files(server, run).glob("*.npz"):
        damage(path)
    again = serve("--no-demo")
    found = again.run(run)
    assert found["state"] == "failed"
    assert "only checkpoint is damaged" in found["error"]
    again.problem(again.client.post(f"/api/runs/{run['id']}/resume"), 409)
    assert again.losses_csv(run) == whole


@pytest.mark.parametrize("resume", ["0", "1"])
def test_a_server_starts_with_a_run_that_can_not_be_read(serve, resume):
    """The other runs can be resumed, and so can this one once it can be read."""
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    run, other = (
        server.create(corpus=corpus, paused=True, max_updates=300, **SMALL) for _ in range(2)
    )
    for each in (run, other):
        server.post(each, "step", {"updates": 100})
    made = server.post(run, "checkpoints")
    server.kill()
    with unreadable(files(server, run) / f"{made['id']}.npz"):
        again = serve("--no-demo", HURRAH_RESUME=resume)
        found = again.run(run)
        assert (found["state"], found["update"]) == ("failed", 100)
        assert "could not be recovered" in found["error"]
        assert "cannot be read at the moment" in found["error"]
        again.problem(again.client.post(f"/api/runs/{run['id']}/resume"), 503)
        again.post(other, "resume")
        assert again.until_ended(other)["state"] == "finished"
    again.post(run, "resume")
    assert again.until_ended(run)["state"] == "finished"
    assert again.losses_csv(run) == again.losses_csv(other)
