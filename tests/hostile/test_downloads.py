"""Many concurrent downloads of checkpoints by clients that read slowly or not at all."""

import contextlib
import signal
import socket

import pytest

from server.files.storage_quota import bytes_below
from server.runs.downloads import AT_ONCE
from server.settings import Settings
from tests.hostile import raw
from tests.hostile.process_usage import files_without_connections, open_files, steady
from tests.serving import LIMIT_S, RunningServer, until

TOKEN = "a token for tests"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
# A checkpoint of it is larger than the system's buffers for a client that does not read.
LARGE = {"hidden_size": 900, "sequence_length": 2, "sample_length": 1, "checkpoint_every_s": 80_000}


@contextlib.contextmanager
def serving(directory, *, files=None, **limits):
    """Serve with a limit of open files; the log may have events of runs only."""
    # Clients that do not read are not disconnected, however slow the machine is.
    limits = {"REQUEST_TIMEOUT_S": 300} | limits
    environment = {f"HURRAH_{name}": str(value) for name, value in limits.items()}
    log = directory / "log"
    with (
        log.open("w") as errors,
        RunningServer(
            directory / "data",
            "--no-demo",
            stderr=errors,
            limits=None if files is None else {"RLIMIT_NOFILE": files},
            HURRAH_OPERATOR_TOKEN=TOKEN,
            **environment,
        ) as server,
    ):
        # This client is the operator's; `raw` connections are viewers'.
        server.operator, server.log = server.client, log
        server.client.headers.update(OPERATOR)
        yield server
    assert server.process.returncode in {0, -signal.SIGKILL}
    assert not faults(log)


def faults(log):
    """Return the lines of a log that are not events."""
    return [line for line in log.read_text().splitlines() if " INFO: " not in line]


def ask_for(server, run, which="latest"):
    """Request a file as a viewer and read nothing, so that the download stays active."""
    connection = socket.socket()
    # A small receive buffer.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    connection.settimeout(LIMIT_S)
    connection.connect(("127.0.0.1", server.port))
    path = f"/api/runs/{run['id']}/checkpoints/{which}/file"
    connection.sendall(raw.head(server, f"GET {path} HTTP/1.1", "Connection: close"))
    return connection


def begun(connections):
    """Return the connections that have received something."""
    found = []
    for connection in connections:
        connection.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            if connection.recv(12, socket.MSG_PEEK):
                found.append(connection)
        connection.settimeout(LIMIT_S)
    return found


def whole(connection):
    """Read a response to its end; return the length of its body."""
    got = raw.until_closed(connection)
    assert raw.statuses(got) == [200]
    top, _, body = got.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in top
    return len(body)


def kept(server):
    """Return the names of all checkpoint files, including hidden ones, and their total size."""
    paths = [*(server.data_dir / "runs").rglob("checkpoints/*")]
    return sorted(path.name for path in paths), sum(path.stat().st_size for path in paths)


def test_slow_downloads_fill_no_disk_and_block_no_run(tmp_path):
    with serving(tmp_path) as server:
        run = server.create(paused=True, **LARGE)
        size = server.post(run, "checkpoints")["bytes"]
        limit = bytes_below(server.data_dir) + 10 * size
    with (
        serving(tmp_path, MAX_STORED_BYTES=limit) as server,
        contextlib.ExitStack() as held,
    ):
        server.client.patch(f"/api/runs/{run['id']}", json={"pace": 20, "max_updates": None})
        server.post(run, "resume")
        server.until(run, lambda now: now["update"] > 0)
        before, before_bytes = kept(server)
        connections = []
        for _ in range(2 * AT_ONCE):
            connections.append(held.enter_context(ask_for(server, run)))
            at = server.run(run)["update"]
            server.until(run, lambda now, at=at: now["update"] > at)
        # Some downloads are active, and the others wait.
        until(lambda: len(begun(connections)) == AT_ONCE)
        assert steady(lambda: len(begun(connections))) == AT_ONCE
        until(lambda: kept(server) == (before, before_bytes))
        assert server.post(run, "checkpoints")["bytes"] >= size
        at = server.run(run)["update"]
        now = server.until(run, lambda now: now["update"] > at + 30)
        assert (now["state"], now["disk_full"], now["error"]) == ("running", False, None)
        # The operator has a queue of their own.
        _, meta = server.checkpoint_file(run, "latest")
        assert meta["trainer"]["updates"] >= at
        server.checkpoint_file(run, "best")
        server.post(run, "pause")
        # Waiting downloads start when others are complete or disconnected.
        sent = begun(connections)
        assert whole(sent[0]) >= size
        for connection in sent:
            connection.close()
        waiting = [connection for connection in connections if connection not in sent]
        until(lambda: len(begun(waiting)) == AT_ONCE)
        assert whole(waiting[0]) >= size
        # No file is left, even after a kill.
        server.kill()
        assert not [name for name in kept(server)[0] if name.startswith(".")]


