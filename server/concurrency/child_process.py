"""The server's end of the talk with a process that works for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from server.concurrency.json_lines import Message

__all__ = ["ChildExitedError", "ChildRefusedError", "JsonChildProcess", "OnEvent", "OnExit"]

# What a child has no use for, and any program of the same user could read from it.
SECRETS = {"HURRAH_OPERATOR_TOKEN"}
# A line may hold all the losses of a worker that could not send for a long time.
MAX_LINE_BYTES = 256 * 2**20
LAST_WORDS_LINES = 20

OnEvent = Callable[[Message], Awaitable[None]]
OnExit = Callable[[str], Awaitable[None]]


class ChildExitedError(RuntimeError):
    """The process ended before it answered."""


class ChildRefusedError(RuntimeError):
    """The process could not do what it was asked; the message says why.

    Attributes
    ----------
    errno : int or None
        The operating system's number for it, where it was the system that refused.
    """

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class JsonChildProcess:
    """A spawned Python process that takes commands and sends events, one JSON object a line.

    Made by `JsonChildProcess.start`. Events are handed to `on_event` one after the other, each
    awaited before the next, answers included: when `ask` returns, everything that the process sent
    before its answer has been handled.

    Parameters
    ----------
    process : asyncio.subprocess.Process
        The process.
    on_event : callable
        Awaited with each event that is not an answer.
    on_exit : callable
        Awaited once with a sentence that says how the process ended.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, on_event: OnEvent, on_exit: OnExit
    ) -> None:
        self._process = process
        self._on_event = on_event
        self._on_exit = on_exit
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._on_pieces: dict[int, Callable[[Message], None]] = {}
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS_LINES)
        self._tasks = asyncio.gather(self._read_events(), self._read_errors())
        self._watch = asyncio.create_task(self._watch_exit())

    @classmethod
    async def start(cls, module: str, on_event: OnEvent, on_exit: OnExit) -> JsonChildProcess:
        """Spawn a fresh interpreter that runs `module`, with BLAS held to one thread.

        One thread, because the matrices are small and several runs must not fight over the cores.
        A process group of its own, because Ctrl-C in the terminal is for the server to answer.
        """
        one_thread = dict.fromkeys(
            (
                "OPENBLAS_NUM_THREADS",
                "OMP_NUM_THREADS",
                "MKL_NUM_THREADS",
                "VECLIB_MAXIMUM_THREADS",
            ),
            "1",
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment() | one_thread,
            limit=MAX_LINE_BYTES,
            start_new_session=True,
        )
        return cls(process, on_event, on_exit)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, command: str, **arguments: Any) -> None:  # noqa: ANN401 - JSON values
        """Send a command without waiting for an answer; to a dead process, nothing happens."""
        self._send({"do": command, **arguments})

    async def ask(
        self,
        command: str,
        on_piece: Callable[[Message], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - JSON values
    ) -> Message:
        """Send a command and wait for its answer; what is said before it goes to `on_piece`.

        Raises
        ------
        ChildRefusedError
            It could not be done.
        ChildExitedError
            The process ended first.
        """
        if not self.alive:
            raise ChildExitedError("the process has ended")
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        if on_piece is not None:
            self._on_pieces[number] = on_piece
        self._send({"do": command, "id": number, **arguments})
        try:
            message: Message = await answer
        finally:
            self._answers.pop(number, None)
            self._on_pieces.pop(number, None)
        if "refused" in message:
            raise ChildRefusedError(message["refused"], message.get("errno"))
        return message

    async def leave(self, timeout_s: float = 5.0) -> None:
        """End the process by ending its standard input, or by force when that takes too long."""
        if self.alive and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._watch), timeout_s)
        except TimeoutError:
            self.kill()
            await self._watch

    def kill(self) -> None:
        """End the process at once."""
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
            if (number := message.get("before")) is not None:
                if (on_piece := self._on_pieces.get(number)) is not None:
                    on_piece(message)
            elif (number := message.get("answer")) is None:
                await self._on_event(message)
            elif (future := self._answers.get(number)) is not None and not future.done():
                future.set_result(message)

    async def _read_errors(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            raise RuntimeError("the process was started without a pipe")
        while line := await stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self._last_words.append(text)
            print(text, file=sys.stderr)  # noqa: T201 - the child's stderr belongs with ours

    async def _watch_exit(self) -> None:
        try:
            await self._tasks
        finally:
            # A fault in handling an event must not leave a process that nobody listens to.
            if self.alive:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), 1.0)
            self.kill()
            await self._process.wait()
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(ChildExitedError("the process ended before it answered"))
            await self._on_exit(self._how_it_ended())

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
            return f"its process was killed by signal {-code} ({name})"
        last = next((line for line in reversed(self._last_words) if line.strip()), "")
        return f"its process ended with status {code}" + (f": {last}" if last else "")


def _environment() -> dict[str, str]:
    # Settings are read in upper and in lower case.
    return {name: value for name, value in os.environ.items() if name.upper() not in SECRETS}
