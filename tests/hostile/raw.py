"""Raw HTTP and WebSocket connections, for requests that no client library sends."""

import base64
import json
import os
import re
import select
import socket
import struct
import time

from tests.serving import LIMIT_S

KEY = base64.b64encode(b"0123456789abcdef").decode()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S)


def head(server, start="GET /healthz HTTP/1.1", *lines, host=None):
    """Return a request's head; `host` "" leaves the Host out."""
    host = f"127.0.0.1:{server.port}" if host is None else host
    named = [f"Host: {host}"] if host else []
    return "\r\n".join([start, *named, *lines, "", ""]).encode("latin-1")


def until_closed(connection, limit_s=LIMIT_S):
    """Return everything received until the server closes the connection."""
    got = b""
    give_up = time.monotonic() + limit_s
    while True:
        connection.settimeout(max(0.01, give_up - time.monotonic()))
        try:
            more = connection.recv(65_536)
        except (ConnectionResetError, BrokenPipeError):
            return got
        if not more:
            return got
        got += more


def read_response(connection):
    """Read one response with a Content-Length; return its status, headers and body."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65_536)
        assert more, f"closed after {got!r}"
        got += more
    top, _, body = got.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return int(first.split()[1]), headers, body


def ask(server, content):
    """Send bytes on a new connection; return the response's status, headers and body."""
    with connect(server) as connection:
        connection.sendall(content)
        return read_response(connection)


def assert_problem(status, got, wanted):
    """Check that a response, as `ask` returns it, has the shape of all errors."""
    code, headers, body = got
    assert code == status, got
    assert headers["content-type"] == "application/problem+json"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert wanted in json.loads(body)["detail"]


def reset(connection):
    """Make closing the connection send a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def statuses(content):
    """Return the status of every response in the received bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", content)]


# -- WebSockets -----------------------------------------------------------------------------------


def open_websocket(server, run, *lines):
    """Open a WebSocket; return its connection once it is accepted."""
    connection = connect(server)
    connection.sendall(upgrade(server, f"/ws/runs/{run['id']}", *lines))
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(1)
    assert got.startswith(b"HTTP/1.1 101 "), got
    return connection


def upgrade(server, path, *lines, host=None):
    return head(
        server,
        f"GET {path} HTTP/1.1",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *(f"Sec-WebSocket-Key: {KEY}", *lines),
        host=host,
    )


def frame(opcode, payload=b"", *, fin=True, reserved=0, masked=True, length=None):
    """Return a WebSocket frame, which may be invalid."""
    length = len(payload) if length is None else length
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if length < 126:
        start = struct.pack("!BB", first, mask_bit | length)
    elif length < 2**16:
        start = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        start = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return start + payload
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return start + mask + mixed.to_bytes(len(payload), "big")


def close_code(connection):
    """Read frames until the close frame; return its code.

    Returns None if the connection was closed without one. If it stays open, that is an error.
    """
    try:
        while True:
            opcode, length = exactly(connection, 2)
            length &= 127
            if length >= 126:
                size = 2 if length == 126 else 8
                length = int.from_bytes(exactly(connection, size), "big")
            payload = exactly(connection, length)
            if opcode & 15 == 8:
                return int.from_bytes(payload[:2], "big")
    except ConnectionError:
        return None


def exactly(connection, length):
    got = b""
    while len(got) < length:
        more = connection.recv(length - len(got))
        if not more:
            raise ConnectionResetError
        got += more
    return got


def is_open(connection):
    """Whether the connection is still open; received bytes are discarded."""
    while select.select([connection], [], [], 0)[0]:
        try:
            if not connection.recv(65_536):
                return False
        except ConnectionResetError:
            return False
    return True
