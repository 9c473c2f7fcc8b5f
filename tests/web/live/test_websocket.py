"""The WebSocket: a snapshot, then every message exactly once."""

import contextlib
import json
import socket
import time
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from server.rnn.metrics import MEASURED_EVERY
from tests.serving import LIMIT_S, PAGES

WAYS = ("mean", "low", "high")
SMALL = {"hidden_size": 10, "sample_length": 20}


class Viewer:
    """A viewer that stores all messages."""

    def __init__(self, server, run, since=None, **options):
        query = "" if since is None else f"?since={since}"
        address = f"{server.ws_url}/ws/runs/{run['id']}{query}"
        self._connection = connect(address, max_size=None, **options)
        self.run = run["id"]
        self.messages = []

    def next(self):
        message = json.loads(self.socket.recv(timeout=LIMIT_S))
        assert message["run"] == self.run
        if self.messages:
            assert message["seq"] > self.messages[-1]["seq"]
        self.messages.append(message)
        return message

    def read_until(self, condition):
        while not condition(self.next()):
            pass
        return self.messages[-1]

    def of(self, kind):
        return [message for message in self.messages if message["type"] == kind]

    def __enter__(self):
        self.socket = self._connection.__enter__()
        return self

    def __exit__(self, *exception):
        self._connection.__exit__(*exception)


def entered(state):
    return lambda message: message["type"] == "state" and message["run_state"]["state"] == state


def points_of(curve):
    return list(zip(curve["update"], curve["smooth"], curve["low"], curve["high"], strict=True))


def curve_of(viewer):
    """Return the joined curve of all progress, some of which may be coalesced."""
    return [point for message in viewer.of("progress") for point in points_of(message["curve"])]


def check_curve(server, viewer):
    """Compare the joined curves that a viewer got with the loss of every update."""
    snapshot = viewer.of("snapshot")[-1]
    after = [message for message in viewer.messages if message["seq"] > snapshot["seq"]]
    parts = [snapshot["loss"], *(m["curve"] for m in after if m["type"] == "progress")]
    curve = [point for part in parts for point in points_of(part)]
    rows = server.losses_csv({"id": viewer.run}).decode().splitlines()[1:]
    losses, smooth = zip(*(map(float, row.split(",")[3:]) for row in rows), strict=True)
    assert curve[-1][0] == len(losses)
    before = 0
    for update, smooth_loss, low, high in curve:
        assert update > before
        inside = losses[before:update]
        assert (smooth_loss, low, high) == (smooth[update - 1], min(inside), max(inside))
        before = update
    check_metrics(server, viewer, snapshot, after)


def check_metrics(server, viewer, snapshot, after):
    """Compare the joined metrics with the value of every measured update."""
    exact = server.get({"id": viewer.run}, "metrics", points=5_000)
    assert exact["update"] == list(range(MEASURED_EVERY, exact["to"] + 1, MEASURED_EVERY))
    assert exact["metrics"]
    for name, each in exact["metrics"].items():
        values = dict(zip(exact["update"], each["mean"], strict=True))
        parts = [snapshot["metrics"], *(m["metrics"] for m in after if m["type"] == "progress")]
        points = [
            point
            for part in parts
            if name in part["metrics"]
            for point in zip(
                part["update"], *(part["metrics"][name][way] for way in WAYS), strict=True
            )
        ]
        assert points[-1][0] == exact["update"][-1]
        before = 0
        for update, mean, low, high in points:
            inside = [
                values[at] for at in range(before + MEASURED_EVERY, update + 1, MEASURED_EVERY)
            ]
            assert (low, high) == (min(inside), max(inside))
            assert mean == pytest.approx(sum(inside) / len(inside))
            before = update


@pytest.fixture(scope="module")
def corpus(server):
    return server.upload(PAGES)["id"]


@pytest.fixture(autouse=True)
def _no_runs_left(request):
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").delete_runs()


def test_a_snapshot_comes_first_and_is_complete(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 200})
    server.post(run, "checkpoints", {"note": "a word"})
    kept = {what: server.get(run, what) for what in ("samples", "milestones", "checkpoints")}
    with Viewer(server, run) as viewer:
        snapshot = viewer.next()
        assert snapshot["type"] == "snapshot"
        assert snapshot["run_state"] == server.run(run)
        assert snapshot["loss"] == server.get(run, "loss")
        for what, things in kept.items():
            assert snapshot[what] == things != []
        assert snapshot["viewers"] == 1
        assert isinstance(snapshot["seq"], int)


