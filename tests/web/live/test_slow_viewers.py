"""Viewers that do not read are disconnected, and do not affect others."""

import contextlib
import json
import shutil
import socket
import subprocess

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES, RunningServer, until
from tests.slow_proxy import SlowProxy

# A viewer that stalls for longer is disconnected, also one that a test expects to stay.
TIMEOUT_S = 4.0
# Long samples, quickly written: a snapshot of a few exceeds the socket buffers.
FACES = "".join(chr(0x1F600 + number % 7) for number in range(300))
LARGE = {"hidden_size": 1, "sequence_length": 5, "sample_length": 20_000, "sample_every": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data directory with a paused run of 30 updates, and the run."""
    data_dir = tmp_path_factory.mktemp("trained")
    with RunningServer(data_dir, "--no-demo") as server:
        corpus = server.upload(FACES)["id"]
        spec = LARGE | {"sample_length": 5_000, "max_updates": None}
        run = server.create(corpus=corpus, paused=True, watch_words=[], **spec)
        server.post(run, "step", {"updates": 30})
        assert len(server.get(run, "samples")) == 31
    return data_dir, run


@pytest.fixture(scope="module")
def server(trained, tmp_path_factory):
    with serve_copy(trained, tmp_path_factory.mktemp("served"), timeout_s=TIMEOUT_S) as running:
        yield running


@pytest.fixture
def run(server, trained):
    run = server.run(trained[1])
    assert run["state"] == "paused"
    return run


def serve_copy(trained, directory, *, timeout_s):
    data_dir = shutil.copytree(trained[0], directory / "data")
    return RunningServer(data_dir, "--no-demo", HURRAH_VIEWER_TIMEOUT_S=str(timeout_s))


@contextlib.contextmanager
def never_reads(server, run):
    """A viewer that is accepted, has a small receive buffer, and never reads."""
    with socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        there.settimeout(LIMIT_S)
        there.connect(("127.0.0.1", server.port))
        lines = [
            f"GET /ws/runs/{run['id']} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        there.sendall("\r\n".join([*lines, "", ""]).encode())
        assert there.recv(12) == b"HTTP/1.1 101"
        yield there


def watch(server, run, **options):
    return connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None, **options)


def read(viewer):
    return json.loads(viewer.recv(timeout=LIMIT_S))


def others_there(server, run):
    """Return the number of other viewers, as a new viewer gets it."""
    with watch(server, run) as viewer:
        return read(viewer)["viewers"] - 1


def viewers_left(server, run):
    """Return the number of viewers, at most a second ago: a snapshot over HTTP is a cached one."""
    [snapshot] = server.client.get(f"/api/runs/{run['id']}/messages").json()
    return snapshot["viewers"]


def read_until_closed(there):
    """Read until the server closes the connection; a timeout is an error."""
    with contextlib.suppress(ConnectionResetError):
        while there.recv(65_536):
            pass


def memory_bytes(server):
    listing = ["ps", "-o", "rss=", "-p", str(server.process.pid)]
    return int(subprocess.run(listing, capture_output=True, text=True, check=True).stdout) * 1024


def test_a_viewer_that_never_reads_is_disconnected_alone(server, run):
    # Its thread reads even while the test does not.
    with watch(server, run, max_queue=None) as reader:
        snapshot = read(reader)
        assert (snapshot["type"], snapshot["viewers"]) == ("snapshot", 1)
        assert snapshot["samples"][-1]["update"] == 30
        with never_reads(server, run) as there:
            until(lambda: viewers_left(server, run) == 1)
            read_until_closed(there)
        server.post(run, "step", {"updates": 3})
        updates = []
        while len(updates) < 3:
            if (message := read(reader))["type"] == "sample":
                updates.append(message["sample"]["update"])
        assert updates == [31, 32, 33]


def test_a_viewer_that_never_reads_delays_nobody(server, run):
    with (
        never_reads(server, run),
        never_reads(server, run),
        watch(server, run, max_queue=None) as reader,
    ):
        assert read(reader)["type"] == "snapshot"
        server.client.patch(f"/api/runs/{run['id']}", json={"sample_every": 100_000})
        server.post(run, "resume")
        server.until(run, lambda now: now["update"] > 1_000)
        assert server.client.get("/healthz").status_code == 200
        assert server.post(run, "pause")["state"] == "paused"
        while (message := read(reader))["type"] != "progress":
            pass
        assert message["update"] > 33
        until(lambda: viewers_left(server, run) == 1)


def test_a_viewer_that_stops_reading_is_disconnected_early(server):
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, hidden_size=4, max_updates=None, sample_length=20)
    with watch(server, run, max_queue=1) as viewer:
        # Its first pongs show that it answers pings.
        messages = [read(viewer) for _ in range(20)]
        until(lambda: viewers_left(server, run) == 0)
        with contextlib.suppress(ConnectionClosed):
            while len(messages) < 500:
                messages.append(read(viewer))
        assert viewer.close_code == 4408
    server.client.delete(f"/api/runs/{run['id']}")


def test_viewers_that_never_read_take_no_memory(trained, tmp_path):
    with (
        serve_copy(trained, tmp_path, timeout_s=LIMIT_S) as server,
        contextlib.ExitStack() as stack,
    ):
        run = server.run(trained[1])
        for _ in range(3):  # What the first ones leave behind is there to be used again.
            with watch(server, run) as viewer:
                snapshot_bytes = len(viewer.recv(timeout=LIMIT_S).encode())
        before = memory_bytes(server)
        for _ in range(30):
            stack.enter_context(never_reads(server, run))
        until(lambda: others_there(server, run) == 30)
        # All of them share one snapshot.
        assert memory_bytes(server) - before < 30 * snapshot_bytes / 10


def test_a_slow_viewer_that_reads_gets_everything(tmp_path):
    # Within the timeout the viewer reads a part of the buffers, and less than a third of the
    # snapshot.
    bytes_per_s = 16_000
    with RunningServer(tmp_path, "--no-demo", HURRAH_VIEWER_TIMEOUT_S=str(TIMEOUT_S)) as server:
        corpus = server.upload(FACES)["id"]
        run = server.create(corpus=corpus, paused=True, watch_words=[], **LARGE)
        server.post(run, "step", {"updates": 1})
        assert len(server.get(run, "samples")) == 2
        with (
            SlowProxy(server.port, bytes_per_s=bytes_per_s) as line,
            connect(
                f"ws://127.0.0.1:{line.port}/ws/runs/{run['id']}", max_size=None, ping_interval=0.1
            ) as viewer,
        ):
            snapshot = read(viewer)
            assert (
                len(json.dumps(snapshot, ensure_ascii=False).encode()) > 3 * TIMEOUT_S * bytes_per_s
            )
            server.client.patch(f"/api/runs/{run['id']}", json={"name": "All is sent"})
            while (message := read(viewer))["type"] != "state":
                pass
            assert message["run_state"]["name"] == "All is sent"
