"""The WebSocket protocol of a viewer: never sends more than the viewer reads."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import sys
import termios
from asyncio.transports import BaseTransport
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from websockets.frames import Frame
from websockets.http11 import Request

from server.web.http.http_protocol import TimeoutWebSocketProtocol

__all__ = ["EXTENSION", "ViewerGoneError", "ViewerProtocol"]

EXTENSION = "hurrah.viewer"
"""The key of the `ViewerProtocol` in an ASGI scope's extensions."""

# The kernel's send buffer for a viewer. Everything in it is old by the time it is read.
KERNEL_BUFFER_BYTES = 65_536
# asyncio's buffer: writing pauses above the first, and resumes below the second.
HIGH_WATER_BYTES = 16_384
LOW_WATER_BYTES = 4_096
# How often it is checked, within the timeout, whether a viewer reads.
CHECKS_PER_TIMEOUT = 4
# A ping follows every so many messages; its pong shows that the viewer has read them.
MESSAGES_PER_PING = 8
# A viewer whose pong is later than this, beyond its round-trip time, is slow. From then on a ping
# follows every so many bytes, and nothing is sent before the pong.
MAX_LAG_S = 0.5
SLOW_BYTES_PER_PING = 16_384
# How many bytes are sent, and for how long, before the first pong.
BYTES_BEFORE_PONG = 32_768
FIRST_PONG_TIMEOUT_S = 1.0
MAX_UNANSWERED_PINGS = 16
PING_PAYLOAD_BYTES = 8


class ViewerGoneError(ConnectionError):
    """The viewer has disconnected."""


