"""An agent's connection to the server, made again whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections import deque
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from server.cluster.frames import Frame, FrameError, FrameReader, encode_frame
from server.cluster.node.task import Assignment, NodeTls
from server.concurrency.json_lines import Message

__all__ = ["DisconnectedError", "Link", "PlacementEndedError"]

log = logging.getLogger(__name__)

PLACEMENT_ENDED = 4409
FORBIDDEN = 403
# A server that is silent for PING_EVERY_S + PONG_TIMEOUT_S is taken for unreachable.
PING_EVERY_S = 4.0
PONG_TIMEOUT_S = 8.0
OPEN_TIMEOUT_S = 8.0
ALIVE_EVERY_S = 2.0
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
# A server that does not come back must not keep this machine busy for ever, and less so if the Dask
# worker has ended, too: then the machine was probably taken out of the cluster.
GIVE_UP_AFTER_S = 3_600.0
GIVE_UP_ALONE_AFTER_S = 30.0
MAX_MESSAGE_BYTES = 65_536


class DisconnectedError(ConnectionError):
    """There is no connection at present."""


class PlacementEndedError(Exception):
    """The server has ended this placement, or does not come back: the agent must exit."""


class Link:
    """The connection to the server.

    Parameters
    ----------
    assignment : Assignment
        Address and token.
    node : NodeTls
        This machine's certificate, with which it identifies itself to a server that asks for one.

    Attributes
    ----------
    connected : asyncio.Event
        Whether frames can be sent.
    received : int
        Number of the last command received in the session.
    hello : callable
        Returns the rest of the first frame.
    on_frame : callable
        Called with each frame received.
    on_session : callable
        Called when the server has started anew, and knows no more of what was posted.
    on_disconnected : callable
        Called when the connection is lost.
    """

    def __init__(self, assignment: Assignment, node: NodeTls) -> None:
        self._url = assignment["url"]
        self._headers = {"Authorization": f"Bearer {assignment['token']}"}
        self._tls: ssl.SSLContext | None = None
        if self._url.startswith("wss:"):
            self._tls = ssl.create_default_context(cadata=assignment["ca"])
            # A proxy in front of the server may have a certificate of a public authority.
            self._tls.load_default_certs()
            if node["certificate"] is not None:
                self._tls.load_cert_chain(node["certificate"], node["key"])
        # The Dask worker.
        self._parent = os.getppid()
        self._socket: ClientConnection | None = None
        self._session: str | None = None
        self._sending = asyncio.Lock()
        self._number = 0
        self._unacknowledged: deque[tuple[int, Frame]] = deque()
        self.connected = asyncio.Event()
        self.drained = asyncio.Event()
        self.drained.set()
        self.received = 0
        self.hello: Callable[[], Message] = dict
        self.on_frame: Callable[[Message, bytes], None] = lambda _header, _content: None
        self.on_session: Callable[[], None] = lambda: None
        self.on_disconnected: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Connect, and connect again when the connection is lost.

        Raises
        ------
        PlacementEndedError
            The agent must exit.
        """
        retry_s, last_s = FIRST_RETRY_S, time.monotonic()
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers=self._headers,
                    ssl=self._tls,
                    compression=None,
                    proxy=None,
                    max_size=MAX_MESSAGE_BYTES,
                    open_timeout=OPEN_TIMEOUT_S,
                    ping_interval=PING_EVERY_S,
                    ping_timeout=PONG_TIMEOUT_S,
                    close_timeout=1.0,
                ) as socket:
                    await self._serve(socket)
            except InvalidStatus as error:
                if error.response.status_code == FORBIDDEN:
                    raise PlacementEndedError from error
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code == PLACEMENT_ENDED:
                    raise PlacementEndedError from error
            except (OSError, WebSocketException, FrameError) as error:
                log.debug("cannot reach the server: %s", error)
            if self._disconnect():
                retry_s, last_s = FIRST_RETRY_S, time.monotonic()
            alone = os.getppid() != self._parent
            if time.monotonic() - last_s > (GIVE_UP_ALONE_AFTER_S if alone else GIVE_UP_AFTER_S):
                raise PlacementEndedError
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    async def send(self, header: Message, content: bytes = b"") -> None:
        """Send a frame that may be lost with the connection.

        Raises
        ------
        DisconnectedError
            There is no connection, or it was lost meanwhile.
        """
        async with self._sending:
            if (socket := self._socket) is None:
                raise DisconnectedError
            try:
                for message in encode_frame(header, content):
                    await socket.send(message)
            except ConnectionClosed as error:
                # `run` has not noticed yet. It could not if the caller tried again at once, because
                # then nothing would wait.
                if self._socket is socket:
                    self.connected.clear()
                raise DisconnectedError from error

    def next_number(self) -> int:
        """Return the number of the next frame to post."""
        self._number += 1
        return self._number

    async def post(self, header: Message, content: bytes = b"") -> None:
        """Send a frame with a number; it is sent again until the server has handled it."""
        self._unacknowledged.append((header["number"], (header, content)))
        self.drained.clear()
        try:
            await self.send(header, content)
        except DisconnectedError:
            log.debug("frame %d is sent again later", header["number"])

    def _disconnect(self) -> bool:
        """Note that the connection is lost; return whether there was one."""
        was_connected = self._socket is not None
        self._socket = None
        self.connected.clear()
        if was_connected:
            self.on_disconnected()
        return was_connected

    async def _serve(self, socket: ClientConnection) -> None:
        hello = {"type": "hello", "session": self._session, "received": self.received}
        for message in encode_frame(hello | self.hello()):
            await socket.send(message)
        reader = FrameReader()
        alive: asyncio.Task[None] | None = None
        try:
            async for received in socket:
                if not isinstance(received, bytes):
                    raise FrameError("a message is no bytes")
                if (frame := reader.read(received)) is None:
                    continue
                if frame[0]["type"] == "welcome":
                    await self._resume(frame[0], socket)
                    alive = asyncio.create_task(self._report_alive())
                    self.connected.set()
                else:
                    self._take(*frame)
            # The server has closed the connection in good order.
            raise ConnectionClosed(socket.protocol.close_rcvd, socket.protocol.close_sent)
        finally:
            if alive is not None:
                alive.cancel()

    def _take(self, header: Message, content: bytes) -> None:
        if header["type"] == "command":
            if header["number"] <= self.received:
                return  # It was sent again.
            self.received = header["number"]
        elif header["type"] == "ack":
            self._acknowledge(header["number"])
        self.on_frame(header, content)

    async def _resume(self, welcome: Message, socket: ClientConnection) -> None:
        """Send again what the server lacks, and then let new frames be sent."""
        if welcome["session"] != self._session:
            is_first, self._session = self._session is None, welcome["session"]
            self.received = 0
            self._unacknowledged.clear()
            self.drained.set()
            if not is_first:
                self.on_session()
        self._acknowledge(welcome["received"])
        async with self._sending:
            sent = 0
            # Others may be posted meanwhile.
            while sent < len(self._unacknowledged):
                _, (header, content) = self._unacknowledged[sent]
                for message in encode_frame(header, content):
                    await socket.send(message)
                sent += 1
            self._socket = socket

    def _acknowledge(self, number: int) -> None:
        while self._unacknowledged and self._unacknowledged[0][0] <= number:
            self._unacknowledged.popleft()
        if not self._unacknowledged:
            self.drained.set()

    async def _report_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            try:
                await self.send({"type": "alive", "received": self.received})
            except DisconnectedError:
                return
