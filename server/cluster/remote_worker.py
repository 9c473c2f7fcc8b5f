"""The server's end of the connection to a worker on another machine.

The protocol is in docs/decisions/cluster.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import re
import secrets
from collections import deque
from pathlib import Path
from typing import Protocol

from server.checkpoints.npz import read_meta
from server.checkpoints.snapshots import Snapshots
from server.cluster import reports
from server.cluster.frames import PIECE_BYTES, Frame, FrameError, FrameReader, encode_frame
from server.cluster.received_files import ReceivedFile
from server.concurrency.background_tasks import BackgroundTasks
from server.concurrency.child_process import (
    ChildExitedError,
    ChildRefusedError,
    OnEvent,
    OnExit,
)
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command, encode_command
from server.worker.messages import ApplyChange, Shutdown, Start

__all__ = [
    "CLOSE_PLACEMENT_ENDED",
    "MAX_HOW_CHARACTERS",
    "RemoteWorker",
    "Socket",
    "SocketClosedError",
]

log = logging.getLogger(__name__)

CLOSE_PLACEMENT_ENDED = 4409
CLOSE_SERVER_RESTARTS = 1012
CLOSE_MALFORMED = 1002
# How long nothing may be heard of an agent, and how long it may take to connect again: a server
# that was itself suspended has heard nothing either.
LOST_AFTER_S = 15.0
RECONNECT_TIMEOUT_S = 10.0
# How long an agent may take to connect first: a node may load Python from a slow network drive.
CONNECT_TIMEOUT_S = 60.0
# After this a connection is taken for dead: the agent sends something every 2 s.
SILENCE_S = 10.0
# Of the clause in which an agent says how its worker ended.
MAX_HOW_CHARACTERS = 200
SNAPSHOT = re.compile(r"snapshots/(\d{1,18})\.npz", re.ASCII)


class SocketClosedError(ConnectionError):
    """The WebSocket is closed."""


class EndPlacement(Protocol):
    """Ends a placement durably."""

    async def __call__(self, *, lost: bool) -> None: ...


class Socket(Protocol):
    """A WebSocket with an agent; both methods raise `SocketClosedError`."""

    async def send(self, message: bytes) -> None:
        """Send a binary message."""

    async def receive(self) -> bytes:
        """Return the next binary message."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; does nothing if it is closed."""