def test_no_message_is_missing_or_repeated(server, corpus):
    run = server.create(
        corpus=corpus, paused=True, pace=150, sample_every=40, max_updates=300, **SMALL
    )
    server.post(run, "step", {"updates": 50})
    with Viewer(server, run) as viewer:
        viewer.next()
        server.post(run, "resume")
        server.post(run, "checkpoints", {"note": "on the way"})
        server.client.patch(f"/api/runs/{run['id']}", json={"name": "Renamed"})
        viewer.read_until(entered("finished"))
        viewer.read_until(lambda m: m["type"] == "checkpoint" and m["checkpoint"]["update"] == 300)
        # The last samples may be measured after the run has finished.
        server.get(run, "samples")
        server.client.patch(f"/api/runs/{run['id']}", json={"name": "Again"})
        viewer.read_until(lambda m: m["type"] == "state" and m["run_state"]["name"] == "Again")
        snapshot = viewer.of("snapshot")[0]
        check_curve(server, viewer)
        for kind in ("sample", "milestone", "checkpoint"):
            received = [*snapshot[f"{kind}s"], *(m[kind] for m in viewer.of(kind))]
            kept = server.get(run, f"{kind}s")
            if kind == "checkpoint":  # Automatic ones give way to newer ones.
                received = [made for made in received if made in kept]
            assert sorted(received, key=str) == sorted(kept, key=str)
        states = [m["run_state"]["state"] for m in viewer.of("state")]
        assert states[0] == "running"
        assert "finished" in states
        assert {"Renamed", "Again"} <= {m["run_state"]["name"] for m in viewer.of("state")}
        for message in viewer.of("progress"):
            assert {"update", "epoch", "position", "loss", "smooth_loss", "best"} <= set(message)
            assert {"updates_per_second", "curve"} <= set(message)
            assert set(message["curve"]) == {"update", "seconds", "smooth", "low", "high"}


