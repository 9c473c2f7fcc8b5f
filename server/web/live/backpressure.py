"""A viewer's connection: it is handed no more than it reads, and let go when it reads nothing."""

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

from websockets.frames import Frame
from websockets.http11 import Request

from server.web.http.http_protocol import TimeoutWebSocket

__all__ = ["EXTENSION", "ViewerGoneError", "ViewerProtocol"]

EXTENSION = "hurrah.viewer"
"""The name under which an ASGI scope holds the viewer's `ViewerProtocol`."""

# What the kernel may hold for a viewer. Whatever lies there is old news.
KERNEL_BUFFER_BYTES = 65_536
# What asyncio may hold beside it before a viewer is waited for, and until when it is.
FULL_BYTES = 16_384
LOW_BYTES = 4_096
# How often it is looked, while a viewer's patience lasts, whether it reads.
LOOKS = 4
# So many messages are told between two pings, whose answers say how far the viewer has read.
PING_EVERY_MESSAGES = 8
# A viewer that is further behind than this, beyond the time that its line takes, is told no more
# than so much at a time of all that happened.
LAG_S = 0.5
SLOW_BYTES = 16_384
# How much a viewer is told, and for how long, before it is known whether it answers.
UNHEARD_BYTES = 32_768
UNHEARD_S = 1.0
UNHEARD_PINGS = 16
NUMBER_BYTES = 8


class ViewerGoneError(ConnectionError):
    """The viewer has left."""


