"""The worker process of an agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable

from server.concurrency.child_process import MAX_LINE_BYTES, child_environment, how_it_ended
from server.concurrency.json_lines import Message

__all__ = ["WorkerProcess"]


class WorkerProcess:
    """A process of `python -m server.worker`; its messages are passed on as they are.

    Created by `WorkerProcess.start`. It exits when this process ends, because its standard input
    then ends.

    Parameters
    ----------
    process : asyncio.subprocess.Process
        The process.
    on_message : callable
        Called with each reply and event.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, on_message: Callable[[Message], None]
    ) -> None:
        self._process = process
        self._on_message = on_message

    @classmethod
    async def start(cls, on_message: Callable[[Message], None]) -> WorkerProcess:
        """Start the process."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=child_environment(),
            limit=MAX_LINE_BYTES,
        )
        return cls(process, on_message)

    def send(self, command: Message) -> None:
        """Send a command; does nothing if the process has ended."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(command, separators=(",", ":")).encode() + b"\n")

    async def wait(self) -> str:
        """Pass messages on until the process ends; return a clause that says how it ended."""
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the process was started without a pipe")
        while line := await stdout.readline():
            self._on_message(json.loads(line))
        return how_it_ended(await self._process.wait())

    async def kill(self) -> None:
        """Kill the process."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
