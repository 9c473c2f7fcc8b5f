"""Creating runs, new or forked from a checkpoint; a run is created completely or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.concurrency.capacity import CapacityLimit
from server.corpora.library import CorpusLibrary
from server.corpora.visible_text import without_controls
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.files.run_directories import RunDirectories
from server.files.storage_quota import StorageQuota
from server.runs.initial_checkpoint import GivenFile, initial_checkpoint, spec_for
from server.runs.run_controller import RunController
from server.spec.fork_spec import forked_spec
from server.spec.limits import Limits
from server.spec.run_draft import draft_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Checkpoint, ForkedFrom, Group, Run, RunGroup
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["RunFactory", "SweepPlace"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepPlace:
    """The place of a new run in a sweep.

    Attributes
    ----------
    sweep : str
        Id of the sweep.
    group : Group or None
        The group of the runs with the same settings.
    rows : callable
        Returns, for the run's id, what `Store.add_run` calls to add the rows of both.
    """

    sweep: str
    group: Group | None
    rows: Callable[[str], Callable[[sqlite3.Connection], None]]


class RunFactory:
    """Creates runs, within the limits.

    Parameters
    ----------
    controllers : dict
        All runs by their ids; new ones are added.
    make_controller : callable
        Returns the controller of a run.
    corpora : CorpusLibrary
        The texts.
    directories : RunDirectories
        The directories of the runs.
    store : StoreExecutor
        The database.
    limits : Limits
        How many runs there may be, and how large.
    quota : StorageQuota
        How much may be stored.
    """

    def __init__(
        self,
        controllers: dict[str, RunController],
        make_controller: Callable[[Run], RunController],
        *,
        corpora: CorpusLibrary,
        directories: RunDirectories,
        store: StoreExecutor,
        limits: Limits,
        quota: StorageQuota,
    ) -> None:
        self._controllers = controllers
        self._make_controller = make_controller
        self._corpora = corpora
        self._directories = directories
        self._store = store
        self._limits = limits
        self._quota = quota
        refusal = f"The limit is {limits.runs:,} runs: delete one to create another."
        self._capacity = CapacityLimit(limits.runs, lambda: len(controllers), refusal)
        self._corpora_in_use: Counter[str] = Counter()
        self._forking = asyncio.Lock()

    def uses(self, corpus: str) -> bool:
        """Whether a run that is being created trains on this text."""
        return self._corpora_in_use[corpus] > 0

    async def create(self, spec: RunSpec, place: SweepPlace | None = None) -> RunController:
        """Create a run.

        Parameters
        ----------
        spec : RunSpec
            Its spec.
        place : SweepPlace or None
            Its place in a sweep; None if it belongs to none.

        Raises
        ------
        SpecError
            The spec does not fit the corpus.
        LimitReachedError
            A limit of the runs or of the storage is reached.
        """
        run, add_more = self._draft(spec), None
        if place is not None:
            run.sweep, add_more = place.sweep, place.rows(run.id)
            if (group := place.group) is not None:
                run.group = RunGroup(id=group.id, name=group.name)
        async with self._creating(run) as controller:
            failpoint("run.add")
            await self._store(Store.add_run, run.id, run.model_dump_json(), add_more=add_more)
            failpoint("run.added")
        return controller

    async def create_members(self, specs: Sequence[RunSpec], group: Group) -> list[RunController]:
        """Create runs as `create`, and add them to a group; all of them or none.

        Parameters
        ----------
        specs : sequence of RunSpec
            The specs of the runs.
        group : Group
            The group; `runs` are the members that exist already.
        """
        drafts = [self._draft(spec) for spec in specs]
        for run in drafts:
            run.group = RunGroup(id=group.id, name=group.name)
        async with contextlib.AsyncExitStack() as stack:
            # The stack ends in reverse order, in which the runs are added to the others.
            controllers = [
                await stack.enter_async_context(self._creating(run)) for run in reversed(drafts)
            ]
            members = [*group.runs, *(run.id for run in drafts)]
            failpoint("group.add")
            await self._store(
                Store.add_group,
                group.model_copy(update={"runs": members}),
                [(run.id, run.model_dump_json()) for run in drafts],
            )
            failpoint("group.added")
        return controllers[::-1]

    async def create_from(self, spec: RunSpec, given: GivenFile) -> RunController:
        """Create a run that starts from given weights: with a checkpoint at update 0.

        Raises
        ------
        SpecError, pydantic.ValidationError
            The spec does not fit the corpus or the weights.
        ParametersError
            The weights do not fit the corpus.
        LimitReachedError
            A limit of the runs or of the storage is reached.
        """
        run = self._draft(spec_for(spec, spec.model_fields_set, given.parameters))
        with self._using(run.corpus):
            path = self._corpora.path(run.corpus)
            start = await asyncio.to_thread(initial_checkpoint, run.spec, path, given)
            run = run.model_copy(update={"given_weights": start.about})
            async with self._creating(run) as controller:
                note = f"started from the weights of {given.name}"
                written = await controller.checkpoint_store.write_file(
                    start.arrays, start.meta, note
                )
                failpoint("run.add")
                await self._store(Store.add_run, run.id, run.model_dump_json(), written)
                failpoint("run.added")
                await controller.recovery.recover()
        return controller

    async def fork(
        self, parent: RunController, checkpoint: str, changes: dict[str, Any]
    ) -> RunController:
        """Create a run that continues from a checkpoint of another.

        It has a copy of the parent's history up to there, and shares nothing with it.

        Parameters
        ----------
        parent : RunController
            The other run.
        checkpoint : str
            Id of its checkpoint; "latest" is its state now.
        changes : dict
            Fields of the spec that differ from the parent's.

        Raises
        ------
        UnknownCheckpointError
            There is no such checkpoint.
        SpecError, pydantic.ValidationError
            The value of a field is not allowed.
        LimitReachedError
            A limit of the runs or of the storage is reached.
        """
        # One at a time, because each may save an automatic checkpoint, which would replace the one
        # that another is about to copy.
        async with self._forking:
            found = None
            if checkpoint == "latest":
                await parent.autosave()
                found = await parent.checkpoint_store.latest()
            found = found or await parent.checkpoint_store.find(checkpoint)
            with parent.checkpoint_store.pin(found.id):
                return await self._fork(parent, found, changes)

    async def _fork(
        self, parent: RunController, found: Checkpoint, changes: dict[str, Any]
    ) -> RunController:
        # Measure pending samples first: snapshots are not copied, so the fork could not write their
        # replays.
        await parent.recorder.drain()
        source = await parent.recovery.verified_file(found.id)
        spec = forked_spec(parent.run, found, changes)
        origin = ForkedFrom(run=parent.run.id, checkpoint=found.id, update=found.update)
        weights = parent.run.given_weights
        new = self._draft(spec).model_copy(update={"forked_from": origin, "given_weights": weights})
        async with self._creating(new) as fork:
            note = f"forked from {parent.run.name} at update {found.update:,}"
            copied = await fork.checkpoint_store.copy_file(source, note)
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
            await fork.recovery.recover()
        return fork

    async def adopt(self, run: Run, files: Path, insert: Callable[[Store], None]) -> RunController:
        """Create a run that was trained elsewhere; it does not train.

        Parameters
        ----------
        run : Run
            The run, with a new id and a text of this server.
        files : pathlib.Path
            Its directory, on the file system of the others; it is moved to them.
        insert : callable
            Adds the run with its rows to the database; durable when it returns.

        Raises
        ------
        LimitReachedError
            A limit of the runs or of the storage is reached.
        """
        async with self._creating(run, files) as controller:
            failpoint("run.import")
            await self._store(insert)
            failpoint("run.imported")
            await controller.recovery.recover()
        return controller

    def _draft(self, spec: RunSpec) -> Run:
        return draft_run(spec, self._corpora, self._limits.network_bytes)

    @contextlib.asynccontextmanager
    async def _creating(self, run: Run, files: Path | None = None) -> AsyncIterator[RunController]:
        """Add a run at the end of the block; if the block fails, remove every trace of it.

        `files` becomes its directory; None: it gets a new one.
        """
        with self._capacity.reserve(), self._using(run.corpus):
            await self._quota.check()
            if files is None:
                await asyncio.to_thread(self._directories.create, run.id)
            else:
                await asyncio.to_thread(self._directories.move_in, run.id, files)
            controller = self._make_controller(run)
            try:
                yield controller
            except BaseException:
                # Shielded: the server may be about to end, and cancel this.
                await asyncio.shield(self._remove(controller))
                raise
            self._controllers[run.id] = controller
            fields = {"run": run.id, "event": "created"}
            log.info("run %s created: %s", run.id, without_controls(run.name), extra=fields)

    async def _remove(self, controller: RunController) -> None:
        """Remove what a failed creation left, in memory, in the database, and in the directory."""
        run = controller.run.id
        await controller.kill()
        # It may be in the database: a call that is cancelled is still carried out.
        with contextlib.suppress(StorageError):
            await self._store(Store.delete_run, run)
        await asyncio.to_thread(self._directories.remove, run)

    @contextlib.contextmanager
    def _using(self, corpus: str) -> Iterator[None]:
        """Keep a text from being deleted while a run with it is created."""
        self._corpora_in_use[corpus] += 1
        try:
            yield
        finally:
            self._corpora_in_use[corpus] -= 1
