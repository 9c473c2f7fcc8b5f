"""On a disk that is full or cannot be written, runs pause with a reason and resume later."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from server.checkpoints.npz import read_meta
from server.store.migrations import VERSION, backup_path
from server.web.server import PROBE_BYTES
from tests.crash.reference_run import ReferenceRun
from tests.serving import PAGES, RunningServer, until
from tests.store.version_0 import EXPECTED, add_samples, contents, files, unpack
from tests.training import assert_same_training, run_command, short_training, started_command

SMALL = {"hidden_size": 12, "sequence_length": 8, "sample_length": 20, "max_updates": None}
FULL = "no space left on the disk"
DISK_BYTES = 6_000_000


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def mounted(directory, *options):
    """Mount a file system on a directory; skip the test if that is not allowed."""
    try:
        run("mount", *options, str(directory))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield directory
    finally:
        run("umount", "--lazy", str(directory))


@pytest.fixture
def disk(tmp_path):
    """A disk of a few megabytes."""
    directory = tmp_path / "disk"
    directory.mkdir()
    with mounted(directory, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"):
        yield directory


@pytest.fixture
def on_disk(disk):
    with RunningServer(disk / "data", "--no-demo", HURRAH_MAX_TRAINING_RUNS="3") as server:
        yield server


def fill(disk):
    """Fill the disk completely, and return the file that takes up the space."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


def paused_for_disk(server, run, words=FULL):
    """Wait until a run is paused because of the disk, and return it."""
    now = server.until(run, lambda now: now["disk_full"])
    assert now["state"] == "paused"
    assert words in now["error"]
    return now


def assert_equals_reference(server, run):
    """Check that a run equals a reference run, and that no temporary file is left."""
    if server.run(run)["state"] == "running":
        server.post(run, "pause")
    now = server.run(run)
    rows = server.losses_csv(run).decode().splitlines()[1:]
    reference = ReferenceRun(PAGES, now["spec"]).train_to(now["update"])
    assert [int(row.split(",")[0]) for row in rows] == list(range(1, now["update"] + 1))
    assert [float(row.split(",")[3]) for row in rows] == reference.losses
    samples = [(each["update"], each["text"]) for each in server.get(run, "samples")]
    assert samples == list(reference.samples.items())
    made = server.post(run, "checkpoints")
    reference.assert_equal(*server.checkpoint_file(run, made["id"]))
    assert not list(server.data_dir.glob("**/*.tmp"))


def test_runs_pause_on_a_full_disk_and_can_be_resumed_when_there_is_space(disk, on_disk):
    server = on_disk
    corpus = server.upload(PAGES)["id"]
    running = server.create(corpus=corpus, pace=200, **SMALL)
    paused = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(paused, "step", {"updates": 30})
    kept = server.post(running, "checkpoints")
    server.until(running, lambda now: now["update"] > 100)
    ballast = fill(disk)
    paused_at = paused_for_disk(server, running)
    assert server.client.get("/healthz").json()["status"] == "ok"
    # A step stops at the snapshot it cannot write. A run that a person paused is never resumed.
    answer = server.client.post(f"/api/runs/{paused['id']}/step", json={"updates": 30})
    assert "ended early at update 50" in server.problem(answer, 507)["detail"]
    # Every request that needs space is refused with a sentence, and changes nothing.
    before = server.client.get("/api/runs").json()
    for method, path, body in [
        ("POST", f"/api/runs/{paused['id']}/checkpoints", None),
        ("POST", f"/api/runs/{running['id']}/checkpoints", None),
        ("POST", f"/api/runs/{running['id']}/resume", None),
        ("POST", f"/api/runs/{running['id']}/fork", {"checkpoint": kept["id"]}),
        ("PATCH", f"/api/runs/{running['id']}", {"name": "another"}),
        ("POST", "/api/runs", SMALL),
    ]:
        answer = server.client.request(method, path, json=body)
        assert FULL in server.problem(answer, 507)["detail"], path
    file = {"file": ("a.txt", PAGES.encode())}
    assert FULL in server.problem(server.client.post("/api/corpora", files=file), 507)["detail"]
    assert server.client.get("/api/runs").json() == before
    assert len(server.client.get("/api/corpora").json()) == 2
    assert server.run(running)["update"] == paused_at["update"]
    # Requests that need no space are answered.
    assert len(server.losses_csv(running).splitlines()) == paused_at["update"] + 1
    assert server.post(running, "pause")["state"] == "paused"
    ballast.unlink()
    server.post(running, "resume")
    server.until(running, lambda now: now["update"] > paused_at["update"] + 50)
    stood = server.run(paused)
    assert (stood["state"], stood["update"], stood["error"]) == ("paused", 50, None)
    assert server.post(paused, "step", {"updates": 10})["update"] == 60
    for each in (running, paused):
        assert_equals_reference(server, each)