def test_equal_downloads_share_one_file(tmp_path):
    with serving(tmp_path) as server, contextlib.ExitStack() as held:
        run = server.create(paused=True, **LARGE)
        made = server.post(run, "checkpoints")["id"]
        assert server.get(run, "samples")
        files = files_without_connections(server)
        connections = []
        for which in (made, "latest", "best"):
            connections += [held.enter_context(ask_for(server, run, which)) for _ in range(5)]
        until(lambda: len(begun(connections)) == 15)
        assert open_files(server.process.pid) <= files + 15 + 3
        lengths = [whole(connection) for connection in connections]
        assert len(set(lengths[:5])) == len(set(lengths[5:10])) == len(set(lengths[10:])) == 1
        until(lambda: open_files(server.process.pid) <= files)
        # One update later it is another file.
        slow = held.enter_context(ask_for(server, run))
        until(lambda: begun([slow]))
        server.post(run, "step", {"updates": 1})
        assert server.checkpoint_file(run, "latest")[1]["trainer"]["updates"] == 1
        # A changed spec makes it another file, too.
        slow = held.enter_context(ask_for(server, run))
        until(lambda: begun([slow]))
        server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.01})
        assert server.checkpoint_file(run, "latest")[1]["spec"]["learning_rate"] == 0.01
        # A deleted checkpoint is not found, although it is still being downloaded.
        other = server.post(run, "checkpoints")["id"]
        slow = held.enter_context(ask_for(server, run, made))
        until(lambda: begun([slow]))
        where = f"/api/runs/{run['id']}/checkpoints/{made}"
        assert server.client.delete(where).status_code == 204
        server.problem(server.client.get(f"{where}/file"), 404)
        assert whole(slow) == lengths[0]
        assert server.checkpoint_file(run, other)


def test_a_range_request_returns_a_part_of_the_file(tmp_path):
    with serving(tmp_path) as server:
        run = server.create(paused=True, hidden_size=10, sample_length=1)
        made = server.post(run, "checkpoints")["id"]
        path = f"/api/runs/{run['id']}/checkpoints/{made}/file"
        content = server.client.get(path).content
        part = server.client.get(path, headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, content[100:300])
        parts = server.client.get(path, headers={"Range": "bytes=0-9,500-509"})
        assert parts.status_code == 206
        assert content[:10] in parts.content
        assert content[500:510] in parts.content
        # A malformed range is refused in the shape of all errors.
        for wanted in ("bytes=x-y", "bytes=9-0", "bytes=", "lines=1-2", "bytes"):
            answer = server.client.get(path, headers={"Range": wanted})
            assert "Range header" in server.problem(answer, 400)["detail"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        answer = server.client.get(path, headers={"Range": f"bytes={len(content)}-"})
        assert f"{len(content):,} bytes" in server.problem(answer, 416)["detail"]
        assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_a_full_download_queue_refuses_requests(tmp_path):
    with (
        serving(tmp_path, MAX_WAITING_REQUESTS=AT_ONCE + 2) as server,
        contextlib.ExitStack() as held,
    ):
        run = server.create(paused=True, **LARGE)
        connections = [held.enter_context(ask_for(server, run)) for _ in range(AT_ONCE + 3)]
        # All but one are active or waiting.
        until(lambda: len(begun(connections)) == AT_ONCE + 1)
        answered = begun(connections)
        [refused] = [each for each in answered if b" 429" in each.recv(12, socket.MSG_PEEK)]
        _, headers, body = raw.read_response(refused)
        assert int(headers["retry-after"]) >= 1
        assert b"downloads of files are in progress" in body
        assert server.checkpoint_file(run, "latest")


@pytest.mark.parametrize("which", ["latest", "checkpoint"])
def test_slow_downloads_leave_file_descriptors_free(tmp_path, which):
    """If each download had a file of its own, they would exceed the limit of open files."""
    files = 512
    with serving(tmp_path, files=files) as server, contextlib.ExitStack() as held:
        run = server.create(paused=True, **LARGE)
        made = server.post(run, "checkpoints")["id"]
        which = made if which == "checkpoint" else which
        most = Settings().viewer_downloads_per_minute
        connections = [held.enter_context(ask_for(server, run, which)) for _ in range(most)]
        # The last connections are over the limit, and refused.
        until(lambda: len(begun(connections)) > AT_ONCE)
        assert steady(lambda: open_files(server.process.pid)) < files - 64
        assert server.post(run, "step", {"updates": 1})["update"] == 1
        assert server.post(run, "checkpoints")
        assert not faults(server.log)
        held.close()
        until(lambda: raw.ask(server, raw.head(server))[0] == 200)