def test_every_message_has_its_time(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    began_s = time.time()
    with Viewer(server, run) as viewer:
        viewer.next()
        server.post(run, "step", {"updates": 20})
        server.client.patch(f"/api/runs/{run['id']}", json={"name": "Renamed"})
        viewer.read_until(lambda m: m["type"] == "state" and m["run_state"]["name"] == "Renamed")
    sent_at = [message["sent_at"] for message in viewer.messages]
    assert sent_at == sorted(sent_at)
    # Times are rounded to milliseconds.
    assert began_s - 0.001 <= sent_at[0] <= sent_at[-1] <= time.time() + 0.001
    happened = [(m["happened_at"], m["sent_at"]) for m in viewer.of("progress")]
    assert happened
    assert all(began_s - 0.001 <= made <= received for made, received in happened)


def test_progress_at_full_speed_keeps_every_extreme(server):
    run = server.create(hidden_size=4, sequence_length=4, max_updates=4_000, paused=True)
    with Viewer(server, run) as viewer:
        viewer.next()
        server.post(run, "resume")
        viewer.read_until(entered("finished"))
        check_curve(server, viewer)


def too_soon(viewer):
    """Return how many progress messages were made much less than 1/20 s after the one before.

    The worker makes them at that interval, and notes the time a little later. If it stalls in
    between, the next one seems to be too soon.
    """
    made_at = [message["happened_at"] for message in viewer.of("progress")]
    return sum(later - earlier < 0.03 for earlier, later in pairwise(made_at))


# tests/worker/test_reporter.py has exact times.
@pytest.mark.parametrize("pace", ["max", 30, 2])
def test_progress_comes_at_most_twenty_times_a_second(server, corpus, pace):
    run = server.create(corpus=corpus, pace=pace, max_updates=None, **SMALL)
    with Viewer(server, run) as viewer:
        viewer.read_until(lambda _: len(viewer.of("progress")) >= 21)
    assert too_soon(viewer) <= 4
    if pace == 2:
        updates = {message["update"] for message in viewer.of("progress")}
        assert len(updates) < 20, "it shows that it goes on between two updates"


def test_passages_do_not_increase_the_progress_rate(server, corpus):
    run = server.create(corpus=corpus, pace=200, max_updates=None, **SMALL)
    with Viewer(server, run, max_queue=None) as viewer:
        viewer.read_until(lambda m: m["type"] == "progress")
        for _ in range(40):
            server.post(run, "passages", {"source": "latest", "length": 1})
        server.post(run, "pause")
        viewer.read_until(entered("paused"))
    # A message for each passage would be too soon after, or before, one of the others.
    assert too_soon(viewer) <= 10


def narrow(server):
    """Connect with small buffers, so that the server soon has to wait."""
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    ours.settimeout(LIMIT_S)
    ours.connect(("127.0.0.1", server.port))
    return ours


def test_a_slow_viewer_gets_fewer_messages_and_misses_nothing(serve):
    server = serve("--no-demo", HURRAH_VIEWER_TIMEOUT_S=str(LIMIT_S))
    corpus = server.upload(PAGES)["id"]
    often = {"sample_length": 2_000, "sample_every": 20, "pace": 200}
    run = server.create(corpus=corpus, paused=True, **SMALL | often)
    with (
        Viewer(server, run) as quick,
        Viewer(server, run, max_queue=1, ping_interval=None, sock=narrow(server)) as slow,
    ):
        for viewer in (quick, slow):
            viewer.next()
        server.post(run, "resume")

        def skipped():
            """Return the messages that only the quick viewer got."""
            got = {message["seq"] for message in slow.messages}
            first, last = min(got), max(got)
            sent = (message["seq"] for message in quick.of("progress"))
            return [seq for seq in sent if first < seq < last and seq not in got]

        while not skipped():
            quick.next()
            # Never so far behind that its cursor is evicted.
            if quick.messages[-1]["seq"] - slow.messages[-1]["seq"] > 200:
                slow.next()
        server.post(run, "pause")
        for viewer in (quick, slow):
            viewer.read_until(entered("paused"))
            assert viewer.of("resync") == []
        server.get(run, "samples")
        server.client.patch(f"/api/runs/{run['id']}", json={"name": "All is sent"})
        for viewer in (quick, slow):
            viewer.read_until(
                lambda m: m["type"] == "state" and m["run_state"]["name"] == "All is sent"
            )
        check_curve(server, slow)
        assert skipped()
        for kind in ("sample", "milestone", "checkpoint", "state"):
            assert [m for m in quick.of(kind) if m["seq"] > slow.messages[0]["seq"]] == slow.of(
                kind
            )


def test_a_viewer_without_pongs_gets_everything(server, corpus):
    run = server.create(corpus=corpus, pace=200, max_updates=None, **SMALL)
    with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as there:
        lines = [
            f"GET /ws/runs/{run['id']} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        there.sendall("\r\n".join([*lines, "", ""]).encode())
        heard = b""
        while heard.count(b'"type":"progress"') < 40:
            heard += there.recv(65_536)


def test_since_continues_without_a_gap(server, corpus):
    run = server.create(corpus=corpus, pace=200, max_updates=None, **SMALL)
    with Viewer(server, run) as first:
        first.read_until(lambda _: len(first.of("progress")) >= 3)
    seen = first.messages[-1]
    server.until(run, lambda now: now["update"] > seen["update"] + 50)
    with Viewer(server, run, since=seen["seq"]) as second:
        server.post(run, "pause")
        second.read_until(entered("paused"))
    assert second.of("snapshot") == []
    assert second.messages[0]["seq"] == seen["seq"] + 1
    first.messages += second.messages
    # Of a viewer that lags, progress is coalesced, with the number of the last.
    check_curve(server, first)
    received = [*first.messages[0]["samples"], *(m["sample"] for m in first.of("sample"))]
    # The last ones may be measured later.
    assert received == server.get(run, "samples")[: len(received)]


def test_an_old_or_strange_since_gets_a_snapshot(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    with Viewer(server, run) as viewer:
        now = viewer.next()["seq"]
    for since in (0, 1, -5, now - 10_000, now + 10_000, 2**62):
        with Viewer(server, run, since=since) as viewer:
            assert viewer.next()["type"] == "snapshot"


def test_an_evicted_since_gets_a_snapshot(server, corpus):
    spec = SMALL | {"sample_length": 1, "sample_every": 1}
    run = server.create(corpus=corpus, paused=True, **spec)
    with Viewer(server, run) as viewer:
        old = viewer.next()["seq"]
    # Each update makes a sample, and each sample a message.
    server.post(run, "step", {"updates": 600})
    assert len(server.get(run, "samples")) == 601
    with Viewer(server, run, since=old) as viewer:
        now = viewer.next()
        assert now["type"] == "snapshot"
        assert len(now["samples"]) == 601
    with Viewer(server, run, since=now["seq"] - 20) as viewer:
        assert viewer.next()["seq"] == now["seq"] - 19
        viewer.read_until(lambda m: m["seq"] >= now["seq"])
        assert viewer.of("snapshot") == []
        assert viewer.of("sample")


def test_an_unknown_run_is_closed_with_4404(server):
    with Viewer(server, {"id": "nobody"}) as viewer, pytest.raises(ConnectionClosed) as closed:
        viewer.next()
    assert closed.value.rcvd.code == 4404


def test_a_deleted_run_is_closed_with_4404(server, corpus):
    run = server.create(corpus=corpus, pace=200, max_updates=None, **SMALL)
    with Viewer(server, run) as viewer:
        viewer.next()
        server.client.delete(f"/api/runs/{run['id']}")
        with pytest.raises(ConnectionClosed) as closed:
            viewer.read_until(lambda _: False)
    assert closed.value.rcvd.code == 4404


def test_all_viewers_get_the_same_and_are_counted(server, corpus):
    run = server.create(corpus=corpus, paused=True, pace=100, max_updates=50, **SMALL)
    with contextlib.ExitStack() as stack:
        viewers = []
        for count in (1, 2, 3):
            viewers.append(stack.enter_context(Viewer(server, run)))
            assert viewers[-1].next()["viewers"] == count
        viewers[0].read_until(lambda m: m["type"] == "viewers" and m["viewers"] == 3)
        server.post(run, "resume")
        for viewer in viewers:
            viewer.read_until(entered("finished"))
        # The messages of each from when the last one joined to the end of the run.
        joined, last = viewers[2].messages[0]["seq"], viewers[0].messages[-1]["seq"]
        for viewer in viewers:
            viewer.messages = [m for m in viewer.messages if joined < m["seq"] <= last]
            assert curve_of(viewer) == curve_of(viewers[0]) != []
            others = [
                [m for m in each.messages if m["type"] != "progress"]
                for each in (viewer, viewers[0])
            ]
            assert others[0] == others[1] != []
        viewers[2].socket.close()
        viewers[0].read_until(lambda m: m["type"] == "viewers" and m["viewers"] == 2)


def test_messages_from_a_viewer_have_no_effect(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    with Viewer(server, run) as viewer:
        viewer.next()
        for frame in ['{"type": "resume"}', "x" * 60_000, b"\x00\xff", ""]:
            viewer.socket.send(frame)
        viewer.socket.ping().wait(LIMIT_S)
        server.client.patch(f"/api/runs/{run['id']}", json={"name": "Still here"})
        viewer.read_until(lambda m: m["type"] == "state")
    assert server.run(run)["state"] == "paused"


def test_going_back_to_a_checkpoint_sends_a_resync(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(run, "step", {"updates": 100})
    with Viewer(server, run) as viewer:
        viewer.next()
        server.post(run, "stop")
        server.post(run, "resume")
        resync = viewer.read_until(lambda m: m["type"] == "resync")
        assert viewer.next()["type"] == "snapshot"
        server.post(run, "pause")
        viewer.read_until(entered("paused"))
        check_curve(server, viewer)
    # A viewer that disconnects between the two has not got the snapshot yet.
    with Viewer(server, run, since=resync["seq"]) as viewer:
        assert viewer.next()["type"] == "snapshot"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_other_origins_are_refused_before_acceptance(server, corpus, origin):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    with pytest.raises(InvalidStatus) as refused, Viewer(server, run, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_other_hosts_are_refused_before_acceptance(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    with (
        socket.create_connection(("127.0.0.1", server.port)) as there,
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://evil.example/ws/runs/{run['id']}", sock=there),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_the_page_itself_is_accepted(server, corpus):
    run = server.create(corpus=corpus, paused=True, **SMALL)
    with Viewer(server, run, origin=server.url) as viewer:
        assert viewer.next()["type"] == "snapshot"