def test_a_move_in_the_queue_on_a_full_disk_is_taken_back(disk):
    with RunningServer(disk / "data", "--no-demo", HURRAH_MAX_TRAINING_RUNS="1") as server:
        corpus = server.upload(PAGES)["id"]
        # It trains, but makes no update that would have to be stored.
        first = server.create(corpus=corpus, paused=True, pace=1e-6, **SMALL)
        server.post(first, "step", {"updates": 10})
        server.post(first, "resume")
        waiting = [server.create(corpus=corpus, name=name, **SMALL) for name in "abc"]
        path = f"/api/runs/{waiting[2]['id']}/queue"

        def order():
            places = {
                run["queue_position"]: run["name"] for run in server.client.get("/api/runs").json()
            }
            return [places[place] for place in (1, 2, 3)]

        ballast = fill(disk)
        for position in (1, 2):
            answer = server.client.patch(path, json={"position": position})
            assert FULL in server.problem(answer, 507)["detail"]
            assert order() == ["a", "b", "c"]
        ballast.unlink()
        assert server.client.patch(path, json={"position": 1}).status_code == 200
        assert order() == ["c", "a", "b"]
        server.kill()
    with RunningServer(disk / "data", "--no-demo", HURRAH_MAX_TRAINING_RUNS="1") as server:
        # The move that was answered with 200 is the one that is stored.
        server.until(waiting[2], lambda now: now["state"] == "running")


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_run_resumes_automatically_and_survives_the_end_of_the_server(disk, on_disk, end):
    server = on_disk
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, pace=200, sample_every=50, **SMALL)
    kept = server.post(run, "checkpoints")
    server.until(run, lambda now: now["update"] > 60)
    ballast = fill(disk)
    paused_at = paused_for_disk(server, run)
    ballast.unlink()
    gone_on = server.until(run, lambda now: now["update"] > paused_at["update"])
    assert (gone_on["state"], gone_on["error"]) == ("running", None)
    ballast = fill(disk)
    paused_for_disk(server, run)
    assert getattr(server, end)() == {"kill": -9, "terminate": 0}[end]
    ballast.unlink()
    with RunningServer(server.data_dir, "--no-demo") as again:
        found = again.run(run)
        assert found["state"] == "interrupted"
        assert found["update"] >= kept["update"]
        again.post(run, "resume")
        again.until(run, lambda now: now["update"] > paused_at["update"] + 60)
        assert_equals_reference(again, run)


def test_deleting_a_run_frees_space(disk, on_disk):
    server = on_disk
    corpus = server.upload(PAGES)["id"]
    large = server.create(corpus=corpus, paused=True, hidden_size=200)
    server.post(large, "checkpoints")
    run = server.create(corpus=corpus, pace=200, **SMALL)
    server.until(run, lambda now: now["update"] > 50)
    fill(disk)
    paused_at = paused_for_disk(server, run)
    assert server.client.delete(f"/api/runs/{large['id']}").status_code == 204
    server.until(run, lambda now: now["update"] > paused_at["update"])
    assert_equals_reference(server, run)
    assert [each["id"] for each in server.client.get("/api/runs").json()] == [run["id"]]


