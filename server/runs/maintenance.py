"""What goes on by itself while a run has a worker: storing, checkpoints, waiting for room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from server.errors import ConflictError
from server.files.disk_errors import StorageError
from server.files.storage_quota import NoRoomError, StorageQuota
from server.runs.checkpoint_store import CheckpointStore
from server.runs.recorder import Recorder
from server.spec.schemas import Checkpoint, Run, RunState
from server.worker.client import WorkerClient

__all__ = ["MaintenanceLoops", "RunContext"]

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 1.0


class RunContext(Protocol):
    """What the routines need of a run that lives."""

    recorder: Recorder
    checkpoint_store: CheckpointStore

    @property
    def run(self) -> Run:
        """The run as it stands."""

    async def write_checkpoint(self, note: str | None, *, automatic: bool) -> Checkpoint | None:
        """Have the worker write a checkpoint, and take it in; None when there is no worker."""

    async def hold(self, why: StorageError) -> None:
        """Stand still until there is room, because the disk takes nothing more."""

    async def retire_when_finished(self) -> None:
        """Let the worker of a finished run go, if there is room for its last checkpoint."""


class MaintenanceLoops:
    """The routines of one run.

    Parameters
    ----------
    controller : Life
        The run.
    worker_client : WorkerClient
        Its worker.
    go_on : callable
        Awaited when the run was short of room and no longer is.
    room : Room
        How much may be stored.
    """

    def __init__(
        self,
        controller: RunContext,
        worker_client: WorkerClient,
        go_on: Callable[[], Awaitable[object]],
        room: StorageQuota,
    ) -> None:
        self._controller = controller
        self._worker_client = worker_client
        self._go_on = go_on
        self._room = room
        self._flushed = -1
        self._routines: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, unless it goes on already."""
        if not self._routines:
            self._flushed = -1
            self._routines = [
                asyncio.create_task(self._flush_routine()),
                asyncio.create_task(self._safety_routine()),
            ]

    def stop(self) -> None:
        """End; the routine that asks for it itself ends after what it is doing."""
        current = asyncio.current_task()
        for routine in self._routines:
            if routine is not current:
                routine.cancel()
        self._routines = []

    async def keep_safe(self, *, whatever: bool = False) -> None:
        """Make an automatic checkpoint, if there is a worker and it has gone on since the last.

        Parameters
        ----------
        whatever : bool
            Also if it has not gone on: something else has changed.

        Raises
        ------
        StorageError
            There is no room for it.
        """
        controller = self._controller
        newest = await controller.checkpoint_store.last()
        if not whatever and newest is not None and newest.update == controller.run.update:
            return
        try:
            await controller.write_checkpoint(None, automatic=True)
        except ConflictError as error:
            if not self._worker_client.discarded:
                log.warning("run %s: no automatic checkpoint: %s", controller.run.id, error)

    async def _flush_routine(self) -> None:
        """Make the history durable once a second, and tell the worker how far it is."""
        routines = self._routines
        while routines is self._routines:
            await asyncio.sleep(FLUSH_EVERY_S)
            try:
                await self._flush()
            except StorageError as error:
                await self._controller.hold(error)

    async def _flush(self) -> None:
        run = self._controller.run
        if run.disk_full or run.update != self._flushed:
            self._flushed = await self._controller.recorder.flush()
            self._worker_client.tell("flushed", update=self._flushed)
        # Only who trains is held: a last checkpoint is worth more than the limit.
        if run.disk_full or run.state is RunState.RUNNING:
            await self._see_room()
        if run.disk_full:
            await self.keep_safe()
            if run.state is RunState.PAUSED:
                await self._go_on()
            else:
                await self._controller.recorder.enter(run.state)
        if run.state is RunState.FINISHED:
            await self._controller.retire_when_finished()

    async def _see_room(self) -> None:
        try:
            await self._room.check()
        except NoRoomError as error:
            raise StorageError(str(error)) from error

    async def _safety_routine(self) -> None:
        """Make a checkpoint every so often, so that little is lost with the worker."""
        routines = self._routines
        while routines is self._routines:
            await asyncio.sleep(self._controller.run.spec.checkpoint_every_s)
            try:
                await self.keep_safe()
            except StorageError as error:
                await self._controller.hold(error)