class _Connection:
    """A WebSocket on which several tasks send frames, one after the other."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()
        self._reader = FrameReader()
        # The time between reports that the agent was told.
        self.interval_s: float | None = None
        self.uploads: dict[int, tuple[ReceivedFile, Path]] = {}

    async def send(self, header: Message, content: bytes = b"") -> None:
        """Send a frame; raises `SocketClosedError`."""
        async with self._sending:
            for message in encode_frame(header, content):
                await self._socket.send(message)

    async def receive(self) -> Frame:
        """Return the next frame.

        Raises
        ------
        SocketClosedError, FrameError
            There is none.
        TimeoutError
            Nothing was heard of the agent for `SILENCE_S`.
        """
        frame: Frame | None = None
        # A large frame may take longer on a slow network.
        while frame is None:
            async with asyncio.timeout(SILENCE_S):
                message = await self._socket.receive()
            frame = self._reader.read(message)
        return frame

    async def close(self, code: int, reason: str) -> None:
        """Close the WebSocket."""
        await self._socket.close(code, reason)


class RemoteWorker:
    """A worker on another machine, which has several connections one after the other.

    Parameters
    ----------
    machine : str
        The name of the machine.
    directory : pathlib.Path
        The run's directory on this machine.
    on_event, on_exit : callable
        As for `JsonChildProcess`.
    end_placement : callable
        Awaited once with whether the machine is lost; the token is then no longer valid.
    spec : dict or None
        The run's spec, if an earlier server has started the worker.

    Attributes
    ----------
    adopted : bool
        Whether an earlier server has started the worker.
    """

    remote = True

    def __init__(
        self,
        machine: str,
        directory: Path,
        on_event: OnEvent,
        on_exit: OnExit,
        end_placement: EndPlacement,
        *,
        spec: Message | None = None,
    ) -> None:
        self.machine = machine
        self._directory = directory
        self._snapshots = Snapshots(directory / "snapshots")
        self._on_event = on_event
        self._on_exit = on_exit
        self._end_placement = end_placement
        self._spec: Message = {} if spec is None else dict(spec)
        self.adopted = spec is not None
        self._agent: str | None = None
        self._session = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        # Commands that the agent has not acknowledged, and number of the last one sent.
        self._commands: deque[tuple[int, Message]] = deque()
        self._commands_added = asyncio.Event()
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._targets: dict[str, Path] = {}
        self._sources: dict[str, Path] = {}
        self._received = 0
        self._connection: _Connection | None = None
        self._interval_s: float | None = None
        self._background = BackgroundTasks(f"machine {machine}")
        self._ended = asyncio.Event()
        self._ending = False
        # How the placement ended, as a clause.
        self._how = ""
        self._timer: asyncio.TimerHandle | None = None
        # When the agent was last heard by this server.
        self._heard_at_s: float | None = None
        self._stopped = False

    # -- WorkerConnection -------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the placement has not ended; the agent may be disconnected at present."""
        return not self._ending

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the agent at present."""
        return self._connection is not None

    @property
    def has_connected(self) -> bool:
        """Whether an agent has connected to this server or an earlier one."""
        return self._agent is not None or self.adopted

    async def request(self, command: Command) -> Message:
        """Send a command, now or when the agent is connected, and return its reply.

        Raises
        ------
        ChildRefusedError
            The worker could not carry out the command.
        ChildExitedError
            The worker was lost before it replied.
        """
        message, number = await self._encode(command), next(self._numbers)
        if self._ending:
            raise ChildExitedError(self._how)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        name = f"files/{number}.npz"
        if "path" in message:
            self._targets[name] = Path(message["path"])
            message["path"] = name
        try:
            self._add_command(number, message | {"id": number})
            answer = await reply
        finally:
            self._replies.pop(number, None)
            self._targets.pop(name, None)
        if "refused" in answer:
            raise ChildRefusedError(answer["refused"], answer.get("errno"))
        return answer

    def notify(self, command: Command) -> None:
        """Send a command that is not answered; does nothing if the placement has ended."""
        if not self._ending:
            self._stopped = self._stopped or isinstance(command, Shutdown)
            self._note_change(command)
            self._add_command(next(self._numbers), encode_command(command))

    def set_interval(self, seconds: float) -> None:
        """Set the shortest time between two reports; the agent is told after its next one."""
        self._interval_s = seconds

    async def terminate(self, timeout_s: float = 5.0) -> None:
        """Wait until a worker that was told to shut down has ended; end the placement if need be.

        An agent that does not know yet learns it when it connects again.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s if self.connected else 0.0):
                await self._ended.wait()
        await self.end("it was stopped")

    def kill(self) -> None:
        """End the placement."""
        self._background.start(self.end("it was stopped"))

    # -- the placement ----------------------------------------------------------------------------

    def await_connection(self) -> None:
        """Begin to wait for the agent; the worker is lost if it does not connect in time."""
        loop = asyncio.get_running_loop()
        if self._agent is None and not self.adopted:
            text = f"its agent did not connect to this server within {CONNECT_TIMEOUT_S:g} s"
            self._timer = loop.call_later(CONNECT_TIMEOUT_S, self.lose, text)
            return
        now_s = loop.time()
        # A server that starts has heard nothing yet.
        heard_at_s = now_s if self._heard_at_s is None else self._heard_at_s
        lost_at_s = max(heard_at_s + LOST_AFTER_S, now_s + RECONNECT_TIMEOUT_S)
        text = f"nothing was heard of it for {lost_at_s - heard_at_s:.0f} s"
        self._timer = loop.call_at(lost_at_s, self.lose, text)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def lose(self, how: str) -> None:
        """Note that the worker or its machine is lost; `how` is a clause."""
        self._background.start(self.end(how, lost=not self._stopped))

    async def end(self, how: str, *, lost: bool = False) -> None:
        """End the placement durably, and then report how it ended."""
        if self._ending:
            await self._ended.wait()
            return
        self._ending, self._how = True, how
        self._stop_timer()
        try:
            await self._end_placement(lost=lost)
        except Exception:
            # A full disk. The agent is refused all the same, as long as this server runs.
            log.exception("the end of a placement could not be stored")
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ChildExitedError(how))
        await self._close(CLOSE_PLACEMENT_ENDED, "The placement has ended.")
        self._ended.set()
        try:
            await self._on_exit(how)
        except Exception:
            log.exception("the end of a worker could not be handled")

    async def detach(self) -> None:
        """Close the connection because the server ends; the agent connects to the next one."""
        self._ending, self._how = True, "the server ends"
        self._stop_timer()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ChildExitedError(self._how))
        await self._close(CLOSE_SERVER_RESTARTS, "The server ends.")
        self._ended.set()

    async def _close(self, code: int, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close(code, reason)

    # -- a connection -----------------------------------------------------------------------------

    async def serve(self, socket: Socket) -> None:
        """Talk to the agent over a connection until it is closed."""
        connection = _Connection(socket)
        try:
            await self._serve(connection)
        except SocketClosedError:
            log.debug("the connection to %s is closed", self.machine)
        except TimeoutError:
            await socket.close(CLOSE_SERVER_RESTARTS, "Nothing was heard of the agent.")
        except (FrameError, KeyError, TypeError) as error:
            log.warning("machine %s sent a malformed message: %r", self.machine, error)
            await socket.close(CLOSE_MALFORMED, "A message is malformed.")
        except Exception:
            # As for a process on this machine: it must not run on unread.
            log.exception("a message of machine %s could not be handled", self.machine)
            self.lose("one of its messages could not be handled")
        finally:
            if self._connection is connection:
                self._connection = None
                if not self._ending:
                    self.await_connection()

    async def _serve(self, connection: _Connection) -> None:
        hello, _ = await connection.receive()
        if hello["type"] != "hello":
            raise FrameError("the first frame is no hello")
        if self._ending or self._agent not in {None, hello["agent"]}:
            await connection.close(CLOSE_PLACEMENT_ENDED, "The placement has ended.")
            return
        if self.adopted and self._agent is None and not self._greet_running(hello):
            self.lose("its worker had not started yet")
            return
        self._agent = hello["agent"]
        self._stop_timer()
        await self._close(CLOSE_SERVER_RESTARTS, "The agent has another connection.")
        received = hello["received"] if hello["session"] == self._session else 0
        self._forget_commands(received)
        # From here on this is the connection.
        self._connection = connection
        welcome = {"type": "welcome", "session": self._session, "received": self._received}
        await connection.send(welcome)
        sender = asyncio.create_task(self._send_commands(connection, received))
        try:
            while True:
                frame = await connection.receive()
                self._heard_at_s = asyncio.get_running_loop().time()
                await self._handle(connection, *frame)
        finally:
            sender.cancel()
            for file, _ in connection.uploads.values():
                await asyncio.to_thread(file.discard)

    def _greet_running(self, hello: Message) -> bool:
        """Take over a worker that an earlier server started; whether it has started."""
        if not hello["started"] or hello["spec"] is None:
            return False
        known = hello["spec"]
        changes = {name: value for name, value in self._spec.items() if known.get(name) != value}
        self.notify(ApplyChange(changes=changes))
        return True

    async def _handle(self, connection: _Connection, header: Message, content: bytes) -> None:
        match header["type"]:
            case "report" | "reply" | "exit":
                await self._handle_numbered(connection, header, content)
            case "alive":
                self._forget_commands(header["received"])
            case "get":
                self._background.start(self._send_file(connection, header["file"]))
            case "upload":
                await self._begin_upload(connection, header)
            case "piece" if header["upload"] in connection.uploads:
                await self._receive_piece(connection, header["upload"], content)

    async def _handle_numbered(
        self, connection: _Connection, header: Message, content: bytes
    ) -> None:
        number = header["number"]
        if header["type"] == "exit" and not isinstance(header["how"], str):
            raise FrameError("an exit says in no text how the worker ended")
        if number > self._received:
            self._received = number
            if header["type"] == "report":
                await self._on_event(reports.from_frame(header, content))
            elif header["type"] == "reply":
                reply = self._replies.get(header["reply"]["answer"])
                if reply is not None and not reply.done():
                    reply.set_result(header["reply"])
            else:
                self.lose(header["how"][:MAX_HOW_CHARACTERS])
        ack = {"type": "ack", "number": number}
        if self._interval_s != connection.interval_s:
            ack["interval_s"] = connection.interval_s = self._interval_s
        await connection.send(ack)

    # -- sending ----------------------------------------------------------------------------------

    async def _encode(self, command: Command) -> Message:
        """Return a command with descriptions of files in place of their paths."""
        message = encode_command(command)
        self._note_change(command)
        if isinstance(command, Start):
            self._spec = dict(command.spec)
            self._sources = {"corpus": Path(command.corpus_path)}
            message |= {"directory": None, "corpus_path": await _describe(self._sources["corpus"])}
            update = 0
            if command.checkpoint is not None:
                path = self._sources["checkpoint"] = Path(command.checkpoint)
                message["checkpoint"] = await _describe(path)
                meta = await asyncio.to_thread(read_meta, path)
                update = meta["trainer"]["updates"]
            # As the worker does in its own directory.
            await asyncio.to_thread(self._snapshots.rewind, update)
        return message

    def _note_change(self, command: Command) -> None:
        if isinstance(command, ApplyChange):
            self._spec |= command.changes

    def _add_command(self, number: int, message: Message) -> None:
        self._commands.append((number, message))
        self._commands_added.set()

    def _forget_commands(self, received: int) -> None:
        while self._commands and self._commands[0][0] <= received:
            self._commands.popleft()

    async def _send_commands(self, connection: _Connection, sent: int) -> None:
        """Send the commands after number `sent`, and then each that is added."""
        with contextlib.suppress(SocketClosedError):
            while True:
                self._commands_added.clear()
                for number, message in [each for each in self._commands if each[0] > sent]:
                    header = {"type": "command", "number": number, "command": message}
                    await connection.send(header)
                    sent = number
                await self._commands_added.wait()

    # -- files ------------------------------------------------------------------------------------

    async def _send_file(self, connection: _Connection, name: str) -> None:
        """Send the corpus or the checkpoint to the agent."""
        try:
            path = self._sources[name]
            with await asyncio.to_thread(path.open, "rb") as file:
                last = False
                while not last:
                    piece = file.read(PIECE_BYTES)
                    last = len(piece) < PIECE_BYTES
                    await connection.send({"type": "file", "file": name, "last": last}, piece)
        except SocketClosedError:
            log.debug("machine %s will ask for the file again", self.machine)
        except (OSError, KeyError) as error:
            self.lose(f"the {name} could not be sent to it: {error!r}")

    def _target(self, name: str) -> Path | None:
        """Return where a file of the agent is stored; None if it was not asked for."""
        if (found := SNAPSHOT.fullmatch(name)) is not None:
            return self._snapshots.path(int(found[1]))
        return self._targets.get(name)

    async def _begin_upload(self, connection: _Connection, header: Message) -> None:
        target = self._target(header["path"])
        if target is None:
            await connection.send(_stored(header["upload"], OSError("It was not asked for.")))
        else:
            file = ReceivedFile(target, header["size"], header["sha256"])
            connection.uploads[header["upload"]] = (file, target)

    async def _receive_piece(self, connection: _Connection, upload: int, piece: bytes) -> None:
        file, target = connection.uploads[upload]
        file.add(piece)
        if file.complete:
            del connection.uploads[upload]
            self._background.start(self._finish_upload(connection, upload, file, target))
        elif file.must_write:
            await asyncio.to_thread(file.write)

    async def _finish_upload(
        self, connection: _Connection, upload: int, file: ReceivedFile, target: Path
    ) -> None:
        error: OSError | None = None
        try:
            await asyncio.to_thread(file.finish)
            if target == self._snapshots.path(int(target.stem) if target.stem.isdigit() else -1):
                every = self._spec["sample_every"]
                await asyncio.to_thread(self._snapshots.thin, int(target.stem), every)
        except OSError as refused:
            error = refused
        with contextlib.suppress(SocketClosedError):
            await connection.send(_stored(upload, error))


def _stored(upload: int, error: OSError | None) -> Message:
    """Return the answer to a file; an error's own text would name a path of the server."""
    text = None if error is None else error.strerror or (error.args and str(error.args[0]))
    errno = None if error is None else error.errno
    return {"type": "stored", "upload": upload, "error": text, "errno": errno}


async def _describe(path: Path) -> Message:
    """Return the size and the SHA-256 of a file."""

    def read() -> Message:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return {"size": file.tell(), "sha256": sha256}

    return await asyncio.to_thread(read)
