"""Slow clients, clients that do not read, connection limits, and malformed HTTP."""

import contextlib
import json
import select
import socket
import subprocess
import sys
import time

import pytest

from tests.hostile import raw
from tests.hostile.conftest import faultless
from tests.hostile.process_usage import files_without_connections, open_files
from tests.serving import LIMIT_S, ROOT, until

SMALL = {"hidden_size": 5, "sample_length": 10, "paused": True}
# The server's timeouts in these tests. A client waits for much longer, in case the machine is busy.
REQUEST_TIMEOUT_S, UPLOAD_TIMEOUT_S = 1.0, 1.5
MAX_WAIT_S = 50.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with short timeouts."""
    timeouts = {
        "HURRAH_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
        "HURRAH_UPLOAD_TIMEOUT_S": str(UPLOAD_TIMEOUT_S),
    }
    with faultless(tmp_path_factory.mktemp("timeouts"), **timeouts) as running:
        yield running


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A server that waits for a client that stalls."""
    with faultless(tmp_path_factory.mktemp("patient")) as running:
        yield running


def trickle(connection, content, every_s=0.1):
    """Send byte by byte until the server responds or closes; return the seconds until then."""
    began_s = time.monotonic()
    connection.settimeout(every_s)
    for place in range(len(content)):
        try:
            connection.sendall(content[place : place + 1])
            if connection.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    connection.settimeout(LIMIT_S)
    return time.monotonic() - began_s


# -- slow clients ---------------------------------------------------------------------------------


def test_a_connection_without_a_request_is_closed(server):
    with raw.connect(server) as connection:
        raw.assert_problem(408, raw.read_response(connection), f"within {REQUEST_TIMEOUT_S:g} s")
        assert raw.until_closed(connection) == b""


def test_a_slowly_sent_head_times_out(server):
    endless = raw.head(server, "GET /healthz HTTP/1.1", "X-Endless: " + "x" * 5_000)
    with raw.connect(server) as connection:
        assert trickle(connection, endless) < MAX_WAIT_S
        raw.assert_problem(408, raw.read_response(connection), f"within {REQUEST_TIMEOUT_S:g} s")
        assert raw.until_closed(connection) == b""


def test_a_slowly_sent_second_head_times_out(server):
    with raw.connect(server) as connection:
        connection.sendall(raw.head(server))
        assert raw.read_response(connection)[0] == 200
        endless = raw.head(server, "GET /healthz HTTP/1.1", "X-Endless: " + "x" * 5_000)
        assert trickle(connection, endless) < MAX_WAIT_S
        assert raw.read_response(connection)[0] == 408
        assert raw.until_closed(connection) == b""


@pytest.mark.parametrize("length", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_slowly_sent_body_times_out(server, length):
    before = server.client.get("/api/runs").json()
    start = raw.head(server, "POST /api/runs HTTP/1.1", "Content-Type: application/json", length)
    with raw.connect(server) as connection:
        connection.sendall(start)
        body = b"1\r\n{\r\n" * 1_000 if "chunked" in length else b"{" * 5_000
        assert trickle(connection, body) < MAX_WAIT_S
        raw.assert_problem(408, raw.read_response(connection), f"within {REQUEST_TIMEOUT_S:g} s")
        assert raw.until_closed(connection) == b""
    assert server.client.get("/api/runs").json() == before


def test_a_slowly_sent_upload_times_out(server):
    start = raw.head(
        server,
        "POST /api/corpora HTTP/1.1",
        *("Content-Type: multipart/form-data; boundary=b", "Content-Length: 100000"),
    )
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    with raw.connect(server) as connection:
        connection.sendall(start + part)
        assert trickle(connection, b"x" * 10_000) < MAX_WAIT_S
        raw.assert_problem(408, raw.read_response(connection), f"within {UPLOAD_TIMEOUT_S:g} s")
    assert len(server.client.get("/api/corpora").json()) == 1


def test_an_unread_body_times_out(server):
    start = raw.head(
        server,
        "POST /api/runs HTTP/1.1",
        *("Content-Type: application/json", "Content-Length: 5000", "Origin: http://evil.example"),
    )
    with raw.connect(server) as connection:
        connection.sendall(start)
        assert raw.read_response(connection)[0] == 403
        assert trickle(connection, b"x" * 4_000) < MAX_WAIT_S
        assert raw.until_closed(connection) == b""


def test_a_client_that_does_not_read_is_disconnected(server):
    before = files_without_connections(server)
    with socket.socket() as connection:
        # The receive buffer is as small as possible.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.settimeout(LIMIT_S)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(
            raw.head(server, "GET /static/vendor/plotly/plotly-basic.min.js HTTP/1.1")
        )
        # The server has begun to answer.
        assert connection.recv(1, socket.MSG_PEEK)
        until(lambda: open_files(server.process.pid) <= before)
        assert len(raw.until_closed(connection)) < 4_000_000


