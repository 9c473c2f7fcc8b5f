"""Making runs: anew, or from another's checkpoint; whole, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from server.concurrency.capacity import Places
from server.corpora.library import CorpusLibrary
from server.files.failpoints import reach
from server.files.run_directories import RunFolders
from server.files.storage_quota import Room
from server.runs.recovery import whole_file
from server.runs.run_controller import LiveRun
from server.spec.fork_spec import forked_spec
from server.spec.limits import Limits
from server.spec.run_factory import draft_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Checkpoint, ForkedFrom, Run
from server.store.database import Store
from server.store.executor import StoreThread

__all__ = ["RunMaker"]


class RunMaker:
    """Makes runs, as far as there is a place and room for them.

    Parameters
    ----------
    lives : dict
        The runs that there are, by id; those that are made are added.
    live : callable
        Returns a run as it lives.
    corpora : CorpusLibrary
        The texts.
    folders : RunFolders
        Where runs' files are.
    store : StoreThread
        Where the rest of them is.
    limits : Limits
        How many there may be, and how large.
    room : Room
        How much may be stored.
    """

    def __init__(
        self,
        lives: dict[str, LiveRun],
        live: Callable[[Run], LiveRun],
        *,
        corpora: CorpusLibrary,
        folders: RunFolders,
        store: StoreThread,
        limits: Limits,
        room: Room,
    ) -> None:
        self._lives = lives
        self._live = live
        self._corpora = corpora
        self._folders = folders
        self._store = store
        self._limits = limits
        self._room = room
        refusal = f"The limit is {limits.runs:,} runs: delete one to make another."
        self._places = Places(limits.runs, lambda: len(lives), refusal)
        self._to_be_learned: Counter[str] = Counter()
        self._forking = asyncio.Lock()

    def needs(self, corpus: str) -> bool:
        """Whether a run is being made that learns this text."""
        return self._to_be_learned[corpus] > 0

    async def create(self, spec: RunSpec) -> LiveRun:
        """Make a run.

        Raises
        ------
        SpecError
            The spec does not go with the corpus.
        LimitReachedError
            There are as many runs, or as much is stored, as may be.
        """
        run = self._draft(spec)
        async with self._made(run) as life:
            reach("run.add")
            await self._store(Store.add_run, run.id, run.model_dump_json())
            reach("run.added")
        return life

    async def fork(self, trunk: LiveRun, checkpoint: str, changes: dict[str, Any]) -> LiveRun:
        """Make a run that goes on from another's checkpoint.

        It has the other's history up to there, and shares nothing with it from then on.

        Parameters
        ----------
        trunk : LiveRun
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
                await trunk.upkeep.keep_safe()
                found = await trunk.shelf.newest()
            found = found or await trunk.shelf.find(checkpoint)
            with trunk.shelf.holding(found.id):
                return await self._branch(trunk, found, changes)

    async def _branch(self, trunk: LiveRun, found: Checkpoint, changes: dict[str, Any]) -> LiveRun:
        # What the branch had to measure itself would lack its replay: the snapshots stay behind.
        await trunk.recorder.caught_up()
        source = await whole_file(trunk.recorder, trunk.shelf, found.id)
        spec = forked_spec(trunk.run, found, changes)
        origin = ForkedFrom(run=trunk.run.id, checkpoint=found.id, update=found.update)
        new = self._draft(spec).model_copy(update={"forked_from": origin})
        async with self._made(new) as branch:
            note = f"forked from {trunk.run.name} at update {found.update:,}"
            copied = await branch.shelf.copy_in(source, note)
            reach("run.fork")
            await self._store(
                Store.add_fork,
                new.id,
                new.model_dump_json(),
                parent=trunk.run.id,
                update=found.update,
                checkpoint=copied,
            )
            reach("run.forked")
            await branch.take_up()
        return branch

    def _draft(self, spec: RunSpec) -> Run:
        return draft_run(spec, self._corpora, self._limits.network_bytes)

    @contextlib.asynccontextmanager
    async def _made(self, run: Run) -> AsyncIterator[LiveRun]:
        """Let a run be there once all is done that makes it; if that fails, it never was."""
        with self._places.held(), self._learning(run.corpus):
            await self._room.check()
            await asyncio.to_thread(self._folders.make, run.id)
            life = self._live(run)
            try:
                yield life
            except BaseException:
                await life.discard()
                await asyncio.to_thread(self._folders.remove, run.id)
                raise
            self._lives[run.id] = life

    @contextlib.contextmanager
    def _learning(self, corpus: str) -> Iterator[None]:
        """Keep a text from being deleted while a run that learns it is made."""
        self._to_be_learned[corpus] += 1
        try:
            yield
        finally:
            self._to_be_learned[corpus] -= 1
