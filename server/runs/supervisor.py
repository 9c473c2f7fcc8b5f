"""Which runs there are, which of them train, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

from server.checkpoints.snapshots import Snapshots
from server.concurrency.background_tasks import Background
from server.corpora.library import Corpus, CorpusLibrary, UnknownCorpusError
from server.errors import ConflictError, UnknownRunError
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.files.run_directories import RunDirectories
from server.files.storage_quota import StorageQuota
from server.inference.client import InferenceClient
from server.runs.checkpoint_store import CheckpointStore
from server.runs.creation import RunFactory
from server.runs.publisher import Publisher
from server.runs.recorder import Recorder
from server.runs.run_controller import RunController
from server.runs.startup import finish_deleting, take_up
from server.spec.limits import Limits
from server.spec.run_change import RunChange
from server.spec.run_factory import measure_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState
from server.spec.sizing import Sizes
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["DATABASE", "Supervisor"]

log = logging.getLogger(__name__)

DATABASE = "hurrah.db"
# Workers of paused runs that are kept, so that a step or a resume finds them at once.
IDLE_WORKERS = 4
# Of the 10 s in which the server must end; the web takes 2 and the scribe 1.
CLOSING_PATIENCE_S = 4.0


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
        self._folders = RunDirectories(data_dir / "runs")
        self.corpora = corpora
        self.store = StoreExecutor(data_dir / DATABASE)
        self._publisher = publisher
        self._limits = limits
        self.room = StorageQuota(data_dir, limits.stored_bytes)
        self._reader = InferenceClient()
        self._controllers: dict[str, RunController] = {}
        self._maker = RunFactory(
            self._controllers,
            self._live,
            corpora=corpora,
            folders=self._folders,
            store=self.store,
            limits=limits,
            room=self.room,
        )
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
        deleted = await finish_deleting(supervisor._folders, supervisor.store)
        for run in reversed(await supervisor.store(queries.list_runs)):
            if run.id in deleted:
                continue
            try:
                controller = supervisor._live(run)
            except (UnknownCorpusError, OSError) as error:
                log.warning("run %s is left out, it lacks its text or folder: %s", run.id, error)
                continue
            supervisor._controllers[run.id] = controller
            await take_up(controller)
            if run.state is RunState.QUEUED:
                supervisor._queue.append(run.id)
        supervisor._let_next_train()
        return supervisor

    async def resume_interrupted(self) -> None:
        """Let every run go on that trained when the server, or its worker, ended, oldest first."""
        for controller in list(self._controllers.values()):
            if controller.run.state in {RunState.INTERRUPTED, RunState.FAILED}:
                try:
                    await self.resume(controller.run.id)
                except (ConflictError, StorageError) as error:
                    log.warning("run %s does not go on: %s", controller.run.id, error)
                except Exception:
                    log.exception("run %s does not go on", controller.run.id)

    # -- what there is ----------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        return [controller.run for controller in reversed(self._controllers.values())]

    def get(self, run: str) -> RunController:
        """Return a run by its id.

        Raises
        ------
        UnknownRunError
            There is none.
        """
        if (controller := self._controllers.get(run)) is None:
            raise UnknownRunError(run)
        return controller

    def uses(self, corpus: str) -> bool:
        """Whether some run learns this text."""
        learned = {controller.run.corpus for controller in self._controllers.values()}
        return corpus in learned or self._maker.needs(corpus)

    # -- what may be done -------------------------------------------------------------------------

    async def create(self, spec: RunSpec) -> Run:
        """Make a run, as `RunFactory.create` does; it trains at once if there is room."""
        return await self._begin(await self._maker.create(spec))

    async def fork(self, run: str, checkpoint: str, changes: dict[str, Any]) -> Run:
        """Make a run that goes on from another's checkpoint, as `RunFactory.fork` does."""
        return await self._begin(await self._maker.fork(self.get(run), checkpoint, changes))

    def measure(self, spec: RunSpec) -> tuple[Corpus, Sizes]:
        """Return the text that a run would learn, and what follows from both.

        Raises
        ------
        SpecError
            The spec does not go with the corpus.
        """
        return measure_run(spec, self.corpora, self._limits.network_bytes)

    async def _begin(self, controller: RunController) -> Run:
        # It is made: what keeps it from training it says itself.
        with contextlib.suppress(StorageError):
            if controller.run.spec.paused:
                await controller.stand_ready()
                self._rest_some()
            else:
                await self.resume(controller.run.id)
        return controller.run

    async def resume(self, run: str) -> Run:
        """Let a run train, now or when there is room."""
        controller = self.get(run)
        state, last = controller.run.state, controller.run.spec.max_updates
        if state is RunState.RUNNING or run in self._queue or run in self._starting:
            return controller.run
        if last is not None and await controller.goes_on_from() >= last:
            raise ConflictError(
                f"The run has made all its {last:,} updates: raise max_updates to go on."
            )
        self._queue.append(run)
        await self._train_next()
        if run in self._queue:
            await controller.recorder.enter(RunState.QUEUED)
        return controller.run

    async def pause(self, run: str) -> Run:
        """Stop a run where it is."""
        controller = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        await controller.pause()
        self._rest_some()
        return controller.run

    async def step(self, run: str, updates: int) -> Run:
        """Make exactly so many updates of a paused run."""
        controller = self.get(run)
        await controller.step(updates)
        self._rest_some()
        return controller.run

    async def stop(self, run: str) -> Run:
        """End a run."""
        controller = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        await controller.stop()
        return controller.run

    async def change(self, run: str, change: RunChange) -> Run:
        """Change what may be changed about a run."""
        controller = self.get(run)
        if change.values().get("watch_words", "kept") is None:
            names = self.corpora.get(controller.run.corpus).names
            change = change.model_copy(update={"watch_words": list(names)})
        await controller.change(change)
        return controller.run

    async def delete(self, run: str) -> None:
        """Forget a run and all it kept."""
        controller = self.get(run)
        with contextlib.suppress(ValueError):
            self._queue.remove(run)
        failpoint("run.delete")
        await asyncio.to_thread(self._folders.doom, run)
        failpoint("run.doomed")
        del self._controllers[run]
        await controller.discard()
        # The room first, then the database: that is how one makes room on a full disk.
        await asyncio.to_thread(self._folders.clear, run)
        try:
            await self.store(Store.delete_run, run)
        except StorageError as error:
            log.warning("run %s is still in the database: %s", run, error)
        else:
            failpoint("run.deleted")
            await asyncio.to_thread(self._folders.forget, run)
        self._publisher.close(run)
        self._let_next_train()

    async def close(self) -> None:
        """Checkpoint every active run and end every process."""
        self._closing = True
        endings = [
            asyncio.create_task(controller.interrupt()) for controller in self._controllers.values()
        ]
        if endings:
            await asyncio.wait(endings, timeout=CLOSING_PATIENCE_S)
        late = [ending for ending in endings if not ending.done()]
        for ending in late:
            # It goes on from its last automatic checkpoint.
            log.error("a run took too long to end, and is cut off")
            ending.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for ending in endings:
            if not ending.cancelled() and (error := ending.exception()) is not None:
                log.error("a run was not ended well: %s", error, exc_info=error)
        await self._reader.leave()
        await self.store.close()

    # -- who trains -------------------------------------------------------------------------------

    @property
    def _room(self) -> bool:
        controllers = self._controllers.values()
        training = {
            controller.run.id
            for controller in controllers
            if controller.run.state is RunState.RUNNING
        }
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
        controller = self._controllers[run]
        try:
            await controller.train()
        except (StorageError, ConflictError) as error:
            await controller.could_not_begin(error)
            raise
        finally:
            self._starting.discard(run)
            self._let_next_train()

    def _rest_some(self) -> None:
        """Let the workers of all but the newest paused runs go."""
        idle = [
            controller
            for controller in self._controllers.values()
            if controller.has_worker and controller.run.state is RunState.PAUSED
        ]
        for controller in idle[:-IDLE_WORKERS]:
            self._background.start(controller.rest())

    def _live(self, run: Run) -> RunController:
        corpus_path = self.corpora.path(run.corpus)
        checkpoints = self._folders.checkpoints(run.id)
        snapshots = Snapshots.beside(checkpoints)
        return RunController(
            Recorder(
                run, corpus_path, self.store, self._publisher, self._reader, snapshots=snapshots
            ),
            CheckpointStore(run.id, checkpoints, self.store),
            corpus_path,
            self.store,
            left_running=self._let_next_train,
            go_on=lambda: self.resume(run.id),
            room=self.room,
        )
