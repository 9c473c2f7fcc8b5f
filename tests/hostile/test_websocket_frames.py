"""WebSocket frames that are malformed, too large, too many, or incomplete."""

import contextlib
import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.hostile import raw
from tests.hostile.process_usage import files_without_connections, open_files, resident_bytes
from tests.serving import LIMIT_S, until

LARGEST_BYTES = 65_536
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


@pytest.fixture(scope="module")
def run(server):
    run = server.create(hidden_size=5, sample_length=10, paused=True)
    # Then all processes have been started.
    assert server.get(run, "samples")
    yield run
    server.delete_runs()


def viewers(server, run):
    """Return the number of viewers, including the one that asks."""
    with connect(f"{server.ws_url}/ws/runs/{run['id']}") as viewer:
        return json.loads(viewer.recv(LIMIT_S))["viewers"]


WRONG = {
    "a text that is none": (raw.frame(TEXT, b"\xff\xfe\xfd"), 1007),
    "half a character": (raw.frame(TEXT, b"\xe2\x82"), 1007),
    "an unknown opcode": (raw.frame(3, b"x"), 1002),
    "an unknown control opcode": (raw.frame(11, b"x"), 1002),
    "reserved bits": (raw.frame(TEXT, b"x", reserved=4), 1002),
    "no mask": (raw.frame(TEXT, b"x", masked=False), 1002),
    "a continuation of nothing": (raw.frame(CONT, b"x"), 1002),
    "a message within a message": (raw.frame(TEXT, b"x", fin=False) + raw.frame(TEXT, b"y"), 1002),
    "a control frame in pieces": (raw.frame(PING, b"x", fin=False), 1002),
    "a control frame that is too long": (raw.frame(PING, b"x" * 126), 1002),
    "a close of one byte": (raw.frame(CLOSE, b"x"), 1002),
    "a close with a wrong code": (raw.frame(CLOSE, b"\x00\x01"), 1002),
    "a close whose reason is no text": (raw.frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "too large": (raw.frame(BINARY, bytes(LARGEST_BYTES + 1)), 1009),
    "said to be immense": (raw.frame(BINARY, b"", length=2**62), 1009),
    "a negative length": (raw.frame(BINARY, b"", length=2**63), 1009),
    "pieces that are too large together": (
        raw.frame(TEXT, b"x" * LARGEST_BYTES, fin=False) + raw.frame(CONT, b"x"),
        1009,
    ),
    "bytes of no kind": (bytes(range(256)), 1002),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1002),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_malformed_frame_closes_only_its_connection(server, run, what):
    content, code = WRONG[what]
    with raw.open_websocket(server, run) as bystander, raw.open_websocket(server, run) as viewer:
        viewer.sendall(content)
        assert raw.close_code(viewer) == code
        assert raw.is_open(bystander)
    assert server.run(run)["state"] == "paused"


def test_unfinished_handshakes_and_frames_leave_nothing(server, run):
    before = files_without_connections(server)
    unfinished = [
        raw.frame(TEXT, b"x", fin=False),
        raw.frame(BINARY, b"xx", length=60_000),
        raw.frame(TEXT, b"x")[:3],
        b"\x81",
        b"",
    ]
    with contextlib.ExitStack() as held:
        for content in unfinished * 4:
            held.enter_context(raw.open_websocket(server, run)).sendall(content)
        assert viewers(server, run) == 4 * len(unfinished) + 1
    until(lambda: viewers(server, run) == 1)
    until(lambda: open_files(server.process.pid) <= before)


@pytest.mark.parametrize(
    "frame",
    [raw.frame(TEXT, b"hello"), raw.frame(BINARY, bytes(60_000))],
    ids=["text", "bytes"],
)
def test_a_viewer_that_sends_too_much_is_disconnected(server, run, frame):
    with raw.open_websocket(server, run) as viewer:
        for _ in range(50):
            viewer.sendall(frame)
        assert raw.is_open(viewer), "a word now and then does no harm"
        with contextlib.suppress(OSError):
            for _ in range(50):
                viewer.sendall(frame)
        assert raw.close_code(viewer) in {1008, None}


def test_unread_pongs_fill_no_memory(server, run):
    pings = raw.frame(PING, b"x" * 125) * 1_000
    before = resident_bytes(server.process.pid)
    with raw.open_websocket(server, run) as viewer, contextlib.suppress(OSError):
        for _ in range(1_000):
            viewer.sendall(pings)
        pytest.fail("it was not cut off")
    assert resident_bytes(server.process.pid) - before < 30_000_000


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Sec-WebSocket-Version: 99"], 400),
        (["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1"], 101),
        (["Sec-WebSocket-Protocol: a, b, \x01"], 400),
        (["X: " + "x" * 20_000], 400),
        ([f"X-{number}: x" for number in range(500)], 400),
        (["Content-Length: 5"], 400),
        (["Transfer-Encoding: chunked"], 400),
    ],
)
def test_a_wrong_handshake_is_refused_or_ignored(server, run, lines, status):
    with raw.connect(server) as connection:
        connection.sendall(raw.upgrade(server, f"/ws/runs/{run['id']}", *lines))
        got = connection.recv(65_536)
        assert raw.statuses(got)[:1] == [status], got
        if status == 101:
            assert raw.is_open(connection)
        else:
            assert b"application/problem+json" in got
            raw.until_closed(connection)


@pytest.mark.parametrize(
    "path",
    ["/ws/runs/", "/ws/runs/x/y", "/ws", "/", "/api/runs", "/static/x", "/static/js/watch.js"],
)
def test_a_websocket_at_an_unknown_address_is_refused(server, path):
    raw.assert_problem(404, raw.ask(server, raw.upgrade(server, path)), "nothing at this address")


@pytest.mark.parametrize("lines", [["Sec-WebSocket-Version: 8"], [f"Sec-WebSocket-Key: {raw.KEY}"]])
def test_an_invalid_handshake_gets_a_problem_response(server, run, lines):
    # A repeated header makes the handshake invalid.
    got = raw.ask(server, raw.upgrade(server, f"/ws/runs/{run['id']}", *lines))
    raw.assert_problem(400, got, "The WebSocket handshake is invalid")
    assert got[1]["sec-websocket-version"] == "13"


def test_disconnecting_before_acceptance_is_not_logged(server, run):
    for _ in range(30):
        with raw.connect(server) as connection:
            connection.sendall(raw.upgrade(server, f"/ws/runs/{run['id']}"))
            # Closed before the server has read it, and without a close frame.
            raw.reset(connection)
    assert server.client.get("/healthz").status_code == 200


def test_any_since_is_accepted(server, run):
    for since in ("-1", "0", "9" * 30, "-" + "9" * 30, "9" * 5_000, "x", "", "1.5", "%00"):
        with connect(f"{server.ws_url}/ws/runs/{run['id']}?since={since}") as viewer:
            assert json.loads(viewer.recv(LIMIT_S))["type"] == "snapshot"


def test_viewers_are_limited(narrow):
    run = narrow.create(hidden_size=5, sample_length=10, paused=True)
    address = f"{narrow.ws_url}/ws/runs/{run['id']}"
    with contextlib.ExitStack() as held:
        first, *_ = [held.enter_context(connect(address)) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refused:
            connect(address)
        answer = refused.value.response
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "15"
        assert json.loads(answer.body)["detail"] == "The limit is 3 viewers at once."
        first.close()
        until(lambda: connects(address))


def connects(address):
    try:
        with connect(address):
            return True
    except InvalidStatus:
        return False