def test_a_closed_connection_is_not_aborted_again(tmp_path):
    # Longer than a busy machine stops the client from reading.
    timeout_s = 4.0
    with faultless(tmp_path, HURRAH_REQUEST_TIMEOUT_S=str(timeout_s)) as server:
        with socket.socket() as connection:
            # More than the kernel buffers hold, so that some is unread when everything is written.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            connection.settimeout(LIMIT_S)
            connection.connect(("127.0.0.1", server.port))
            start = "GET /static/vendor/plotly/plotly-basic.min.js HTTP/1.1"
            heads = [raw.head(server, start), raw.head(server, start, "Connection: close")]
            connection.sendall(5 * heads[0] + heads[1])
            assert raw.until_closed(connection).count(b"HTTP/1.1 200 OK") == 6
        # An error after the timeout would be in the log, which `faultless` checks.
        time.sleep(1.2 * timeout_s)
        assert server.client.get("/healthz").status_code == 200


def test_a_slow_client_costs_the_others_nothing(server):
    with contextlib.ExitStack() as held:
        for _ in range(100):
            connection = held.enter_context(raw.connect(server))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        for _ in range(20):
            assert server.client.get("/healthz").status_code == 200


def test_connections_are_limited(narrow):
    with contextlib.ExitStack() as held:
        while True:
            connection = held.enter_context(raw.connect(narrow))
            connection.sendall(b"GET")
            if select.select([connection], [], [], 0.05)[0]:
                break
        refused = raw.read_response(connection)
        raw.assert_problem(429, refused, "The limit is 20 connections")
        assert refused[1]["retry-after"] == "1"
        assert raw.until_closed(connection) == b""
        held.close()
        until(lambda: raw.ask(narrow, raw.head(narrow))[0] == 200)


