"""The server's end of the pipes to a child process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command, encode_command
from server.installation import IS_PACKAGE

__all__ = [
    "MAX_LINE_BYTES",
    "ChildExitedError",
    "ChildRefusedError",
    "JsonChildProcess",
    "OnEvent",
    "OnExit",
    "child_environment",
    "how_it_ended",
]

log = logging.getLogger(__name__)

# Variables that a child process does not need, and that any program of the same user could read
# from its environment.
SECRETS = {"HURRAH_OPERATOR_TOKEN", "HURRAH_WEBHOOK_SECRET", "HURRAH_WEBHOOK_URL"}
ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# A line may contain all the losses of a worker that could not send for a long time.
MAX_LINE_BYTES = 256 * 2**20
STDERR_LINES_KEPT = 20

OnEvent = Callable[[Message], Awaitable[None]]
OnExit = Callable[[str], Awaitable[None]]


class ChildExitedError(RuntimeError):
    """The process ended before it replied."""


class ChildRefusedError(RuntimeError):
    """The process could not carry out a command; the message says why.

    Attributes
    ----------
    errno : int or None
        The operating system's error number, if the operating system reported the error.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class JsonChildProcess:
    """A spawned Python process that takes commands and sends events, one JSON object a line.

    Created by `JsonChildProcess.start`. Messages are handled in order, and each call of `on_event`
    is awaited before the next message is handled. So when `request` returns, every event that the
    process sent before its reply has been handled.

    Parameters
    ----------
    process : asyncio.subprocess.Process
        The process.
    on_event : callable
        Awaited with each event.
    on_exit : callable
        Awaited once with a clause that says how the process ended.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, on_event: OnEvent, on_exit: OnExit
    ) -> None:
        self._process = process
        self._on_event = on_event
        self._on_exit = on_exit
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._on_partial: dict[int, Callable[[Message], None]] = {}
        self._stderr_tail: deque[str] = deque(maxlen=STDERR_LINES_KEPT)
        self._tasks = asyncio.gather(self._read_events(), self._read_errors())
        self._watch = asyncio.create_task(self._watch_exit())

    @classmethod
    async def start(cls, module: str, on_event: OnEvent, on_exit: OnExit) -> Self:
        """Spawn a fresh interpreter that runs `module`, with BLAS limited to one thread.

        One thread, because the matrices are small and several runs must not compete for the cores.
        A session of its own, because the server alone handles Ctrl-C in the terminal.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=child_environment(),
            limit=MAX_LINE_BYTES,
            start_new_session=True,
        )
        return cls(process, on_event, on_exit)

    @property
    def alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def notify(self, command: Command) -> None:
        """Send a command that is not answered; does nothing if the process has ended."""
        self._send(encode_command(command))

    async def request(
        self,
        command: Command,
        on_partial: Callable[[Message], None] | None = None,
        *,
        cancellable: bool = False,
    ) -> Message:
        """Send a command and return its reply; partial replies before it go to `on_partial`.

        Parameters
        ----------
        command : Command
            The command.
        on_partial : callable or None
            Called with each partial reply.
        cancellable : bool
            Whether the process cancels the command if this task is cancelled. Otherwise it is
            carried out, and nothing waits for the reply.

        Raises
        ------
        ChildRefusedError
            The process could not carry out the command.
        ChildExitedError
            The process ended before it replied.
        """
        if not self.alive:
            raise ChildExitedError("the process has ended")
        number = next(self._numbers)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        try:
            self._replies[number] = reply
            if on_partial is not None:
                self._on_partial[number] = on_partial
            self._send(encode_command(command, number))
            message: Message = await reply
        except asyncio.CancelledError:
            if cancellable:
                self._send({"cancel": number})
            raise
        finally:
            self._replies.pop(number, None)
            self._on_partial.pop(number, None)
        if "refused" in message:
            raise ChildRefusedError(message["refused"], message.get("errno"))
        return message

    async def terminate(self, timeout_s: float = 5.0) -> None:
        """End the process by closing its standard input; kill it if that takes too long."""
        if self.alive and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._watch), timeout_s)
        except TimeoutError:
            self.kill()
            await self._watch

    def kill(self) -> None:
        """Kill the process."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _send(self, message: Message) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _read_events(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the process was started without a pipe")
        while line := await stdout.readline():
            message: Message = json.loads(line)
            if (number := message.get("partial")) is not None:
                self._pass_on_partial(number, message)
            elif (number := message.get("answer")) is None:
                await self._on_event(message)
            elif (future := self._replies.get(number)) is not None and not future.done():
                future.set_result(message)

    def _pass_on_partial(self, number: int, message: Message) -> None:
        on_partial, reply = self._on_partial.get(number), self._replies.get(number)
        try:
            if on_partial is not None:
                on_partial(message)
        except Exception as error:  # noqa: BLE001 - raised by `request`
            # Only the request whose partial reply cannot be used fails.
            del self._on_partial[number]
            if reply is not None and not reply.done():
                reply.set_exception(error)

    async def _read_errors(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            raise RuntimeError("the process was started without a pipe")
        while line := await stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self._stderr_tail.append(text)
            # The server's own standard error may be closed.
            with contextlib.suppress(OSError, ValueError):
                print(text, file=sys.stderr)  # noqa: T201 - passes on the child's stderr

    async def _watch_exit(self) -> None:
        try:
            await self._tasks
        except Exception:
            log.exception("a message of a child process could not be handled")
        # If handling an event failed, the process must not run on unread.
        if self.alive:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 1.0)
        self.kill()
        await self._process.wait()
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ChildExitedError("the process ended before it replied"))
        try:
            await self._on_exit(self._how_it_ended())
        except Exception:
            # Raised here, it would reach whatever ends the process next.
            log.exception("the end of a child process could not be handled")

    def _how_it_ended(self) -> str:
        last = next((line for line in reversed(self._stderr_tail) if line.strip()), "")
        ended = how_it_ended(self._process.returncode)
        return f"{ended}: {last}" if last and (self._process.returncode or 0) >= 0 else ended


def how_it_ended(code: int | None) -> str:
    """Return a clause about the end of a process, given its return code."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        return f"its process was killed by signal {-code} ({name})"
    return f"its process ended with status {code}"


def child_environment() -> dict[str, str]:
    """Return the environment of child processes: without secrets, with BLAS on one thread."""
    # The server accepts settings in upper and in lower case.
    own = {name: value for name, value in os.environ.items() if name.upper() not in SECRETS}
    if IS_PACKAGE:
        # `python -m` would look for the server's modules in the working directory first.
        own["PYTHONSAFEPATH"] = "1"
    return own | dict.fromkeys(ONE_THREAD, "1")
