"""The server's end of a worker process, which is started when it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.concurrency.child_process import (
    ChildExitedError,
    ChildRefusedError,
    JsonChildProcess,
    OnExit,
)
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command
from server.errors import ConflictError
from server.files.disk_errors import as_storage_error
from server.files.durable import clear_unfinished
from server.worker.messages import Report, Shutdown, Start, parse_event

__all__ = ["WorkerClient"]


class WorkerClient:
    """A run's worker process, which may or may not exist.

    Parameters
    ----------
    prepare : callable
        Awaited before a worker starts; takes whether it is to train, and returns its first command.
    on_report : callable
        Awaited with each report.
    on_exit : callable
        Awaited with a clause that says how a worker ended which had not been stopped.

    Attributes
    ----------
    stopping : bool
        Whether the worker was last told to stop, or killed.
    """

    def __init__(
        self,
        prepare: Callable[[bool], Awaitable[Start]],
        on_report: Callable[[Report], Awaitable[None]],
        on_exit: OnExit,
    ) -> None:
        self._prepare = prepare
        self._on_report = on_report
        self._on_exit = on_exit
        self._process: JsonChildProcess | None = None
        # Held while a worker starts or stops.
        self._transition = asyncio.Lock()
        self._killed = False
        self.stopping = False

    @property
    def process(self) -> JsonChildProcess | None:
        """The process, which identifies the worker; None without a worker."""
        return self._process

    @property
    def alive(self) -> bool:
        """Whether there is a process, which has the run's network in memory."""
        return self._process is not None and self._process.alive

    @property
    def killed(self) -> bool:
        """Whether `kill` was called: no worker will start any more."""
        return self._killed

    async def request(self, command: Command) -> Message:
        """Start a worker if there is none, send it a command, and return its reply.

        Raises
        ------
        ConflictError
            It refused the command, or ended before it replied.
        StorageError
            It could not write a file.
        """
        process = await self.start_if_needed()
        try:
            return await process.request(command)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError as error:
            raise ConflictError(
                "The run's process ended before it completed the command."
            ) from error

    async def request_if_alive(self, command: Command) -> Message | None:
        """Send a command if there is a worker; return None if there is none, or if it ends first.

        Raises
        ------
        ConflictError, StorageError
            As for `request`.
        """
        async with self._transition:
            process = self._process
        if process is None:
            return None
        try:
            return await process.request(command)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError:
            return None

    def notify(self, command: Command) -> None:
        """Send a command that is not answered, if there is a worker."""
        if self._process is not None:
            self._process.notify(command)

    async def start_if_needed(self, *, training: bool = False) -> JsonChildProcess:
        """Return the worker's process; a worker that is started now trains if `training` is true.

        Raises
        ------
        ConflictError
            The run was deleted, or the worker could not start.
        """
        async with self._transition:
            if self._killed:
                raise ConflictError("The run was deleted.")
            if self._process is not None and self._process.alive:
                return self._process
            start = await self._prepare(training)
            self.stopping = False
            directory = Path(start.directory).parent

            async def on_exit(how: str) -> None:
                # An unfinished file may be as large as everything else that the run stores.
                try:
                    await asyncio.to_thread(clear_unfinished, directory, process.pid)
                finally:
                    if not self.stopping:
                        await self._on_exit(how)

            process = await JsonChildProcess.start("server.worker", self._on_event, on_exit)
            self._process = process
            try:
                await process.request(start)
            except (ChildExitedError, ChildRefusedError) as error:
                raise ConflictError("The run's process could not start.") from error
            except Exception:
                # It waits for a first command that does not come.
                process.kill()
                raise
            return process

    async def stop(self, unless: Callable[[], bool] = lambda: False) -> bool:
        """End the worker, if there is one, once it has carried out the commands before this.

        Parameters
        ----------
        unless : callable
            Called when no other worker can start any more; if it returns True, the worker stays.

        Returns
        -------
        bool
            Whether there is no worker now.
        """
        async with self._transition:
            if unless():
                return False
            self.stopping = True
            process, self._process = self._process, None
            if process is not None:
                process.notify(Shutdown())
                await process.terminate()
        return True

    async def kill(self) -> None:
        """Kill the worker, if there is one; no other will start."""
        self._killed = True
        # The lock waits for a worker that is just starting, so that it is killed too.
        async with self._transition:
            self.stopping = True
            if self._process is not None:
                self._process.kill()
                await self._process.terminate()

    async def _on_event(self, message: Message) -> None:
        await self._on_report(parse_event(message))


def _refusal(error: ChildRefusedError) -> Exception:
    storage_error = as_storage_error(OSError(error.errno, ""))
    return storage_error or ConflictError(f"The command failed: {error}.")