def test_a_run_is_imported_completely_or_not_at_all_whatever_space_there_is(disk, on_disk):
    server = on_disk
    spec = {**SMALL, "hidden_size": 100, "sample_every": 1_000}
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **spec)
    server.post(run, "step", {"updates": 20})
    # So that nothing else is written meanwhile.
    server.post(run, "stop")
    ballast = fill(disk)
    # Exporting needs space for the rows only, and the rest of the disk stays as it is.
    answer = server.client.get(f"/api/runs/{run['id']}/export")
    assert FULL in server.problem(answer, 507)["detail"]
    ballast.unlink()
    file = server.client.get(f"/api/runs/{run['id']}/export").content
    until(lambda: not list((server.data_dir / "exports").iterdir()))
    statuses, room_bytes = [], 0

    def names(directory):
        # The parent directory of imports stays.
        return {name for name in map(str, files(directory)) if name != "imports"}

    while 201 not in statuses:
        before = names(server.data_dir)
        ballast = fill(disk)
        os.truncate(ballast, max(ballast.stat().st_size - room_bytes, 0))
        answer = server.client.post("/api/runs/import", files={"file": file})
        statuses.append(answer.status_code)
        ballast.unlink()
        if answer.status_code != 201:
            assert FULL in server.problem(answer, 507)["detail"]
            assert names(server.data_dir) == before
            assert [each["id"] for each in server.client.get("/api/runs").json()] == [run["id"]]
        room_bytes += 200_000
    # Neither for the upload, nor for the unpacked files, nor for the transaction was there space.
    assert len(statuses) > 3
    copy = answer.json()
    server.post(copy, "resume")
    server.until(copy, lambda now: now["update"] > 30)
    server.post(copy, "pause")
    assert_equals_reference(server, copy)


def test_a_server_starts_on_a_full_disk_with_a_run_that_is_half_deleted(disk, on_disk):
    server = on_disk
    corpus = server.upload(PAGES)["id"]
    deleted, run = (server.create(corpus=corpus, paused=True, **SMALL) for _ in range(2))
    for each in (deleted, run):
        server.post(each, "step", {"updates": 30})
    # So that deleting the database's log frees no space later.
    server.terminate()
    # The first steps of a deletion, as if its server had died then.
    directory = server.data_dir / "runs" / deleted["id"]
    directory.rename(directory.with_name(f".deleted-{deleted['id']}"))
    for path in (directory.with_name(f".deleted-{deleted['id']}")).iterdir():
        shutil.rmtree(path)
    for _ in range(2):
        # Enough space to start, and to open the database, but not to delete from it.
        ballast = fill(disk)
        os.truncate(ballast, ballast.stat().st_size - PROBE_BYTES)
        with RunningServer(server.data_dir, "--no-demo") as again:
            assert [each["id"] for each in again.client.get("/api/runs").json()] == [run["id"]]
            assert again.run(run)["update"] == 30
            assert list((server.data_dir / "runs").glob(".deleted-*"))
            again.terminate()
    ballast.unlink()
    with RunningServer(server.data_dir, "--no-demo") as again:
        assert [each["id"] for each in again.client.get("/api/runs").json()] == [run["id"]]
        assert list((server.data_dir / "runs").glob(".deleted-*")) == []
        again.post(run, "step", {"updates": 10})
        assert_equals_reference(again, run)


def test_a_file_size_limit_is_answered_as_a_full_disk(tmp_path):
    """The limit applies to the database's log and to checkpoints."""
    limits = {"RLIMIT_FSIZE": 1_500_000}
    with RunningServer(tmp_path / "data", "--no-demo", limits=limits) as server:
        corpus = server.upload(PAGES)["id"]
        large = server.create(corpus=corpus, paused=True, hidden_size=500)
        server.post(large, "step", {"updates": 2})
        answer = server.client.post(f"/api/runs/{large['id']}/checkpoints")
        assert FULL in server.problem(answer, 507)["detail"]
        assert server.get(large, "checkpoints") == []
        assert server.client.get("/healthz").status_code == 200
        assert server.client.delete(f"/api/runs/{large['id']}").status_code == 204


