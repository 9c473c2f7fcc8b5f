"""All runs, and the queue of those that wait to train."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from server.checkpoints.snapshots import Snapshots
from server.concurrency.background_tasks import BackgroundTasks
from server.concurrency.child_process import OnEvent, OnExit
from server.corpora.library import Corpus, CorpusLibrary, UnknownCorpusError
from server.errors import ConflictError, UnknownRunError
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.files.run_directories import RUNS, RunDirectories
from server.files.storage_quota import StorageQuota
from server.inference.client import InferenceClient
from server.runs.checkpoint_store import CheckpointStore
from server.runs.creation import RunFactory, SweepPlace
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
from server.spec.schemas import ENDED, SERVER_MACHINE, Group, Machine, Run, RunState
from server.spec.sizing import Sizes
from server.store import placements, queries
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.worker.client import FindWorker
from server.worker.launcher import (
    Cluster,
    Launcher,
    LocalLauncher,
    MachineUnavailableError,
    WorkerConnection,
)

__all__ = ["DATABASE", "Supervisor"]

log = logging.getLogger(__name__)

ClusterFactory = Callable[[StoreExecutor, Callable[[], None]], Cluster]

DATABASE = "hurrah.db"
SWEEP_COMPARES = ("learning_rate", "max_updates")
"""Fields on which the result of a run of a sweep depends."""
MAX_REMOTE_STARTS = 32
"""Runs that start in a cluster at the same time: on few cores, more agents connect too late."""
IDLE_WORKERS = 4
"""Workers of paused runs that are kept, so that a step or a resume need not start one."""
SAVE_TIMEOUT_S = 2.0
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
    collect_events : bool
        Whether the database collects what a webhook is sent.

    Attributes
    ----------
    store : StoreExecutor
        The database.
    quota : StorageQuota
        How much may be stored in the data directory.
    """

    def __init__(
        self,
        data_dir: Path,
        corpora: CorpusLibrary,
        publisher: Publisher,
        limits: Limits,
        *,
        collect_events: bool = False,
    ) -> None:
        self._directories = RunDirectories(data_dir / RUNS)
        self.corpora = corpora
        self.store = StoreExecutor(data_dir / DATABASE, collect_events=collect_events)
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
        # In the order in which they were taken from the queue.
        self._starting: dict[str, RunController] = {}
        self._cluster: Cluster | None = None
        self._closing = False

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        corpora: CorpusLibrary,
        publisher: Publisher,
        limits: Limits,
        *,
        cluster: ClusterFactory | None = None,
        collect_events: bool = False,
    ) -> Supervisor:
        """Open a data directory and recover its runs.

        Parameters
        ----------
        data_dir, corpora, publisher, limits, collect_events
            As for the class.
        cluster : callable or None
            Returns the machines on which the runs train, given the database and a function to call
            when free slots have changed. None: the server's own machine.
        """
        supervisor = cls(data_dir, corpora, publisher, limits, collect_events=collect_events)
        if cluster is None:
            await supervisor.store(placements.end_all)
        else:
            supervisor._cluster = cluster(supervisor.store, supervisor._schedule_next)
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
            await recover_run(controller, supervisor._find_worker(run))
        await supervisor._queue.restore()
        supervisor._schedule_next()
        return supervisor

    def _find_worker(self, run: Run) -> FindWorker:
        """Return a function that finds the worker which an earlier server left training a run."""

        async def find(on_event: OnEvent, on_exit: OnExit) -> WorkerConnection | None:
            if self._cluster is None:
                return None
            return await self._cluster.adopt(
                run.id,
                self._directories.checkpoints(run.id).parent,
                run.spec.model_dump(mode="json"),
                on_event=on_event,
                on_exit=on_exit,
            )

        return find

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

    def machines(self, address: str) -> list[Machine]:
        """Return the machines on which runs train.

        Parameters
        ----------
        address : str
            The address at which this server listens.
        """
        training = [
            controller.run
            for controller in self._controllers.values()
            if self._cluster is None and controller.run.state is RunState.RUNNING
        ]
        server = Machine(
            name=SERVER_MACHINE,
            address=address,
            slots=self._limits.training_runs if self._cluster is None else 0,
            used=len(training),
            state="ready",
            runs=[run.id for run in training],
        )
        return [server] if self._cluster is None else [server, *self._cluster.machines()]

    def uses(self, corpus: str) -> bool:
        """Whether a run trains on this text."""
        in_use = {controller.run.corpus for controller in self._controllers.values()}
        return corpus in in_use or self._factory.uses(corpus)

    # -- actions ----------------------------------------------------------------------------------

    async def create(self, spec: RunSpec) -> Run:
        """Create a run as `RunFactory.create` does; it trains at once if a slot is free.

        In a cluster it starts in the background, because a machine may take long to answer.
        """
        return await self._start(await self._factory.create(spec))

    async def create_members(self, specs: Sequence[RunSpec], group: Group) -> list[Run]:
        """Create runs as `RunFactory.create_members` does; they train as slots become free."""
        members = await self._factory.create_members(specs, group)
        return [await self._start(member) for member in members]

    async def create_for_sweep(self, spec: RunSpec, place: SweepPlace) -> Run:
        """Create a run of a sweep as `RunFactory.create` does; it is queued when this returns."""
        controller = await self._factory.create(spec, place)
        self._queue.append(controller.run.id)
        self._schedule_next()
        return controller.run

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
        # A paused run needs no machine before it is stepped or resumed.
        with contextlib.suppress(StorageError, UnknownRunError, MachineUnavailableError):
            if not controller.run.spec.paused:
                await self.resume(controller.run.id)
            elif self._cluster is None:
                await self._load(controller)
            else:
                self._background.start(self._load(controller))
        return controller.run

    async def _load(self, controller: RunController) -> None:
        """Start the worker of a paused run, if there is a machine for it."""
        with contextlib.suppress(StorageError, MachineUnavailableError):
            await controller.load()
            self._unload_idle()

    async def resume(self, run: str) -> Run:
        """Train a run, now or when a slot is free; in a cluster it is queued when this returns."""
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
            if self._cluster is None:
                await self._start_next()
        except Exception:
            # The run that was started may be another one, which has waited longer.
            if run not in self._queue:
                raise
        if run in self._queue:
            self._explain_waiting()
            # First, because the run may be started while the order is stored.
            await controller.recorder.set_state(RunState.QUEUED)
            await self._queue.save()
            self._schedule_next()
        return controller.run

    async def move_in_queue(self, run: str, position: int) -> Run:
        """Move a waiting run to a position in the queue. Raises as `RunQueue.move`."""
        controller = self.get(run)
        with controller.command():
            await self._queue.move(run, position)
        self._schedule_next()
        return controller.run

    async def pause(self, run: str) -> Run:
        """Pause a run."""
        controller = self.get(run)
        self._queue.remove(run)
        with controller.command():
            await controller.pause()
        # The next one may need fewer slots than this one waited for.
        self._schedule_next()
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
        self._schedule_next()
        return controller.run

    async def change(self, run: str, change: RunChange) -> Run:
        """Change fields of a run's spec that may change during a run."""
        controller = self.get(run)
        values = change.values()
        rate = values.get("learning_rate", controller.run.spec.learning_rate)
        if controller.run.group is not None and rate != controller.run.spec.learning_rate:
            raise ConflictError(
                f"The run is one of the seeds of {controller.run.group.name!r}, which all train"
                " with the same learning rate: fork it to train with another."
            )
        self._check_sweep_change(controller.run, values)
        if "watch_words" in values and values["watch_words"] is None:
            names = self.corpora.get(controller.run.corpus).names
            change = change.model_copy(update={"watch_words": list(names)})
        with controller.command():
            await controller.change(change)
        return controller.run

    @staticmethod
    def _check_sweep_change(run: Run, values: dict[str, Any]) -> None:
        """Refuse a change that makes the results of a sweep's runs incomparable."""
        compared = {name: values.get(name, getattr(run.spec, name)) for name in SWEEP_COMPARES}
        changes = any(value != getattr(run.spec, name) for name, value in compared.items())
        if run.sweep is not None and run.state not in ENDED and changes:
            raise ConflictError(
                "The run belongs to a sweep, which compares runs with their settings at the same"
                " update: fork it, or change it when it has ended."
            )

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

    async def save_remote_runs(self) -> None:
        """Save an automatic checkpoint of the runs that train in a cluster, in a short time."""
        if self._cluster is None:
            return
        saves = [
            asyncio.create_task(controller.autosave())
            for controller in self._controllers.values()
            if controller.has_worker
        ]
        if saves:
            await asyncio.wait(saves, timeout=SAVE_TIMEOUT_S)
        for save in saves:
            save.cancel()
        for result in await asyncio.gather(*saves, return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("a run could not be saved: %s", result)

    async def close(self) -> None:
        """Checkpoint every active run and end every process; those in a cluster train on."""
        self._closing = True
        if self._cluster is not None:
            await self._cluster.detach()
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
    def _next_fits(self) -> bool:
        """Whether a run is queued, and enough slots are free for the first one.

        A run that needs more slots than there are trains when all are free.
        """
        first = self._controllers.get(self._queue.first) if self._queue else None
        if first is None:
            # A run that was deleted takes no slot.
            return bool(self._queue)
        return self._obstacle(first) is None

    def _obstacle(self, controller: RunController) -> str | None:
        """Return why a run cannot train now, in a sentence; None if it can."""
        slots = controller.run.spec.slots
        if self._cluster is not None:
            if len(self._starting) >= MAX_REMOTE_STARTS:
                return f"{MAX_REMOTE_STARTS} other runs are starting."
            # The worker of a paused run has its slots.
            return None if controller.has_worker else self._missing_machine(self._cluster, slots)
        taken = sum(
            controller.run.spec.slots
            for run, controller in self._controllers.items()
            if controller.run.state is RunState.RUNNING or run in self._starting
        )
        if taken == 0 or taken + slots <= self._limits.training_runs:
            return None
        return f"{taken} of {self._limits.training_runs} slots are taken by other runs."

    def _missing_machine(self, cluster: Cluster, slots: int) -> str | None:
        """Return `Cluster.obstacle`, with the slots of the runs that start taken."""
        starting = {run: starts.run.spec.slots for run, starts in self._starting.items()}
        return cluster.obstacle(slots, starting)

    def would_start(self, spec: RunSpec) -> bool:
        """Whether a new run would train at once, and not wait in the queue."""
        if self._closing:
            return False
        if self._cluster is not None:
            return not self._queue and self._missing_machine(self._cluster, spec.slots) is None
        taken = sum(
            controller.run.spec.slots
            for run, controller in self._controllers.items()
            if controller.run.state is RunState.RUNNING
            or run in self._starting
            or run in self._queue
        )
        return taken == 0 or taken + spec.slots <= self._limits.training_runs

    def _schedule_next(self) -> None:
        if self._closing:
            return
        if self._next_fits:
            self._background.start(self._start_next())
        elif self._queue and self._cluster is not None:
            # The worker of the oldest paused run gives up its slots.
            self._unload_idle(max(0, len(self._idle) - 1))
        self._explain_waiting()

    def _explain_waiting(self) -> None:
        """Set and publish what each queued run waits for."""
        for run in (*self._queue, *self._starting):
            if (controller := self._controllers.get(run)) is None:
                continue
            reason = self._waiting_for(controller)
            if reason != controller.run.waiting_for:
                controller.run.waiting_for = reason
                self._background.start(controller.recorder.publish_state())

    def _waiting_for(self, controller: RunController) -> str | None:
        """Return what a run waits for that is in the queue or starts."""
        run = controller.run
        if run.id in self._queue:
            reason = self._obstacle(controller)
            return reason if run.id == self._queue.first else reason or "Other runs come first."
        if self._cluster is None or run.state is not RunState.QUEUED:
            return None
        machine = self._cluster.machine_of(run.id)
        return "A machine is chosen." if machine is None else f"Machine {machine} is starting it."

    async def _start_next(self) -> None:
        """Train the first run of the queue, if enough slots are free."""
        if not self._next_fits or self._closing:
            return
        run = self._queue.pop()
        if (controller := self._controllers.get(run)) is None:
            # It was deleted.
            self._schedule_next()
            return
        self._starting[run] = controller
        if self._cluster is not None:
            # The others do not wait until its machine has answered.
            self._schedule_next()
        try:
            await controller.train()
        except MachineUnavailableError as error:
            if not controller.is_halting and not controller.deleted:
                log.warning("run %s waits on: %s", run, error)
                self._queue.put_back(run)
        except Exception as error:
            # Whatever the reason, the run waits for nothing any more, and must not seem to.
            await controller.start_failed(error)
            raise
        finally:
            self._starting.pop(run, None)
            self._schedule_next()

    async def _requeue(self, run: str, reason: str) -> None:
        """Let a run that lost its machine train again, before those that wait."""
        self._queue.prepend(run)
        await self._queue.save()
        await self._controllers[run].recorder.set_state(RunState.QUEUED, reason)
        self._schedule_next()

    @property
    def _idle(self) -> list[RunController]:
        """The paused runs that have a worker."""
        return [
            controller
            for controller in self._controllers.values()
            if controller.has_worker and controller.run.state is RunState.PAUSED
        ]

    def _unload_idle(self, kept: int = IDLE_WORKERS) -> None:
        """Stop the workers of all paused runs but the newest `kept`."""
        idle = self._idle
        for controller in idle[: max(0, len(idle) - kept)]:
            self._background.start(controller.unload())

    def _make_controller(self, run: Run) -> RunController:
        # As an earlier server stored them, or the one from which the run was imported.
        run.machine = run.waiting_for = None
        corpus_path = self.corpora.path(run.corpus)
        checkpoints = self._directories.checkpoints(run.id)
        checkpoint_store = CheckpointStore(run.id, checkpoints, self.store)
        snapshots = Snapshots.of_checkpoints(checkpoints)
        launcher: Launcher = LocalLauncher()
        if self._cluster is not None:
            launcher = self._cluster.launcher(run.id, checkpoints.parent)
        return RunController(
            Recorder(
                run, corpus_path, self.store, self._publisher, self._inference, snapshots=snapshots
            ),
            checkpoint_store,
            corpus_path,
            self.store,
            launcher=launcher,
            on_training_stopped=self._schedule_next,
            resume=lambda: self.resume(run.id),
            requeue=lambda reason: self._requeue(run.id, reason),
            quota=self.quota,
        )