def test_one_address_gets_at_most_half_of_the_connections(tmp_path):
    """The operator, at another address, can still connect."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: this only determines the machine's own address.
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback one")
        address = probe.getsockname()[0]
    environment = {"HURRAH_MAX_CONNECTIONS": "20", "HURRAH_HOST": "0.0.0.0"}
    with faultless(tmp_path, **environment) as server, contextlib.ExitStack() as held:
        while True:
            connection = socket.create_connection((address, server.port), timeout=LIMIT_S)
            held.enter_context(connection).sendall(b"GET")
            if select.select([connection], [], [], 0.05)[0]:
                break
        refused = raw.read_response(connection)
        raw.assert_problem(429, refused, "The limit is 10 connections from one address")
        assert raw.ask(server, raw.head(server))[0] == 200


# -- malformed HTTP -------------------------------------------------------------------------------

GIBBERISH = {
    "nothing": b"\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "bytes": bytes(range(256)) * 4 + b"\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "an old version": b"GET /healthz HTTP/0.9\r\n\r\n",
    "a new version": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "an endless line": b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    # Its Host is refused, but the connection would be kept for another request.
    "a folded header": b"GET / HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n X\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
    "a line end of its own": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
}


# A server that closes with unread input may lose its response.
READ_AT_ONCE_BYTES = 16_384


@pytest.mark.parametrize("what", GIBBERISH)
def test_malformed_http_gets_a_problem_response(server, what):
    content = GIBBERISH[what]
    with raw.connect(server) as connection:
        with contextlib.suppress(OSError):
            # Nothing more is sent, but the connection stays open: the server closes it.
            connection.sendall(content)
        got = raw.until_closed(connection)
    if got or len(content) <= READ_AT_ONCE_BYTES:
        statuses = raw.statuses(got)
        assert statuses
        assert all(400 <= status < 500 for status in statuses), got
        assert b"application/problem+json" in got
        assert b"default-src 'none'" in got
    assert server.client.get("/healthz").status_code == 200


# A proxy and the server could interpret these as different requests ("smuggling").
SMUGGLED = {
    "both lengths": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "both lengths, the other way": ["Transfer-Encoding: chunked", "Content-Length: 4"],
    "two lengths": ["Content-Length: 4", "Content-Length: 5"],
    "a list of lengths": ["Content-Length: 4, 5"],
    "a negative length": ["Content-Length: -4"],
    "a signed length": ["Content-Length: +4"],
    "a length in hexadecimal": ["Content-Length: 0x4"],
    "a length with a line": ["Content-Length: 1_0"],
    "an immense length": ["Content-Length: " + "9" * 30],
    "an unknown coding": ["Transfer-Encoding: gzip, chunked"],
    "chunked twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "a disguised coding": ["Transfer-Encoding: xchunked"],
    "a disguised header": ["Transfer-Encoding : chunked"],
}


@pytest.mark.parametrize("what", SMUGGLED)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_smuggled_request_is_never_executed(patient, what, version):
    before = patient.client.get("/api/runs").json()
    inner = raw.head(
        patient,
        "POST /api/runs HTTP/1.1",
        *("Content-Type: application/json", "Content-Length: 2"),
    )
    start = raw.head(
        patient,
        f"POST /api/gradient-check {version}",
        *("Content-Type: application/json", *SMUGGLED[what]),
    )
    with raw.connect(patient) as connection:
        # The client sends nothing more, and waits: the server answers and closes the connection.
        connection.sendall(start + b"0\r\n\r\n" + inner + b"{}")
        got = raw.until_closed(connection)
    made = [run["id"] for run in patient.client.get("/api/runs").json() if run not in before]
    for identity in made:
        patient.client.delete(f"/api/runs/{identity}")
    assert not made, f"the inner request was carried out: {got!r}"
    assert raw.statuses(got) == [400], got
    assert b"application/problem+json" in got


def test_a_request_with_one_length_is_executed(patient):
    """The requests above are refused for their lengths alone."""
    for lines, body in [
        (["Content-Length: 21"], b'{"hidden_size": 5}   '),
        (["Transfer-Encoding: chunked"], b'12\r\n{"hidden_size": 5}\r\n0\r\n\r\n'),
    ]:
        start = raw.head(
            patient,
            "POST /api/gradient-check HTTP/1.1",
            *("Content-Type: application/json", *lines),
        )
        with raw.connect(patient) as connection:
            last = raw.head(patient, "GET /healthz HTTP/1.1", "Connection: close")
            connection.sendall(start + body + last)
            assert raw.statuses(raw.until_closed(connection)) == [200, 200]


def test_a_malformed_body_is_refused(server):
    start = raw.head(
        server,
        "POST /api/runs HTTP/1.1",
        *("Content-Type: application/json", "Transfer-Encoding: chunked"),
    )
    for body in (
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}",
        b"ffffffffffffffffffff\r\n{}",
        b"2\r\n{}xx",
    ):
        with raw.connect(server) as connection:
            connection.sendall(start + body)
            [status] = raw.statuses(raw.until_closed(connection))
        assert 400 <= status < 500
    assert server.client.get("/api/runs").json() == []


def test_a_client_that_disconnects_midway_leaves_nothing(patient):
    start = raw.head(
        patient,
        "POST /api/runs HTTP/1.1",
        *("Content-Type: application/json", "Content-Length: 100"),
    )
    before = files_without_connections(patient)
    for cut in (10, len(start) - 2, len(start)):
        with raw.connect(patient) as connection:
            connection.sendall((start + b"{")[: cut + 1])
            until(lambda: open_files(patient.process.pid) > before)
        # The server has noticed that the client has left.
        until(lambda: open_files(patient.process.pid) <= before)
    assert patient.client.get("/api/runs").json() == []


@pytest.mark.parametrize(
    "target",
    [
        *("http://evil.example/healthz", "//evil.example/healthz", "/%00", "/static/%00", "*"),
        *("/static/..%2f..%2fpyproject.toml", "/static/%ff%fe", "/api/runs/%00", "/%2e%2e/", "x"),
        *("/api/runs/..%2f..%2fetc", "/api/corpora/%ed%a0%80/text", "/" + "a/" * 5_000),
        *("/static/" + "x" * 300, "/static/css", "/static/css/", "/api/runs?%00=%ff"),
        *("/api/corpora/the-lamps-of-saltmere/text?from=%EF%BC%91", "/ws/runs/x"),
    ],
)
def test_malformed_addresses_are_refused(server, target):
    for method in ("GET", "POST", "DELETE"):
        status, headers, _ = raw.ask(
            server, raw.head(server, f"{method} {target} HTTP/1.1", "Connection: close")
        )
        assert status == 200 or 400 <= status < 500, (method, status)
        assert "content-security-policy" in headers


RAISED = [(300, 5_000, 1_000, 1_000), (300, 800, 1_000, 544), (64, 64, 1_000, 1)]
# A hard limit cannot be raised again: each case has a process of its own.
RAISE_EACH = """
import json, os, resource, sys
from server.web.http.http_protocol import raise_open_file_limit

for soft, hard, wanted, _ in json.loads(sys.argv[1]):
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        print(raise_open_file_limit(wanted))
        sys.exit()
    os.wait()
"""


def test_the_open_file_limit_is_raised_for_all_connections():
    command = [sys.executable, "-c", RAISE_EACH, json.dumps(RAISED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.splitlines()] == [limit for *_, limit in RAISED]
