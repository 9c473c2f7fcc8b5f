"""uvicorn's protocols with timeouts, connection limits and our error responses."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
from http import HTTPStatus
from typing import Any

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from server.settings import Settings
from server.web.http.problems import problem
from server.web.security.rate_limit import network_of

__all__ = ["TimeoutWebSocketProtocol", "http_protocol_class", "raise_open_file_limit"]

# Unread bytes with which a WebSocket client's pings are still answered. A slow client has unread
# bytes too, and its pings alone show that it reads.
MAX_UNREAD_AT_PING_BYTES = 65_536
# Open files besides connections: the database, workers' pipes, the files being downloaded
# (`server.runs.downloads.AT_ONCE`), and connections that are accepted only to be refused.
OTHER_OPEN_FILES = 256
# The lowest average rate at which a response may be read. Without it a client that reads a little
# now and then would occupy a connection, and the response's memory, for hours.
MIN_READ_BYTES_PER_S = 20_000


class WriteDeadline:
    """How much longer to wait for the reader of a response.

    Parameters
    ----------
    timeout_s : float
        How long the client may read nothing, and how much longer than at `MIN_READ_BYTES_PER_S` it
        may take for the whole response.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._remaining_s = timeout_s
        self._paused_s: float | None = None
        self._unread_bytes = 0

    def pause(self, now_s: float, unread_bytes: int) -> float:
        """Start waiting for the client; return for how many seconds from now to wait."""
        self._paused_s, self._unread_bytes = now_s, unread_bytes
        return max(0.0, min(self._timeout_s, self._remaining_s))

    def resume(self, now_s: float, unread_bytes: int) -> None:
        """Account for the bytes read, and for the time taken, since `pause`."""
        if self._paused_s is None:
            # The client read the end of the previous response.
            return
        earned_s = (self._unread_bytes - unread_bytes) / MIN_READ_BYTES_PER_S
        self._remaining_s += earned_s - (now_s - self._paused_s)
        self._paused_s = None


