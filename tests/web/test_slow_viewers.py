"""Viewers that do not read: they cost nobody but themselves, and are let go."""

import contextlib
import json
import socket

import pytest
from websockets.sync.client import connect

from tests.serving import LIMIT_S, RunningServer

# Samples of 80 kB each, quickly written: a snapshot of them is more than a socket can hold.
FACES = "".join(chr(0x1F600 + number % 7) for number in range(300))
LARGE = {"hidden_size": 1, "sequence_length": 5, "sample_length": 20_000, "sample_every": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_VIEWER_PATIENCE_S="0.3") as running:
        yield running


@pytest.fixture
def run(server):
    run = server.create(
        corpus=server.upload(FACES)["id"], paused=True, max_updates=None, watch_words=[], **LARGE
    )
    server.post(run, "step", {"updates": 60})
    assert len(server.get(run, "samples")) == 61
    yield run
    server.client.delete(f"/api/runs/{run['id']}")


@contextlib.contextmanager
def never_reads(server, run):
    """A viewer who asks to be let in, and takes nothing from its small socket ever after."""
    with socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
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
        yield


def watch(server, run):
    return connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None)


def read(viewer):
    return json.loads(viewer.recv(timeout=LIMIT_S))


def until_viewers(viewer, count):
    while (message := read(viewer))["type"] != "viewers" or message["viewers"] != count:
        pass


def test_who_never_reads_is_let_go_and_the_others_see_all(server, run):
    with watch(server, run) as reader:
        snapshot = read(reader)
        assert (snapshot["type"], snapshot["viewers"]) == ("snapshot", 1)
        assert len(snapshot["samples"]) == 61
        with never_reads(server, run):
            until_viewers(reader, 2)
            # It is told something, does not take it, and is no more.
            server.client.patch(f"/api/runs/{run['id']}", json={"name": "Told"})
            until_viewers(reader, 1)
        server.post(run, "step", {"updates": 3})
        updates = []
        while len(updates) < 3:
            if (message := read(reader))["type"] == "sample":
                updates.append(message["sample"]["update"])
        assert updates == [61, 62, 63]


def test_who_never_reads_holds_up_neither_training_nor_anybody(server, run):
    with never_reads(server, run), never_reads(server, run), watch(server, run) as reader:
        assert read(reader)["type"] == "snapshot"
        server.client.patch(f"/api/runs/{run['id']}", json={"sample_every": 100_000})
        server.post(run, "resume")
        server.until(run, lambda now: now["update"] > 1_000)
        assert server.client.get("/healthz").status_code == 200
        assert server.post(run, "pause")["state"] == "paused"
        while (message := read(reader))["type"] != "progress":
            pass
        assert message["update"] > 60
        until_viewers(reader, 1)
