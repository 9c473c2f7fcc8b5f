"""Which runs there are, which of them train, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.runs.background import Background
from server.runs.checkpoint_shelf import CheckpointShelf
from server.runs.corpora import Corpus, CorpusLibrary, UnknownCorpusError
from server.runs.errors import LimitReachedError, NotPossibleError, UnknownRunError
from server.runs.forking import forked_spec
from server.runs.live_run import LiveRun
from server.runs.models import ForkedFrom, Run, RunState
from server.runs.publishing import Publisher
from server.runs.recorder import Recorder
from server.runs.room import Room
from server.runs.run_names import made_up_name
from server.runs.sizes import Sizes, measure_sizes
from server.runs.snapshots import Snapshots
from server.runs.spec import RunChange, RunSpec, SpecError
from server.runs.store import Store, StoreThread
from server.runs.writing import ScribeDesk

__all__ = ["Limits", "Supervisor"]

log = logging.getLogger(__name__)

# Workers of paused runs that are kept, so that a step or a resume finds them at once.
IDLE_WORKERS = 4
# Of the 10 s in which the server must end; the web takes 2 and the scribe 1.
CLOSING_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs may take.

    Attributes
    ----------
    training_runs : int
        How many train at the same time; the others wait their turn.
    network_bytes : int
        About how much memory the network of one of them may take.
    runs : int
        How many are kept.
    stored_bytes : int or None
        How much the data directory may hold; None: whatever the disk does.
    """

    training_runs: int
    network_bytes: int
    runs: int = 1_000
    stored_bytes: int | None = None


