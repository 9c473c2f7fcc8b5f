"""Making runs: anew, or from another's checkpoint; whole, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from server.concurrency.capacity import CapacityLimit
from server.corpora.library import CorpusLibrary
from server.files.failpoints import failpoint
from server.files.run_directories import RunDirectories
from server.files.storage_quota import StorageQuota
from server.runs.recovery import whole_file
from server.runs.run_controller import RunController
from server.spec.fork_spec import forked_spec
from server.spec.limits import Limits
from server.spec.run_factory import draft_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Checkpoint, ForkedFrom, Run
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["RunFactory"]


class RunFactory:
    """Makes runs, as far as there is a place and room for them.

    Parameters
    ----------
    lives : dict
        The runs that there are, by id; those that are made are added.
    live : callable
        Returns a run as it lives.
    corpora : CorpusLibrary
        The texts.
    folders : RunDirectories
        Where runs' files are.
    store : StoreExecutor
        Where the rest of them is.
    limits : Limits
        How many there may be, and how large.
    room : Room
        How much may be stored.
    """

    def __init__(
        self,
        controllers: dict[str, RunController],
        live: Callable[[Run], RunController],
        *,
        corpora: CorpusLibrary,
        folders: RunDirectories,
        store: StoreExecutor,
        limits: Limits,
        room: StorageQuota,
    ) -> None:
        self._controllers = controllers
        self._live = live
        self._corpora = corpora
        self._folders = folders
        self._store = store
        self._limits = limits
        self._room = room
        refusal = f"The limit is {limits.runs:,} runs: delete one to make another."
        self._places = CapacityLimit(limits.runs, lambda: len(controllers), refusal)
        self._to_be_learned: Counter[str] = Counter()
        self._forking = asyncio.Lock()

    def needs(self, corpus: str) -> bool:
        """Whether a run is being made that learns this text."""
        return self._to_be_learned[corpus] > 0

    async def create(self, spec: RunSpec) -> RunController:
        """Make a run.

        Raises
        ------
        SpecError
            The spec does not go with the corpus.
        LimitReachedError
            There are as many runs, or as much is stored, as may be.
        """
        run = self._draft(spec)
        async with self._made(run) as controller:
            failpoint("run.add")
            await self._store(Store.add_run, run.id, run.model_dump_json())
            failpoint("run.added")
        return controller

    async def fork(
        self, parent: RunController, checkpoint: str, changes: dict[str, Any]
    ) -> RunController:
        """Make a run that goes on from another's checkpoint.

        It has the other's history up to there, and shares nothing with it from then on.

        Parameters
        ----------
        parent : RunController
            The other.
        checkpoint : str
            Its checkpoint; "latest" is where it stands now.
        changes : dict
            Fields of its spec that are to be others.

        Raises
        ------
        UnknownCheckpointError
            There is no such checkpoint.
        SpecError, pydantic.ValidationError
            A field can't be that.
        LimitReachedError
            There are as many runs, or as much is stored, as may be.
        """
        # Each may make an automatic checkpoint, and the one that another copies would give way.
        async with self._forking:
            found = None
            if checkpoint == "latest":
                await parent.upkeep.keep_safe()
                found = await parent.checkpoint_store.newest()
            found = found or await parent.checkpoint_store.find(checkpoint)
            with parent.checkpoint_store.holding(found.id):
                return await self._branch(parent, found, changes)

    async def _branch(
        self, parent: RunController, found: Checkpoint, changes: dict[str, Any]
    ) -> RunController:
        # What the branch had to measure itself would lack its replay: the snapshots stay behind.
        await parent.recorder.caught_up()
        source = await whole_file(parent.recorder, parent.checkpoint_store, found.id)
        spec = forked_spec(parent.run, found, changes)
        origin = ForkedFrom(run=parent.run.id, checkpoint=found.id, update=found.update)
        new = self._draft(spec).model_copy(update={"forked_from": origin})
        async with self._made(new) as branch:
            note = f"forked from {parent.run.name} at update {found.update:,}"
            copied = await branch.checkpoint_store.copy_in(source, note)
            failpoint("run.fork")
            await self._store(
                Store.add_fork,
                new.id,
                new.model_dump_json(),
                parent=parent.run.id,
                update=found.update,
                checkpoint=copied,
            )
            failpoint("run.forked")
            await branch.take_up()
        return branch

    def _draft(self, spec: RunSpec) -> Run:
        return draft_run(spec, self._corpora, self._limits.network_bytes)

    @contextlib.asynccontextmanager
    async def _made(self, run: Run) -> AsyncIterator[RunController]:
        """Let a run be there once all is done that makes it; if that fails, it never was."""
        with self._places.held(), self._learning(run.corpus):
            await self._room.check()
            await asyncio.to_thread(self._folders.make, run.id)
            controller = self._live(run)
            try:
                yield controller
            except BaseException:
                await controller.discard()
                await asyncio.to_thread(self._folders.remove, run.id)
                raise
            self._controllers[run.id] = controller

    @contextlib.contextmanager
    def _learning(self, corpus: str) -> Iterator[None]:
        """Keep a text from being deleted while a run that learns it is made."""
        self._to_be_learned[corpus] += 1
        try:
            yield
        finally:
            self._to_be_learned[corpus] -= 1
