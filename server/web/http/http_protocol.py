"""Connections: how long they may take, how many there may be, and what is said to gibberish."""

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

__all__ = ["TimeoutWebSocket", "protocol_for", "room_for"]

# What may wait for a WebSocket's client that pings. A slow one has not read all either, and only
# its pings show whether it reads at all.
PINGED_BYTES = 65_536
# What the server opens besides connections: the database, workers' pipes, the few files that are
# sent at once (`server.runs.downloads.AT_ONCE`), and connections that it accepts to refuse them.
OTHER_FILES = 256
# Who reads an answer more slowly than this, taken all in all, is not waited for: a little now and
# then would hold a connection, and what is sent, for hours.
LEAST_BYTES_PER_S = 20_000


class WriteDeadline:
    """How long the reader of an answer is still waited for.

    Parameters
    ----------
    patience_s : float
        How long it may read nothing, and how much longer all of it may take than at
        `LEAST_BYTES_PER_S`.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._left_s = patience_s
        self._since_s: float | None = None
        self._unread_bytes = 0

    def wait(self, now_s: float, unread_bytes: int) -> float:
        """Return for how many seconds to wait, from now on, until it reads."""
        self._since_s, self._unread_bytes = now_s, unread_bytes
        return max(0.0, min(self._patience_s, self._left_s))

    def has_read(self, now_s: float, unread_bytes: int) -> None:
        """Count what was read since it was waited for, and how long that took."""
        if self._since_s is None:
            # It was the end of the answer before this one.
            return
        gained_s = (self._unread_bytes - unread_bytes) / LEAST_BYTES_PER_S
        self._left_s += gained_s - (now_s - self._since_s)
        self._since_s = None


class TimeoutHTTPProtocol(H11Protocol):
    """HTTP with limits that uvicorn has not: on slow senders, slow readers, and their number.

    Against clients that send a request's head byte by byte, or never ("slow loris"), and those that
    ask for much and read nothing, each of which would hold a connection for good.
    """

    max_connections: int
    patience_s: float

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **named)
        self._request_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None
        self._reading_time = WriteDeadline(self.patience_s)
        self._closing_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, unless there are too many who do."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(429, f"The limit is {self.max_connections:,} connections at once.")
        elif self._are_many_from_here():
            self._refuse(429, f"The limit is {self._share:,} connections from one address.")
        else:
            self._request_due = self.loop.call_later(self.patience_s, self._is_late)

    @property
    def _share(self) -> int:
        return max(1, self.max_connections // 2)

    def _are_many_from_here(self) -> bool:
        """Whether one address takes what others would need, the operator among them.

        Not this machine's own: a proxy on it brings everybody.
        """
        if len(self.connections) <= self._share or self.client is None:
            return False
        here = network_of(self.client[0])
        if _is_loopback(here):
            return False
        clients = [getattr(each, "client", None) for each in self.connections]
        return (
            sum(each is not None and network_of(each[0]) == here for each in clients) > self._share
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._expect_nothing()
        self._expect_reading(None)
        if self._closing_due is not None:
            # It would hold what was written until then, and abort what is no more.
            self._closing_due.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes, in time."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._expect_rest()

    def pause_writing(self) -> None:
        """Wait until the client reads on, but not for ever."""
        super().pause_writing()
        unread_bytes = self.transport.get_write_buffer_size()
        wait_s = self._reading_time.wait(self.loop.time(), unread_bytes)
        self._expect_reading(self.loop.call_later(wait_s, self.transport.abort))

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        self._expect_reading(None)
        self._reading_time.has_read(self.loop.time(), self.transport.get_write_buffer_size())
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Close for good, where it is to be closed."""
        super().on_response_complete()
        self._reading_time = WriteDeadline(self.patience_s)
        self._expect_rest()
        self._close_in_time()

    def timeout_keep_alive_handler(self) -> None:
        """Close for good, when nothing more was asked for."""
        super().timeout_keep_alive_handler()
        self._close_in_time()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the one shape that errors have."""
        self._refuse(400, f"{msg.rstrip('.')}.")

    def _expect_rest(self) -> None:
        """See to it that what has begun is whole in time: a head, or a body nobody waits for.

        A body that somebody waits for is `server.web.http.body_limit.BodyLimit`'s affair.
        """
        theirs = self.conn.their_state
        begun = theirs is h11.IDLE and self.conn.trailing_data[0]
        unread = theirs is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if not (begun or unread) or self.transport.is_closing():
            self._expect_nothing()
        elif self._request_due is None:
            self._request_due = self.loop.call_later(self.patience_s, self._is_late)

    def _expect_nothing(self) -> None:
        if self._request_due is not None:
            self._request_due.cancel()
            self._request_due = None

    def _expect_reading(self, due: asyncio.TimerHandle | None) -> None:
        if self._reading_due is not None:
            self._reading_due.cancel()
        self._reading_due = due

    def _is_late(self) -> None:
        self._refuse(408, f"The request did not come within {self.patience_s:g} s.")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer without the application, unless it has begun to, and close."""
        self._expect_nothing()
        if self.transport.is_closing():
            return
        more = {"Retry-After": "1"} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            answer = problem(status, detail, headers={"Connection": "close", **more})
            head = h11.Response(status_code=status, headers=answer.raw_headers)
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._close_in_time()

    def _close_in_time(self) -> None:
        # Closing waits until all is read; who reads nothing is not waited for.
        if self._closing_due is not None or not self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size():
            self._closing_due = self.loop.call_later(self.patience_s, self.transport.abort)


class TimeoutWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose client is cut off when it is told to go and does not read.

    Saying goodbye would wait for all that the client has not read.
    """

    def data_received(self, data: bytes) -> None:
        """Take what comes; what is no handshake is answered, and not waited for."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse()

    def handle_connect(self, event: Request) -> None:
        """Begin; a handshake that is not as it must be is answered in the shape of all errors."""
        self.conn.accept(event)
        if self.conn.handshake_exc is None:
            super().handle_connect(event)
        else:
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self._refuse()

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        answer = problem(400, "This is no WebSocket handshake that the server understands.")
        fields = b"".join(b"%b: %b\r\n" % field for field in answer.raw_headers)
        # The version that there is (RFC 6455, 4.4).
        start = b"HTTP/1.1 400 Bad Request\r\nsec-websocket-version: 13\r\nconnection: close\r\n"
        self.transport.write(start + fields + b"\r\n" + bytes(answer.body))
        self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message, when the client has read enough of those before."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.transport.abort()
        else:
            await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # It was refused; uvicorn would complain in the log that it was not accepted.
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; uvicorn would fill the log over text that is none."""
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
        """Answer a ping; who pings and pings, and reads no answer, is cut off."""
        if self.transport.get_write_buffer_size() <= PINGED_BYTES:
            super().handle_ping()
        else:
            self.transport.abort()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_network(address).is_loopback
    except ValueError:
        return False


def protocol_for(settings: Settings) -> type[TimeoutHTTPProtocol]:
    """Return the protocol with the limits that are set; uvicorn makes one for each connection."""
    limits = {
        "max_connections": room_for(settings.max_connections),
        "patience_s": settings.request_timeout_s,
    }
    return type("LimitedProtocol", (TimeoutHTTPProtocol,), limits)


def room_for(connections: int) -> int:
    """Return how many connections the system has room for, having asked it for so many.

    Each is an open file, of which many systems allow 1,024 unless they are asked. Without one left,
    not even a checkpoint could be written.
    """
    files = connections + OTHER_FILES
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < files:
        wanted = files if most == resource.RLIM_INFINITY else min(files, most)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(1, min(connections, allowed - OTHER_FILES))
    return connections
