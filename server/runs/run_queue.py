"""The queue of the runs that wait to train."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from server.concurrency.background_tasks import BackgroundTasks
from server.errors import ConflictError
from server.files.disk_errors import StorageError
from server.runs.run_controller import RunController
from server.spec.schemas import RunState
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["RunQueue"]


class RunQueue:
    """The runs that wait to train, in the order in which they will start.

    The queue sets `Run.queue_position` of every run. Its order is stored when a run is added or
    moved. A stored run that waits no longer is skipped by `restore`.

    Parameters
    ----------
    controllers : mapping of str to RunController
        All runs by their ids.
    store : StoreExecutor
        The database.
    background : BackgroundTasks
        For the messages to viewers.
    """

    def __init__(
        self,
        controllers: Mapping[str, RunController],
        store: StoreExecutor,
        background: BackgroundTasks,
    ) -> None:
        self._controllers = controllers
        self._store = store
        self._background = background
        self._runs: list[str] = []
        # For the runs that were taken from the queue, the order in which they were.
        self._taken: dict[str, int] = {}
        self._numbers = itertools.count()

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._runs))

    @property
    def first(self) -> str:
        """The run that starts next; there must be one."""
        return self._runs[0]

    async def restore(self) -> None:
        """Queue the runs that waited when the server ended, in their stored order.

        A run that was not stored in time is last.
        """
        queued = [
            run
            for run, controller in self._controllers.items()
            if controller.run.state is RunState.QUEUED
        ]
        stored = await self._store(queries.queued_runs)
        for controller in self._controllers.values():
            controller.run.queue_position = None
        self._runs = sorted(queued, key=lambda run: _index(stored, run))
        self._number()

    def append(self, run: str) -> None:
        """Add a run at the end; `save` stores it."""
        self._taken.pop(run, None)
        self._runs.append(run)
        self._number()

    def prepend(self, run: str) -> None:
        """Add a run as the first, unless it is queued; `save` stores it."""
        if run not in self._runs:
            self._taken.pop(run, None)
            self._runs.insert(0, run)
            self._number()

    def put_back(self, run: str) -> None:
        """Add a run that could not start, behind those that `pop` returned before it."""
        if run not in self._runs:
            number = self._taken.get(run, 0)
            before = sum(self._taken.get(each, math.inf) < number for each in self._runs)
            self._runs.insert(before, run)
            self._number()

    def pop(self) -> str:
        """Remove and return the first run."""
        run = self._runs[0]
        self.remove(run)
        self._taken[run] = next(self._numbers)
        return run

    def remove(self, run: str) -> None:
        """Remove a run if it is queued."""
        self._taken.pop(run, None)
        if run in self._runs:
            self._runs.remove(run)
            if (controller := self._controllers.get(run)) is not None:
                controller.run.queue_position = controller.run.waiting_for = None
            self._number()

    async def save(self) -> None:
        """Store the order; on a full disk it is stored when there is space again."""
        await self._store(Store.save_queue, list(self._runs))

    async def move(self, run: str, position: int) -> None:
        """Move a run to a position; durable when this returns.

        Parameters
        ----------
        run : str
            Id of the run.
        position : int
            From 1, the run that starts next. A greater position than there are is the last one.

        Raises
        ------
        ConflictError
            The run is not queued.
        StorageError
            The order cannot be stored; it is as before.
        """
        if run not in self._runs:
            raise ConflictError("The run is not waiting for a free core.")
        before = self._runs.index(run)
        self._insert(run, position - 1)
        try:
            await self._store(Store.save_queue_durably, list(self._runs))
        except StorageError:
            if run in self._runs:
                self._insert(run, before)
            raise

    def _insert(self, run: str, index: int) -> None:
        self._runs.remove(run)
        self._runs.insert(index, run)
        self._number()

    def _number(self) -> None:
        """Set the positions, and publish those that have changed.

        A run that is added or removed changes its state too, which is published elsewhere.
        """
        for position, run in enumerate(self._runs, start=1):
            controller = self._controllers.get(run)
            if controller is None or controller.run.queue_position == position:
                continue
            was_queued = controller.run.queue_position is not None
            controller.run.queue_position = position
            if was_queued:
                self._background.start(controller.recorder.publish_state())


def _index(runs: Sequence[str], run: str) -> int:
    return runs.index(run) if run in runs else len(runs)
