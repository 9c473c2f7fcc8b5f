"""All runs, and the queue of those that wait to train."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.checkpoints.snapshots import Snapshots
from server.concurrency.background_tasks import BackgroundTasks
from server.corpora.library import Corpus, CorpusLibrary, UnknownCorpusError
from server.errors import ConflictError, UnknownRunError
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.files.run_directories import RUNS, RunDirectories
from server.files.storage_quota import StorageQuota
from server.inference.client import InferenceClient
from server.runs.checkpoint_store import CheckpointStore
from server.runs.creation import RunFactory
from server.runs.initial_checkpoint import GivenFile
from server.runs.publisher import Publisher
from server.runs.recorder import Recorder
from server.runs.run_controller import RunController
from server.runs.run_queue import RunQueue
from server.runs.startup import finish_deletions, recover_run
from server.spec.limits import Limits
from server.spec.run_change import RunChange
from server.spec.run_draft import measure_run
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState
from server.spec.sizing import Sizes
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["DATABASE", "Supervisor"]

log = logging.getLogger(__name__)

DATABASE = "hurrah.db"
IDLE_WORKERS = 4
"""Workers of paused runs that are kept, so that a step or a resume need not start one."""
CLOSE_TIMEOUT_S = 4.0
"""Of the 10 s in which the server must end; the web takes 2 and the inference process 1."""


class Supervisor:
    """All runs of a data directory.

    Opened by `Supervisor.open`, ended by `close`.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    corpora : CorpusLibrary
        The texts.
    publisher : Publisher
        Receives the messages to viewers.
    limits : Limits
        How many runs may train, and how large they may be.

    Attributes
    ----------
    store : StoreExecutor
        The database.
    quota : StorageQuota
        How much may be stored in the data directory.
    """

    def __init__(
        self, data_dir: Path, corpora: CorpusLibrary, publisher: Publisher, limits: Limits
    ) -> None:
        self._directories = RunDirectories(data_dir / RUNS)
        self.corpora = corpora
        self.store = StoreExecutor(data_dir / DATABASE)
        self._publisher = publisher
        self._limits = limits
        self.quota = StorageQuota(data_dir, limits.stored_bytes)
        self._inference = InferenceClient()
        self._controllers: dict[str, RunController] = {}
        self._factory = RunFactory(
            self._controllers,
            self._make_controller,
            corpora=corpora,
            directories=self._directories,
            store=self.store,
            limits=limits,
            quota=self.quota,
        )
        self._background = BackgroundTasks("supervisor")
        self._queue = RunQueue(self._controllers, self.store, self._background)
        self._starting: set[str] = set()
        self._closing = False

    @classmethod
    async def open(
        cls, data_dir: Path, corpora: CorpusLibrary, publisher: Publisher, limits: Limits
    ) -> Supervisor:
        """Open a data directory and recover its runs."""
        supervisor = cls(data_dir, corpora, publisher, limits)
        deleted = await finish_deletions(supervisor._directories, supervisor.store)
        for run in reversed(await supervisor.store(queries.list_runs)):
            if run.id in deleted:
                continue
            try:
                controller = supervisor._make_controller(run)
            except (UnknownCorpusError, OSError) as error:
                log.warning(
                    "run %s is left out, its text or directory is missing: %s", run.id, error
                )
                continue
            supervisor._controllers[run.id] = controller
            await recover_run(controller)
        await supervisor._queue.restore()
        supervisor._schedule_next()
        return supervisor

    async def resume_interrupted(self) -> None:
        """Resume the runs that trained when the server or their worker ended, oldest first."""
        for controller in list(self._controllers.values()):
            if controller.run.state in {RunState.INTERRUPTED, RunState.FAILED}:
                try:
                    await self.resume(controller.run.id)
                except (ConflictError, StorageError) as error:
                    log.warning("run %s could not be resumed: %s", controller.run.id, error)
                except Exception:
                    log.exception("run %s could not be resumed", controller.run.id)

    # -- runs -------------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        controllers = reversed(self._controllers.values())
        return [controller.run for controller in controllers if not controller.deleted]

    def get(self, run: str) -> RunController:
        """Return a run by its id.

        Raises
        ------
        UnknownRunError
            There is none.
        """
        controller = self._controllers.get(run)
        if controller is None or controller.deleted:
            raise UnknownRunError(run)
        return controller

    def uses(self, corpus: str) -> bool:
        """Whether a run trains on this text."""
        in_use = {controller.run.corpus for controller in self._controllers.values()}
        return corpus in in_use or self._factory.uses(corpus)

    # -- actions ----------------------------------------------------------------------------------

    async def create(self, spec: RunSpec) -> Run:
        """Create a run as `RunFactory.create` does; it trains at once if a slot is free."""
        return await self._start(await self._factory.create(spec))

    async def create_from(self, spec: RunSpec, given: GivenFile) -> Run:
        """Create a run as `RunFactory.create_from` does; it trains at once if a slot is free."""
        return await self._start(await self._factory.create_from(spec, given))

    async def fork(self, run: str, checkpoint: str, changes: dict[str, Any]) -> Run:
        """Fork a run as `RunFactory.fork` does; the fork trains at once if a slot is free."""
        parent = self.get(run)
        with parent.command():
            fork = await self._factory.fork(parent, checkpoint, changes)
        return await self._start(fork)

    async def adopt(self, run: Run, files: Path, insert: Callable[[Store], None]) -> Run:
        """Create a run that was trained elsewhere, as `RunFactory.adopt` does."""
        return (await self._factory.adopt(run, files, insert)).run

    def measure(self, spec: RunSpec) -> tuple[Corpus, Sizes]:
        """Return the text of a spec, and the sizes of its network.

        Raises
        ------
        SpecError
            The spec does not fit the corpus.
        """
        return measure_run(spec, self.corpora, self._limits.network_bytes)

    async def _start(self, controller: RunController) -> Run:
        # The run exists; a failure to start is recorded on the run. It may be deleted already.
        with contextlib.suppress(StorageError, UnknownRunError):
            if controller.run.spec.paused:
                await controller.start_worker()
                self._unload_idle()
            else:
                await self.resume(controller.run.id)
        return controller.run

    async def resume(self, run: str) -> Run:
        """Train a run, now or when a slot is free."""
        controller = self.get(run)
        with controller.command():
            return await self._resume(controller)

    async def _resume(self, controller: RunController) -> Run:
        run = controller.run.id
        state, last = controller.run.state, controller.run.spec.max_updates
        if state is RunState.RUNNING or run in self._queue or run in self._starting:
            return controller.run
        if last is not None and await controller.resume_update() >= last:
            raise ConflictError(
                f"The run has made all its {last:,} updates: raise max_updates to continue."
            )
        self._queue.append(run)
        try:
            await self._start_next()
        except Exception:
            # The run that was started may be another one, which has waited longer.
            if run not in self._queue:
                raise
        if run in self._queue:
            await self._queue.save()
            await controller.recorder.set_state(RunState.QUEUED)
        return controller.run

    async def move_in_queue(self, run: str, position: int) -> Run:
        """Move a waiting run to a position in the queue. Raises as `RunQueue.move`."""
        controller = self.get(run)
        with controller.command():
            await self._queue.move(run, position)
        return controller.run

    async def pause(self, run: str) -> Run:
        """Pause a run."""
        controller = self.get(run)
        self._queue.remove(run)
        with controller.command():
            await controller.pause()
        self._unload_idle()
        return controller.run

    async def step(self, run: str, updates: int) -> Run:
        """Make exactly so many more updates of a paused run."""
        controller = self.get(run)
        with controller.command():
            await controller.step(updates)
        self._unload_idle()
        return controller.run

    async def stop(self, run: str) -> Run:
        """End a run."""
        controller = self.get(run)
        self._queue.remove(run)
        with controller.command():
            await controller.stop()
        return controller.run

    async def change(self, run: str, change: RunChange) -> Run:
        """Change fields of a run's spec that may change during a run."""
        controller = self.get(run)
        values = change.values()
        if "watch_words" in values and values["watch_words"] is None:
            names = self.corpora.get(controller.run.corpus).names
            change = change.model_copy(update={"watch_words": list(names)})
        with controller.command():
            await controller.change(change)
        return controller.run

    async def delete(self, run: str) -> None:
        """Delete a run and everything stored for it.

        From the call on, `get` does not find the run. A command in progress succeeds if it is
        early enough, and otherwise raises; nothing is deleted before it has ended.
        """
        controller = self.get(run)
        controller.deleted = True
        self._queue.remove(run)
        try:
            failpoint("run.delete")
            await asyncio.to_thread(self._directories.begin_deletion, run)
        except BaseException:
            controller.deleted = False
            raise
        failpoint("run.renamed")
        # If the server ends meanwhile, the next start finishes the deletion.
        await controller.kill()
        await controller.end_commands()
        del self._controllers[run]
        self._queue.remove(run)
        # The files first: on a full disk, that makes space for the database.
        await asyncio.to_thread(self._directories.delete_contents, run)
        try:
            await self.store(Store.delete_run, run)
        except StorageError as error:
            log.warning("run %s is still in the database: %s", run, error)
        else:
            failpoint("run.deleted")
            await asyncio.to_thread(self._directories.finish_deletion, run)
        self._publisher.close(run)
        self._schedule_next()

    async def close(self) -> None:
        """Checkpoint every active run and end every process."""
        self._closing = True
        interrupts = [
            asyncio.create_task(controller.interrupt()) for controller in self._controllers.values()
        ]
        if interrupts:
            await asyncio.wait(interrupts, timeout=CLOSE_TIMEOUT_S)
        late = [interrupt for interrupt in interrupts if not interrupt.done()]
        for interrupt in late:
            # The run will continue from its last automatic checkpoint.
            log.error("a run took too long to end, and is cancelled")
            interrupt.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for interrupt in interrupts:
            if not interrupt.cancelled() and (error := interrupt.exception()) is not None:
                log.error("ending a run failed: %s", error, exc_info=error)
        await self._inference.terminate()
        await self.store.close()

    # -- the queue --------------------------------------------------------------------------------

    @property
    def _has_free_slot(self) -> bool:
        controllers = self._controllers.values()
        training = {
            controller.run.id
            for controller in controllers
            if controller.run.state is RunState.RUNNING
        }
        return len(training | self._starting) < self._limits.training_runs

    def _schedule_next(self) -> None:
        if self._queue and self._has_free_slot and not self._closing:
            self._background.start(self._start_next())

    async def _start_next(self) -> None:
        """Train the run that has waited longest, if a slot is free."""
        if not self._queue or not self._has_free_slot or self._closing:
            return
        run = self._queue.pop()
        if (controller := self._controllers.get(run)) is None:
            # It was deleted.
            self._schedule_next()
            return
        self._starting.add(run)
        try:
            await controller.train()
        except Exception as error:
            # Whatever the reason, the run waits for nothing any more, and must not seem to.
            await controller.start_failed(error)
            raise
        finally:
            self._starting.discard(run)
            self._schedule_next()

    def _unload_idle(self) -> None:
        """Stop the workers of all paused runs but the newest."""
        idle = [
            controller
            for controller in self._controllers.values()
            if controller.has_worker and controller.run.state is RunState.PAUSED
        ]
        for controller in idle[:-IDLE_WORKERS]:
            self._background.start(controller.unload())

    def _make_controller(self, run: Run) -> RunController:
        corpus_path = self.corpora.path(run.corpus)
        checkpoints = self._directories.checkpoints(run.id)
        checkpoint_store = CheckpointStore(run.id, checkpoints, self.store)
        snapshots = Snapshots.of_checkpoints(checkpoints)
        return RunController(
            Recorder(
                run, corpus_path, self.store, self._publisher, self._inference, snapshots=snapshots
            ),
            checkpoint_store,
            corpus_path,
            self.store,
            on_training_stopped=self._schedule_next,
            resume=lambda: self.resume(run.id),
            quota=self.quota,
        )