class Supervisor:
    """Looks after all runs.

    Made by `Supervisor.open`, ended by `close`.

    Parameters
    ----------
    data_dir : pathlib.Path
        Where runs are kept.
    corpora : CorpusLibrary
        The texts.
    publisher : Publisher
        Whom everything that happens is told.
    limits : Limits
        How many runs may train, and how large they may be.
    """

    def __init__(
        self, data_dir: Path, corpora: CorpusLibrary, publisher: Publisher, limits: Limits
    ) -> None:
        self._runs_dir = data_dir / "runs"
        self._runs_dir.mkdir(parents=True, exist_ok=True)
        self.corpora = corpora
        self.store = StoreThread(data_dir / "hurrah.db")
        self._publisher = publisher
        self._limits = limits
        self.room = Room(data_dir, limits.stored_bytes)
        self._reader = ScribeDesk()
        self._lives: dict[str, LiveRun] = {}
        self._queue: list[str] = []
        self._starting: set[str] = set()
        self._background = Background("supervisor")
        self._closing = False

    @classmethod
    async def open(
        cls, data_dir: Path, corpora: CorpusLibrary, publisher: Publisher, limits: Limits
    ) -> Supervisor:
        """Take up the runs that the data directory holds, as they were left."""
        supervisor = cls(data_dir, corpora, publisher, limits)
        for run in reversed(await supervisor.store(Store.runs)):
            try:
                life = supervisor._live(run)
            except UnknownCorpusError as error:
                log.warning("run %s is left out, its text is not there: %s", run.id, error)
                continue
            await life.take_up()
            if run.state is RunState.QUEUED:
                supervisor._queue.append(run.id)
        supervisor._let_next_train()
        return supervisor

    async def resume_interrupted(self) -> None:
        """Let every run go on that trained when the server ended, the oldest first."""
        for life in list(self._lives.values()):
            if life.run.state is RunState.INTERRUPTED:
                try:
                    await self.resume(life.run.id)
                except NotPossibleError as error:
                    log.warning("run %s does not go on: %s", life.run.id, error)

    # -- what there is ----------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        return [life.run for life in reversed(self._lives.values())]

    def get(self, run: str) -> LiveRun:
        """Return a run by its id.

        Raises
        ------
        UnknownRunError
            There is none.
        """
        if (life := self._lives.get(run)) is None:
            raise UnknownRunError(run)
        return life

    def uses(self, corpus: str) -> bool:
        """Whether some run learns this text."""
        return any(life.run.corpus == corpus for life in self._lives.values())

    # -- what may be done -------------------------------------------------------------------------

    async def create(self, spec: RunSpec) -> Run:
        """Make a run; it trains at once if there is room.

        Raises
        ------
        SpecError
            The spec does not go with the corpus.
        LimitReachedError
            There are as many runs, or as much is stored, as may be.
        """
        return await self._begin(await self._make(spec))

    async def fork(self, run: str, checkpoint: str, changes: dict[str, Any]) -> Run:
        """Make a run that goes on from another's checkpoint.

        It has the other's history up to there, and shares nothing with it from then on.

        Parameters
        ----------
        run, checkpoint : str
            Whose checkpoint, and which; "latest" is where it stands now.
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
        trunk = self.get(run)
        found = None
        if checkpoint == "latest":
            await trunk.keep_safe()
            found = await trunk.shelf.newest()
        found = found or await trunk.shelf.find(checkpoint)
        origin = ForkedFrom(run=run, checkpoint=found.id, update=found.update)
        branch = await self._make(forked_spec(trunk.run, found, changes), origin)
        # What the branch had to measure itself would lack its replay: the snapshots stay behind.
        await trunk.recorder.caught_up()
        await self.store(Store.copy_history, run, branch.run.id, found.update)
        note = f"forked from {trunk.run.name} at update {found.update:,}"
        await branch.shelf.copy(trunk.shelf.path(found.id), note)
        await branch.take_up()
        return await self._begin(branch)

    def measure(self, spec: RunSpec) -> tuple[Corpus, Sizes]:
        """Return the text that a run would learn, and what follows from both.

        Raises
        ------
        SpecError
            The spec does not go with the corpus.
        """
        corpus = self._corpus_for(spec)
        return corpus, measure_sizes(
            spec,
            characters=corpus.characters,
            distinct=corpus.distinct,
            max_memory_bytes=self._limits.network_bytes,
        )

    async def _make(self, spec: RunSpec, origin: ForkedFrom | None = None) -> LiveRun:
        corpus, sizes = self.measure(spec)
        if len(self._lives) >= self._limits.runs:
            raise LimitReachedError(
                f"The limit is {self._limits.runs:,} runs: delete one to make another."
            )
        await self.room.check()
        name = spec.name or made_up_name()
        spec = spec.model_copy(
            update={
                "corpus": corpus.id,
                "name": name,
                "watch_words": list(corpus.names) if spec.watch_words is None else spec.watch_words,
            }
        )
        run = Run(
            id=secrets.token_hex(6),
            name=name,
            state=RunState.PAUSED if spec.paused else RunState.QUEUED,
            spec=spec,
            corpus=corpus.id,
            corpus_name=corpus.name,
            corpus_characters=corpus.characters,
            updates_per_epoch=sizes.updates_per_epoch,
            parameters=sizes.parameters,
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            forked_from=origin,
        )
        life = self._live(run)
        await self.store(Store.add_run, run.id, run.model_dump_json())
        return life

    async def _begin(self, life: LiveRun) -> Run:
        if life.run.spec.paused:
            await life.stand_ready()
            self._rest_some()
        else:
            await self.resume(life.run.id)
        return life.run

    async def resume(self, run: str) -> Run:
        """Let a run train, now or when there is room."""
        life = self.get(run)
        state, last = life.run.state, life.run.spec.max_updates
        if state is RunState.RUNNING or run in self._queue or run in self._starting:
            return life.run
        if last is not None and life.run.update >= last:
            raise NotPossibleError(
                f"The run has made all its {last:,} updates: raise max_updates to go on."
            )
        self._queue.append(run)
        await self._train_next()
        if run in self._queue:
            await life.recorder.enter(RunState.QUEUED)
        return life.run

    async def pause(self, run: str) -> Run:
        """Stop a run where it is."""
        life = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        await life.pause()
        self._rest_some()
        return life.run

    async def step(self, run: str, updates: int) -> Run:
        """Make exactly so many updates of a paused run."""
        life = self.get(run)
        await life.step(updates)
        self._rest_some()
        return life.run

    async def stop(self, run: str) -> Run:
        """End a run."""
        life = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        await life.stop()
        return life.run

    async def change(self, run: str, change: RunChange) -> Run:
        """Change what may be changed about a run."""
        life = self.get(run)
        if "watch_words" in change.model_fields_set and change.watch_words is None:
            names = self._corpus_for(life.run.spec).names
            change = change.model_copy(update={"watch_words": list(names)})
        await life.change(change)
        return life.run

    async def delete(self, run: str) -> None:
        """Forget a run and all it kept."""
        life = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        del self._lives[run]
        await life.discard()
        await self.store(Store.delete_run, run)
        await asyncio.to_thread(shutil.rmtree, self._runs_dir / run, ignore_errors=True)
        self._publisher.close(run)
        self._let_next_train()

    async def close(self) -> None:
        """Checkpoint every active run and end every process."""
        self._closing = True
        endings = [asyncio.create_task(life.interrupt()) for life in self._lives.values()]
        if endings:
            await asyncio.wait(endings, timeout=CLOSING_PATIENCE_S)
        for ending in endings:
            if not ending.done():
                # It goes on from its last automatic checkpoint.
                log.error("a run took too long to end, and is cut off")
            elif (error := ending.exception()) is not None:
                log.error("a run was not ended well: %s", error, exc_info=error)
        await self._reader.leave()
        await self.store.close()

    # -- who trains -------------------------------------------------------------------------------

    @property
    def _room(self) -> bool:
        lives = self._lives.values()
        training = {life.run.id for life in lives if life.run.state is RunState.RUNNING}
        return len(training | self._starting) < self._limits.training_runs

    def _let_next_train(self) -> None:
        if self._queue and self._room and not self._closing:
            self._background.start(self._train_next())

    async def _train_next(self) -> None:
        """Let the run that has waited longest train, if there is room."""
        if not self._queue or not self._room or self._closing:
            return
        run = self._queue.pop(0)
        self._starting.add(run)
        try:
            await self._lives[run].train()
        finally:
            self._starting.discard(run)
            self._let_next_train()

    def _left_running(self, _life: LiveRun) -> None:
        self._let_next_train()

    def _rest_some(self) -> None:
        """Let the workers of all but the newest paused runs go."""
        idle = [
            life
            for life in self._lives.values()
            if life.has_worker and life.run.state is RunState.PAUSED
        ]
        for life in idle[:-IDLE_WORKERS]:
            self._background.start(life.rest())

    # -- making -----------------------------------------------------------------------------------

    def _corpus_for(self, spec: RunSpec) -> Corpus:
        corpora = self.corpora.list()
        wanted = spec.corpus
        if wanted is None:
            wanted = next(corpus.id for corpus in corpora if corpus.shipped)
        corpus = next((corpus for corpus in corpora if corpus.id == wanted), None)
        if corpus is None:
            raise SpecError("corpus", f"{wanted!r} is not there")
        return corpus

    def _live(self, run: Run) -> LiveRun:
        corpus_path = self.corpora.path(run.corpus)
        checkpoints = self._runs_dir / run.id / "checkpoints"
        snapshots = Snapshots.beside(checkpoints)
        life = LiveRun(
            Recorder(
                run, corpus_path, self.store, self._publisher, self._reader, snapshots=snapshots
            ),
            CheckpointShelf(run.id, checkpoints, self.store),
            corpus_path,
            self.store,
            self._left_running,
        )
        self._lives[run.id] = life
        return life