class StrictConnection(h11.Connection):
    """HTTP/1.1 in which a request has one length, so that nothing can be hidden in its body.

    h11 prefers Transfer-Encoding to Content-Length, and a proxy in front of it may not. RFC 9112,
    6.1 and 6.3, allows to refuse such a request; it comes from no honest client.
    """

    def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """Return the next event.

        Raises
        ------
        h11.RemoteProtocolError
            The client sends invalid or ambiguous HTTP.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            ambiguous = b"content-length" in names or event.http_version < b"1.1"
            if b"transfer-encoding" in names and ambiguous:
                raise h11.RemoteProtocolError("The length of the request is ambiguous")
        return event


class TimeoutHTTPProtocol(H11Protocol):
    """HTTP with limits that uvicorn lacks: on slow senders, slow readers, and connections.

    They protect against clients that send a request's head byte by byte, or never ("slow loris"),
    and against clients that do not read their response. Each would occupy a connection for good.
    """

    max_connections: int
    timeout_s: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*args, **kwargs)
        self.conn = StrictConnection(h11.SERVER)
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._write_deadline = WriteDeadline(self.timeout_s)
        self._close_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, or refuse the connection if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(429, f"The limit is {self.max_connections:,} connections at once.")
        elif self._exceeds_address_limit():
            limit = self._max_connections_per_address
            self._refuse(429, f"The limit is {limit:,} connections from one address.")
        else:
            self._request_timer = self.loop.call_later(self.timeout_s, self._request_timed_out)

    @property
    def _max_connections_per_address(self) -> int:
        return max(1, self.max_connections // 2)

    def _exceeds_address_limit(self) -> bool:
        """Whether this client's address has more than half of all connections.

        The loopback address is exempt: a proxy on this machine uses it for every client.
        """
        limit = self._max_connections_per_address
        if len(self.connections) <= limit or self.client is None:
            return False
        network = network_of(self.client[0])
        if _is_loopback(network):
            return False
        clients = [getattr(connection, "client", None) for connection in self.connections]
        count = sum(client is not None and network_of(client[0]) == network for client in clients)
        return count > limit

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._cancel_request_timer()
        self._set_write_timer(None)
        if self._close_timer is not None:
            # It references the transport and its buffer until it fires.
            self._close_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received bytes, and time the rest of an incomplete request."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._update_request_timer()

    def pause_writing(self) -> None:
        """Abort the connection if the client does not read in time."""
        super().pause_writing()
        unread_bytes = self.transport.get_write_buffer_size()
        wait_s = self._write_deadline.pause(self.loop.time(), unread_bytes)
        self._set_write_timer(self.loop.call_later(wait_s, self.transport.abort))

    def resume_writing(self) -> None:
        """Continue writing: the client has read."""
        self._set_write_timer(None)
        self._write_deadline.resume(self.loop.time(), self.transport.get_write_buffer_size())
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Time the next request, or the closing of the connection."""
        super().on_response_complete()
        self._write_deadline = WriteDeadline(self.timeout_s)
        self._update_request_timer()
        self._abort_if_not_closed()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        super().timeout_keep_alive_handler()
        self._abort_if_not_closed()

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP in the shape of all errors."""
        self._refuse(400, f"{msg.rstrip('.')}.")

    def _update_request_timer(self) -> None:
        """Time an incomplete head, or a body that the application does not read.

        `server.web.http.body_limit.BodyLimit` times a body that the application reads.
        """
        client_state = self.conn.their_state
        incomplete_head = client_state is h11.IDLE and self.conn.trailing_data[0]
        unread_body = client_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (incomplete_head or unread_body) or self.transport.is_closing():
            self._cancel_request_timer()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(self.timeout_s, self._request_timed_out)

    def _cancel_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _set_write_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._write_timer = timer

    def _request_timed_out(self) -> None:
        self._refuse(408, f"The request did not arrive within {self.timeout_s:g} s.")

    def _refuse(self, status: int, detail: str) -> None:
        """Close the connection, with an error response if the application has sent nothing yet."""
        self._cancel_request_timer()
        if self.transport.is_closing():
            return
        retry = {"Retry-After": "1"} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            response = problem(status, detail, headers={"Connection": "close", **retry})
            head = h11.Response(status_code=status, headers=response.raw_headers)
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._abort_if_not_closed()

    def _abort_if_not_closed(self) -> None:
        # `close` waits until the client has read everything, which may never happen.
        if self._close_timer is not None or not self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size():
            self._close_timer = self.loop.call_later(self.timeout_s, self.transport.abort)


class TimeoutWebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that aborts the connection if the client does not read the close frame.

    Closing would otherwise wait until the client has read everything before it.
    """

    def data_received(self, data: bytes) -> None:
        """Process received bytes; a malformed handshake gets an error response."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse()

    def handle_connect(self, event: Request) -> None:
        """Start the handshake; an invalid one gets an error response in the shape of all errors."""
        self.conn.accept(event)
        if self.conn.handshake_exc is None:
            super().handle_connect(event)
        else:
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self._refuse()

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        response = problem(400, "The WebSocket handshake is invalid.")
        fields = b"".join(b"%b: %b\r\n" % field for field in response.raw_headers)
        # The response names the supported version (RFC 6455, 4.4).
        start = b"HTTP/1.1 400 Bad Request\r\nsec-websocket-version: 13\r\nconnection: close\r\n"
        self.transport.write(start + fields + b"\r\n" + bytes(response.body))
        self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message once the client has read enough of the previous ones."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.transport.abort()
        else:
            await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # A refused handshake is complete; otherwise uvicorn logs that it was not accepted.
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; invalid UTF-8 closes the connection without uvicorn's log entry."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, or abort the connection of a client that sends pings and reads nothing."""
        if self.transport.get_write_buffer_size() <= MAX_UNREAD_AT_PING_BYTES:
            super().handle_ping()
        else:
            self.transport.abort()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_network(address).is_loopback
    except ValueError:
        return False


def http_protocol_class(settings: Settings) -> type[TimeoutHTTPProtocol]:
    """Return a protocol class with the limits in the settings, for uvicorn to instantiate."""
    attributes = {
        "max_connections": raise_open_file_limit(settings.max_connections),
        "timeout_s": settings.request_timeout_s,
    }
    return type("LimitedHTTPProtocol", (TimeoutHTTPProtocol,), attributes)


def raise_open_file_limit(connections: int) -> int:
    """Raise the process's limit of open files as far as so many connections need.

    A connection is an open file, and many systems allow 1,024 of them by default. Without a free
    one the server could not even write a checkpoint.

    Returns
    -------
    int
        How many connections fit into the limit: `connections`, or fewer.
    """
    files = connections + OTHER_OPEN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(1, min(connections, soft - OTHER_OPEN_FILES))
    return connections
