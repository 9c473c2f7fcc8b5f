"""The worker of one run, as its run sees it: started when it is needed, asked, and let go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from server.concurrency.child_process import (
    ChildExitedError,
    ChildRefusedError,
    JsonChildProcess,
    OnEvent,
    OnExit,
)
from server.concurrency.json_lines import Message
from server.errors import ConflictError
from server.files.disk_errors import as_storage_error
from server.files.durable import clear_unfinished

__all__ = ["WorkerClient"]


class WorkerClient:
    """A worker that is there or not.

    Parameters
    ----------
    prepare : callable
        Awaited before a worker starts; returns what its start command is to hold.
    hear : callable
        Awaited with each event.
    left : callable
        Awaited with a sentence when a worker ended that was not let go.
    """

    def __init__(
        self, prepare: Callable[[], Awaitable[Message]], hear: OnEvent, left: OnExit
    ) -> None:
        self._prepare = prepare
        self._hear = hear
        self._left = left
        self._worker: JsonChildProcess | None = None
        self._starting = asyncio.Lock()
        self._discarded = False
        self.leaving = False

    @property
    def worker(self) -> JsonChildProcess | None:
        """The process, to tell it from another; None when there is none."""
        return self._worker

    @property
    def alive(self) -> bool:
        """Whether there is a process, which holds the run's network."""
        return self._worker is not None and self._worker.alive

    async def ask(self, command: str, **arguments: Any) -> Message:  # noqa: ANN401 - JSON values
        """Ask the worker, which is started if there is none.

        Raises
        ------
        ConflictError
            It refused, or ended before it had answered.
        StorageError
            It could not write what it was to write.
        """
        worker = await self.ensure()
        try:
            return await worker.ask(command, **arguments)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError as error:
            raise ConflictError("The run's process ended before it was done.") from error

    async def ask_if_there(self, command: str, **arguments: Any) -> Message | None:  # noqa: ANN401
        """Ask the worker if there is one; None otherwise, or when it dies of something else."""
        async with self._starting:
            worker = self._worker
        if worker is None:
            return None
        try:
            return await worker.ask(command, **arguments)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError:
            return None

    def tell(self, command: str, **arguments: Any) -> None:  # noqa: ANN401 - JSON values
        """Tell the worker something, if there is one."""
        if self._worker is not None:
            self._worker.tell(command, **arguments)

    async def ensure(self, *, training: bool = False) -> JsonChildProcess:
        """Return the worker; one that is started now trains at once if that is wanted."""
        async with self._starting:
            if self._discarded:
                raise ConflictError("The run was deleted.")
            if self._worker is not None and self._worker.alive:
                return self._worker
            start = await self._prepare()
            self.leaving = False
            folder = Path(start["folder"]).parent

            async def ended(how: str) -> None:
                # What it was just writing may be as large as all that the run keeps.
                await asyncio.to_thread(clear_unfinished, folder, worker.pid)
                await self._ended(how)

            worker = await JsonChildProcess.start("server.worker", self._hear, ended)
            self._worker = worker
            try:
                await worker.ask("start", training=training, **start)
            except (ChildExitedError, ChildRefusedError) as error:
                raise ConflictError("The run's process could not start.") from error
            return worker

    async def let_go(self, unless: Callable[[], bool] = lambda: False) -> bool:
        """End the worker, if there is one, after what it was asked before.

        Parameters
        ----------
        unless : callable
            Asked when nobody can start another any more; True keeps the worker.

        Returns
        -------
        bool
            Whether there is none now.
        """
        async with self._starting:
            if unless():
                return False
            self.leaving = True
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.tell("leave")
                await worker.leave()
        return True

    async def discard(self) -> None:
        """End the worker at once; there will be no other."""
        self._discarded = True
        # A worker that is just being started is waited for, lest it be forgotten.
        async with self._starting:
            self.leaving = True
            if self._worker is not None:
                self._worker.kill()
                await self._worker.leave()

    @property
    def discarded(self) -> bool:
        """Whether there will be no worker any more."""
        return self._discarded

    async def _ended(self, how: str) -> None:
        if not self.leaving:
            await self._left(how)


def _refusal(error: ChildRefusedError) -> Exception:
    short = as_storage_error(OSError(error.errno, ""))
    return short or ConflictError(f"It could not be done: {error}.")