class ViewerProtocol(TimeoutWebSocketProtocol):
    """A WebSocket that knows how far its viewer has read.

    Between the server and a slow viewer are the buffers of two kernels and of every proxy, and the
    viewer must read all of them before it sees something new. Therefore a ping follows every few
    messages. The pong, which every WebSocket client must send, shows that the messages before the
    ping were read. A viewer is slow once a pong is later than `MAX_LAG_S` plus the shortest
    round-trip time. A slow viewer gets nothing more until the pong arrives, and then, up to some
    kilobytes per pong, all that happened meanwhile, with progress coalesced into one message.

    The first ping is sent before anything else. If its pong does not arrive, only
    `BYTES_BEFORE_PONG` are sent in the first second. A client that never answers pings gets as much
    as its connection accepts.

    Attributes
    ----------
    slow : bool
        Whether the viewer lags because it reads slowly.
    messages_sent : int
        Messages sent to all viewers, since the start of the server.
    """

    messages_sent: ClassVar[int] = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Limit the buffers, so that they never contain minutes of old messages."""
        super().connection_made(transport)
        self._sent_messages = 0
        self._messages_since_ping = self._bytes_since_ping = 0
        # For each ping without a pong: how many messages were sent before it, and its time.
        self._pending_pings: deque[tuple[int, float]] = deque()
        self._first_ping_s: float | None = None
        self._answers_pings = False
        self._round_trip_s: float | None = None
        self.slow = False
        self._pong_received = asyncio.Event()
        self._written_bytes = 0
        self._read_bytes_at_ping = 0
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=LOW_WATER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the coroutine that waits for a pong."""
        super().connection_lost(exc)
        self._pong_received.set()

    def handle_connect(self, event: Request) -> None:
        """Add this connection to the application's scope."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    # -- sending ----------------------------------------------------------------------------------

    async def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until the viewer has read all or most of what was sent.

        Raises
        ------
        TimeoutError
            The viewer has read nothing for `timeout_s`.
        ViewerGoneError
            The viewer has disconnected.
        """
        if self._first_ping_s is None:
            self._first_ping_s = self.loop.time()
            self._send_ping()
        await self._wait_for_first_pong(self._first_ping_s + FIRST_PONG_TIMEOUT_S)
        while not self.disconnected and self._lags:
            self.slow = True
            self._pong_received.clear()
            await self._wait_while_reading(self._pong_received, timeout_s)
        await self._wait_until_writable(timeout_s)

    async def _wait_for_first_pong(self, deadline_s: float) -> None:
        """Wait for the first pong, once enough was sent for it to matter."""
        if self._answers_pings or self._written_bytes <= BYTES_BEFORE_PONG:
            return
        if self.loop.time() < deadline_s and not self.disconnected:
            self._pong_received.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    await self._pong_received.wait()

    async def send_frames(self, frames: Iterable[bytes], timeout_s: float) -> None:
        """Write a message's frames, each when the viewer has read enough of the previous ones.

        Raises
        ------
        TimeoutError, ViewerGoneError
            As `wait_until_ready`.
        """
        for frame in frames:
            await self._wait_until_writable(timeout_s)
            self.transport.write(frame)
            self._written_bytes += len(frame)
            self._bytes_since_ping += len(frame)
        self._sent_messages += 1
        ViewerProtocol.messages_sent += 1
        self._messages_since_ping += 1
        if self.slow:
            ping_due = self._bytes_since_ping >= SLOW_BYTES_PER_PING
        else:
            ping_due = self._messages_since_ping >= MESSAGES_PER_PING or self._sent_messages == 1
        if ping_due:
            self._send_ping()

    def ping_if_slow(self) -> None:
        """Ping a slow viewer after the last message, to notice when it has caught up."""
        if self.slow and self._messages_since_ping:
            self._send_ping()

    async def _wait_until_writable(self, timeout_s: float) -> None:
        if not self.writable.is_set():
            self.slow = True
            await self._wait_while_reading(self.writable, timeout_s)
        # asyncio closes the transport of a broken connection before it calls `connection_lost`.
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ViewerGoneError("the viewer has disconnected")

    async def _wait_while_reading(self, event: asyncio.Event, timeout_s: float) -> None:
        """Wait for an event as long as the viewer reads, however slowly."""
        read_bytes, last_read_s = self._read_bytes, self.loop.time()
        while not event.is_set():
            try:
                async with asyncio.timeout(timeout_s / CHECKS_PER_TIMEOUT):
                    await event.wait()
            except TimeoutError:
                before, read_bytes = read_bytes, self._read_bytes
                if read_bytes > before:
                    last_read_s = self.loop.time()
                elif self.loop.time() - last_read_s >= timeout_s:
                    raise

    @property
    def _read_bytes(self) -> int:
        """Number of bytes that have left this machine, off by the few bytes of pings.

        The difference of two values shows whether a viewer reads.
        """
        buffered = self.transport.get_write_buffer_size() + _unacknowledged_bytes(self._socket)
        return self._written_bytes - buffered

    @property
    def _lags(self) -> bool:
        if not self._pending_pings or not self._answers_pings:
            return False
        return self.slow or self._is_late(self._pending_pings[0][1], MAX_LAG_S)

    def _is_late(self, ping_s: float, max_lag_s: float) -> bool:
        """Whether the pong to a ping is later now than the round-trip time and `max_lag_s`."""
        return self.loop.time() - ping_s > max_lag_s + (self._round_trip_s or 0.0)

    def _send_ping(self) -> None:
        if not self._answers_pings and len(self._pending_pings) == MAX_UNANSWERED_PINGS:
            # This client may never answer; the list must not grow.
            self._pending_pings.popleft()
        self._pending_pings.append((self._sent_messages, self.loop.time()))
        self._messages_since_ping = self._bytes_since_ping = 0
        self.conn.send_ping(self._sent_messages.to_bytes(PING_PAYLOAD_BYTES))
        self.transport.write(b"".join(self.conn.data_to_send()))

    def handle_pong(self, event: Frame) -> None:
        """Note how far the viewer has read; a pong also answers all earlier pings."""
        if len(event.data) != PING_PAYLOAD_BYTES:
            super().handle_pong(event)
            return
        self._answers_pings = True
        self._pong_received.set()
        read_messages, ping_s = int.from_bytes(event.data), None
        while self._pending_pings and self._pending_pings[0][0] <= read_messages:
            ping_s = self._pending_pings.popleft()[1]
        if ping_s is not None:
            elapsed_s = self.loop.time() - ping_s
            self._round_trip_s = min(elapsed_s, self._round_trip_s or elapsed_s)
            if not self._pending_pings:
                self.slow = self.slow and self._is_late(ping_s, MAX_LAG_S / 2)

    # -- disconnecting ----------------------------------------------------------------------------

    def send_keepalive_ping(self) -> None:
        """Check that the viewer is still connected."""
        super().send_keepalive_ping()
        self._read_bytes_at_ping = self._read_bytes

    def keepalive_timeout(self) -> None:
        """Disconnect a viewer that neither answers nor reads."""
        before, self._read_bytes_at_ping = self._read_bytes_at_ping, self._read_bytes
        if self.ping_timeout is not None and self._read_bytes_at_ping > before:
            # On a slow connection the ping is still queued behind the messages before it.
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()


def _unacknowledged_bytes(connection: socket.socket) -> int:
    """Return how many sent bytes the peer has not acknowledged, 0 where this is not available."""
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        # Not available on this system or for this kind of socket, or the connection is closed.
        return 0
    return int.from_bytes(answer, sys.byteorder, signed=True)