class ViewerProtocol(TimeoutWebSocket):
    """A WebSocket that knows how far its viewer has read.

    Between a viewer that reads slowly and the server lie the buffers of two kernels and of whatever
    is in between, and all that they hold must be read before the news. So a ping goes out with
    every few messages. Its answer (which a WebSocket client must give) tells that the messages
    before it were read. Until it comes, a viewer is told nothing more once it is `LAG_S` later than
    the line accounts for, by the shortest time that an answer took; what happened meanwhile is then
    told at once, progress in one message, up to some kilobytes for each answer.

    The first ping goes out before anything else, and only little is told for a second if its answer
    does not come. A client that answers no pings at all is told as much as its connection takes.

    Attributes
    ----------
    slow : bool
        Whether the viewer is behind because it reads slowly.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the kernel from storing minutes of old news."""
        super().connection_made(transport)
        self._told = 0
        # What was told since the last ping.
        self._unasked = self._unasked_bytes = 0
        # The pings that are not answered yet: how many messages were told, and when it was sent.
        self._pings: deque[tuple[int, float]] = deque()
        self._first_ping_s: float | None = None
        self._answers_pings = False
        # How long the line takes, there and back.
        self._round_trip_s: float | None = None
        self.slow = False
        self._heard = asyncio.Event()
        self._written_bytes = 0
        self._read_bytes_at_ping = 0
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
        self.transport.set_write_buffer_limits(high=FULL_BYTES, low=LOW_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        self._heard.set()

    def handle_connect(self, event: Request) -> None:
        """Let the application find this connection in its scope."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    # -- telling ----------------------------------------------------------------------------------

    async def ready(self, patience_s: float) -> None:
        """Wait until the viewer has read what it was told, or most of it.

        Raises
        ------
        TimeoutError
            It has read nothing for `patience_s`.
        ViewerGoneError
            It has left.
        """
        if self._first_ping_s is None:
            self._first_ping_s = self.loop.time()
            self._ping()
        await self._first_answer(self._first_ping_s + UNHEARD_S)
        while not self.disconnected and self._lags:
            self.slow = True
            self._heard.clear()
            await self._while_it_reads(self._heard, patience_s)
        await self._writable(patience_s)

    async def _first_answer(self, until_s: float) -> None:
        """Wait for it, if so much is under way that it matters."""
        if self._answers_pings or self._written_bytes <= UNHEARD_BYTES:
            return
        if self.loop.time() < until_s and not self.disconnected:
            self._heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await self._heard.wait()

    async def tell(self, frames: Iterable[bytes], patience_s: float) -> None:
        """Hand over a message's frames, each when the viewer has read enough of those before.

        Raises
        ------
        TimeoutError, ViewerGoneError
            As for `ready`.
        """
        for frame in frames:
            await self._writable(patience_s)
            self.transport.write(frame)
            self._written_bytes += len(frame)
            self._unasked_bytes += len(frame)
        self._told += 1
        self._unasked += 1
        if self.slow:
            due = self._unasked_bytes >= SLOW_BYTES
        else:
            due = self._unasked >= PING_EVERY_MESSAGES or self._told == 1
        if due:
            self._ping()

    def told_all(self) -> None:
        """Ask a slow viewer how far it is, now that it was told all there is."""
        if self.slow and self._unasked:
            self._ping()

    async def _writable(self, patience_s: float) -> None:
        if not self.writable.is_set():
            self.slow = True
            await self._while_it_reads(self.writable, patience_s)
        # asyncio learns of a broken line at once, and says that it is lost a little later.
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ViewerGoneError("the viewer has left")

    async def _while_it_reads(self, event: asyncio.Event, patience_s: float) -> None:
        """Wait for an event for as long as the viewer goes on reading, however slowly."""
        read_bytes, since_s = self._read_bytes, self.loop.time()
        while not event.is_set():
            try:
                async with asyncio.timeout(patience_s / LOOKS):
                    await event.wait()
            except TimeoutError:
                before, read_bytes = read_bytes, self._read_bytes
                if read_bytes > before:
                    since_s = self.loop.time()
                elif self.loop.time() - since_s >= patience_s:
                    raise

    @property
    def _read_bytes(self) -> int:
        """How much of what it was told has left this machine.

        The difference of two tells whether a viewer reads, but for a few bytes of pings.
        """
        waiting = self.transport.get_write_buffer_size() + _unsent_bytes(self._socket)
        return self._written_bytes - waiting

    @property
    def _lags(self) -> bool:
        if not self._pings or not self._answers_pings:
            return False
        return self.slow or self._is_late(self._pings[0][1], LAG_S)

    def _is_late(self, sent_s: float, lag_s: float) -> bool:
        """Whether the answer to a ping comes, or is still to come, so much later than it might."""
        return self.loop.time() - sent_s > lag_s + (self._round_trip_s or 0.0)

    def _ping(self) -> None:
        if not self._answers_pings and len(self._pings) == UNHEARD_PINGS:
            # There may never be an answer.
            self._pings.popleft()
        self._pings.append((self._told, self.loop.time()))
        self._unasked = self._unasked_bytes = 0
        self.conn.send_ping(self._told.to_bytes(NUMBER_BYTES))
        self.transport.write(b"".join(self.conn.data_to_send()))

    def handle_pong(self, event: Frame) -> None:
        """Learn how far the viewer has read; an answer stands for those to earlier pings, too."""
        if len(event.data) != NUMBER_BYTES:
            super().handle_pong(event)
            return
        # Whichever it answers, it answers.
        self._answers_pings = True
        self._heard.set()
        number, sent_s = int.from_bytes(event.data), None
        while self._pings and self._pings[0][0] <= number:
            sent_s = self._pings.popleft()[1]
        if sent_s is not None:
            took_s = self.loop.time() - sent_s
            self._round_trip_s = min(took_s, self._round_trip_s or took_s)
            if not self._pings:
                self.slow = self.slow and self._is_late(sent_s, LAG_S / 2)

    # -- letting go -------------------------------------------------------------------------------

    def send_keepalive_ping(self) -> None:
        """Ask whether the viewer is still there."""
        super().send_keepalive_ping()
        self._read_bytes_at_ping = self._read_bytes

    def keepalive_timeout(self) -> None:
        """Let go of a viewer that is not there any more, even if it has not read all."""
        before, self._read_bytes_at_ping = self._read_bytes_at_ping, self._read_bytes
        if self.ping_timeout is not None and self._read_bytes_at_ping > before:
            # On a slow line, the ping is still behind what it was told.
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()


def _unsent_bytes(connection: socket.socket) -> int:
    """Return how much the kernel holds that the other side has not acknowledged, where it tells."""
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        # This kind of system, or socket, does not tell; or the connection is gone.
        return 0
    return int.from_bytes(answer, sys.byteorder, signed=True)