def test_training_in_the_terminal_names_the_file_and_can_be_resumed(disk, tmp_path):
    book, out, whole = tmp_path / "book.txt", disk / "out", tmp_path / "whole"
    book.write_text(PAGES, encoding="utf-8")
    with started_command(
        *short_training(book, out, 10**8, "--checkpoint-every-s", 1),
        stderr=subprocess.PIPE,
    ) as process:
        until((out / "checkpoint.npz").exists)
        ballast = fill(disk)
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert re.fullmatch(rf"{out}/[a-z]+\.(csv|txt|npz): No space left on device\.\n", said), said
    ballast.unlink()
    end = read_meta(out / "checkpoint.npz")["trainer"]["updates"] + 50
    assert run_command(*short_training(book, out, end, "--resume")).returncode == 0
    assert run_command(*short_training(book, whole, end)).returncode == 0
    assert_same_training(whole, out)
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("what", ["runs/{run}/checkpoints", "hurrah.db-wal"])
def test_a_run_pauses_while_its_files_can_not_be_written(tmp_path, what):
    if shutil.which("chattr") is None:
        pytest.skip("there is no chattr here")
    with RunningServer(tmp_path / "data", "--no-demo") as server:
        corpus = server.upload(PAGES)["id"]
        run = server.create(corpus=corpus, pace=200, checkpoint_every_s=1, **SMALL)
        server.until(run, lambda now: now["update"] > 20)
        path = server.data_dir / what.format(run=run["id"])
        try:
            subprocess.run(["chattr", "+i", path], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"files cannot be made immutable here: {error.stderr}")
        try:
            paused_at = paused_for_disk(server, run, "cannot be written")
            answer = server.client.post(f"/api/runs/{run['id']}/checkpoints")
            assert "cannot be written" in server.problem(answer, 507)["detail"]
        finally:
            subprocess.run(["chattr", "-i", path], check=True)
        server.until(run, lambda now: now["update"] > paused_at["update"])
        assert_equals_reference(server, run)


def test_a_server_does_not_start_in_a_read_only_directory(tmp_path):
    directory = tmp_path / "data"
    directory.mkdir()
    if os.geteuid() == 0:
        with mounted(directory, "--bind", str(directory)):
            run("mount", "-o", "remount,ro,bind", str(directory))
            ended = serve_in(directory)
    else:
        directory.chmod(0o500)
        ended = serve_in(directory)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"Cannot use {directory}: ")
    assert ended.stderr.count("\n") == 1


def test_a_server_does_not_start_with_an_invalid_database(tmp_path):
    (tmp_path / "hurrah.db").write_bytes(b"no database" * 1_000)
    ended = serve_in(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"Cannot use {tmp_path / 'hurrah.db'}: file is not a database.\n"


def serve_in(directory):
    return run_command("serve", "--port", 0, "--data-dir", directory)


@pytest.mark.parametrize("lacks_room_for", ["the backup", "the journal"])
def test_a_full_disk_leaves_the_old_database(disk, lacks_room_for):
    data = disk / "data"
    data.mkdir()
    path = unpack(data)
    add_samples(path, 300)
    before, names = contents(path), set(files(data))
    # What a start writes before it opens the database, and the backup.
    room_bytes = PROBE_BYTES + (path.stat().st_size if lacks_room_for == "the journal" else 0)
    ballast = fill(disk)
    os.truncate(ballast, ballast.stat().st_size - room_bytes)
    ended = serve_in(data)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        f"{path} cannot be migrated from version 0 to {VERSION} and is unchanged:"
        " There is no space left on the disk."
    )
    assert contents(path) == before
    backup = {backup_path(path, 0).relative_to(data)} if lacks_room_for == "the journal" else set()
    assert set(files(data)) == names | backup
    ballast.unlink()
    with RunningServer(data, "--no-demo") as server:
        assert len(server.client.get("/api/runs").json()) == len(EXPECTED["runs"])
    assert contents(backup_path(path, 0)) == before
