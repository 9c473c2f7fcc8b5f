"""One run: what a person can do with it, its worker, and its checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from server.checkpoints.checkpoint_format import Which
from server.checkpoints.npz import read_meta
from server.concurrency.background_tasks import BackgroundTasks
from server.concurrency.periodic_tasks import PeriodicTasks
from server.errors import ConflictError, UnknownCheckpointError, UnknownRunError
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.files.storage_quota import QuotaExceededError, StorageQuota
from server.runs.checkpoint_store import Added, CheckpointStore
from server.runs.recorder import Recorder
from server.runs.recovery import Recovery
from server.spec.run_change import RunChange
from server.spec.run_spec import SpecError, describe_changes
from server.spec.schemas import ENDED, SETTLED, Checkpoint, Milestone, Run, RunState
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.worker.client import FindWorker, WorkerClient
from server.worker.launcher import (
    Launcher,
    MachineLostError,
    MachineUnavailableError,
    WorkerConnection,
)
from server.worker.messages import (
    ApplyChange,
    Change,
    ExportCheckpoint,
    ExportModel,
    HistoryFlushed,
    Pause,
    Report,
    Resume,
    SamplesMeasured,
    SaveCheckpoint,
    Start,
    Step,
    parse_step_reply,
)

__all__ = ["RunController"]

log = logging.getLogger(__name__)

WAITING = {RunState.PAUSED, RunState.QUEUED, RunState.INTERRUPTED}
"""The states of runs that may have made updates without a sample, and have no worker."""
ADOPTED = {RunState.RUNNING, RunState.PAUSED, RunState.QUEUED, RunState.FINISHED}
"""The states of runs whose workers on other machines a new server takes over."""
WATCHED_INTERVAL_S = 0.05
UNWATCHED_INTERVAL_S = 0.5
"""The shortest time between two reports of a worker on another machine."""
FLUSH_EVERY_S = 1.0
"""How often the history is made durable."""
CHANGES_TRAINING = {"learning_rate", "sample_every", "watch_words"}
"""Fields of the spec that change what is learned or recorded from then on."""
MAX_LOSSES = 3
"""How many machines may be lost one after the other without any progress of the run."""
GIVES_UP = (
    f"{MAX_LOSSES} machines were lost in a row without progress, so the run is not tried again."
)
LAST_SAMPLE_START_S = 10.0
"""How long another machine may take to start the worker that only writes the last sample."""
DRAIN_TIMEOUT_S = 2.0
"""How long a worker that stops is kept, so that its last samples are measured."""


class RunController:
    """A run, its worker if there is one, and its checkpoints.

    The run's states, and the methods that lead to them::

        any -> queued                the supervisor, until fewer runs train
        any -> running               train
        queued, running -> paused    pause; pause_for_disk; after a loss that is not finite
        running, paused -> finished  the worker has made the last update
        any -> stopped               stop
        any -> failed                the worker died or could not start
        running -> interrupted       interrupt: the server ends

    A paused run may have a worker or not, because the supervisor unloads idle ones; in the states
    `ENDED` it has none, except for a short time. Whatever needs a worker starts one, which
    continues from the newest checkpoint.

    Parameters
    ----------
    recorder : Recorder
        Stores and publishes what happens.
    checkpoint_store : CheckpointStore
        The checkpoints.
    corpus_path : pathlib.Path
        The text to train on.
    store : StoreExecutor
        The database.
    launcher : Launcher
        Starts the run's worker.
    on_training_stopped : callable
        Called whenever the run has stopped training, so that another may start.
    resume : callable
        Awaited to train again when the run was paused for the disk and there is space again.
    requeue : callable
        Awaited with the reason, a sentence, when the run lost its machine: it is to be the next
        that trains.
    quota : StorageQuota
        How much may be stored.

    Attributes
    ----------
    deleted : bool
        Whether the run is deleted, or is being deleted: no command reaches it any more.
    """

    def __init__(
        self,
        recorder: Recorder,
        checkpoint_store: CheckpointStore,
        corpus_path: Path,
        store: StoreExecutor,
        *,
        launcher: Launcher,
        on_training_stopped: Callable[[], None],
        resume: Callable[[], Awaitable[object]],
        requeue: Callable[[str], Awaitable[None]],
        quota: StorageQuota,
    ) -> None:
        self.recorder = recorder
        self.checkpoint_store = checkpoint_store
        self.recovery = Recovery(recorder, checkpoint_store)
        checkpoint_store.keep_before = recorder.run.diverged_since
        self.corpus_path = corpus_path
        self._store = store
        self._on_training_stopped = on_training_stopped
        self._resume = resume
        self._requeue = requeue
        self._quota = quota
        self._worker_client = WorkerClient(
            launcher, self._prepare_start, self._on_report, self._on_worker_exit
        )
        recorder.on_sample_measured = lambda update: self._worker_client.notify(
            SamplesMeasured(update=update)
        )
        self._periodic_tasks = PeriodicTasks(
            f"run {recorder.run.id}",
            (self._flush_or_pause, lambda: FLUSH_EVERY_S),
            (self._autosave_or_pause, lambda: self.run.spec.checkpoint_every_s),
        )
        self._flushed_update = -1
        # Why the run must continue on another machine; the update from which the worker started;
        # and the update at which machines were lost one after the other without progress.
        self._machine_lost: str | None = None
        self._started_from = 0
        self._losses: list[int] = []
        # Held from the choice to save an automatic checkpoint until it is published. Otherwise a
        # second caller would find the first one's checkpoint in the database, stop the worker and
        # its periodic tasks, and so cancel the first caller before it publishes.
        self._autosaving = asyncio.Lock()
        # Held while the run starts or stops training, so that a pause finds a worker that is just
        # being started, and nothing resumes a worker that is being stopped.
        self._transition = asyncio.Lock()
        self._steps_in_progress = 0
        self._halts_in_progress = 0
        # Whether the next worker repeats what came after its checkpoint, whatever the run's state.
        self._repeats_updates = False
        # Whether the next worker stays at its checkpoint, and does not fast-forward.
        self._rolling_back = False
        # Whether the server ends while the run trains: stored as paused, it would not continue.
        self._interrupting = False
        self._background = BackgroundTasks(f"run {recorder.run.id}")
        # Held while the spec changes: a change consists of several commands to the worker.
        self._changing = asyncio.Lock()
        self.deleted = False
        self._commands_in_progress = 0
        self._no_commands = asyncio.Event()
        self._no_commands.set()

    @property
    def run(self) -> Run:
        """The run as it is now."""
        return self.recorder.run

    @property
    def has_worker(self) -> bool:
        """Whether a process has the run's network in memory."""
        return self._worker_client.alive

    @property
    def is_halting(self) -> bool:
        """Whether a person's pause or stop is in progress: the run must not train elsewhere."""
        return self._halts_in_progress > 0

    @contextlib.contextmanager
    def _halting(self, *, gives_up_start: bool) -> Iterator[bool]:
        """Let the run not train elsewhere; yield whether a start in progress is given up."""
        self._halts_in_progress += 1
        try:
            yield gives_up_start and self._worker_client.give_up_start()
        finally:
            self._halts_in_progress -= 1

    async def resume_update(self) -> int:
        """Return the update from which training would continue.

        After a run has ended without its worker, that is the update of its newest checkpoint.
        """
        if self.run.state in ENDED and not self.has_worker:
            return await self.recovery.latest_update()
        return self.run.update

    # -- commands and deletion --------------------------------------------------------------------

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        """Carry out a command in the block, which a deletion of the run waits for.

        Raises
        ------
        UnknownRunError
            The run was deleted, before the block or during it.
        """
        self._raise_if_deleted()
        self._commands_in_progress += 1
        self._no_commands.clear()
        try:
            with self._explaining_failure():
                yield
        finally:
            self._commands_in_progress -= 1
            if not self._commands_in_progress:
                self._no_commands.set()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read files and rows of the run in the block; a deletion does not wait for that.

        Raises
        ------
        UnknownRunError
            The run was deleted meanwhile. The block may have failed, or read only a part.
        """
        with self._explaining_failure():
            yield
        self._raise_if_deleted()

    @contextlib.contextmanager
    def _explaining_failure(self) -> Iterator[None]:
        """Raise `UnknownRunError` if the block fails and the run was deleted meanwhile."""
        try:
            yield
        except Exception:
            # Files and rows are missing; the deletion is the reason.
            self._raise_if_deleted()
            raise

    def _raise_if_deleted(self) -> None:
        if self.deleted:
            raise UnknownRunError(self.run.id)

    async def end_commands(self) -> None:
        """Wait until no command of a deleted run is in progress."""
        await self._no_commands.wait()

    def _start_in_background(self, action: Coroutine[Any, Any, None]) -> None:
        """Carry out an action in the background, as a command: a deletion waits for it."""

        async def carry_out() -> None:
            try:
                with contextlib.suppress(UnknownRunError), self.command():
                    await action
            finally:
                action.close()

        self._background.start(carry_out())

    # -- actions of a person ----------------------------------------------------------------------

    async def train(self) -> None:
        """Train; the supervisor limits how many runs do.

        Raises
        ------
        StorageError
            The disk is full.
        MachineUnavailableError
            The run must wait for a machine.
        ConflictError
            The worker could not start.
        """
        async with self._transition:
            await self.recorder.flush()
            if self.is_halting:
                raise MachineUnavailableError("The run was paused or stopped before it started.")
            if self.has_worker:
                await self._worker_client.request(Resume())
                return
            try:
                await self.start_worker(training=True)
            except MachineLostError as error:
                if self._kills_machines(self.run.update):
                    raise ConflictError(f"{error} {GIVES_UP}") from error
                raise
            if self._machine_lost is not None:
                text = f"{self._machine_lost} The run continues on {self.run.machine}"
                text += f" from update {self._started_from:,}."
                self._machine_lost = None
                await self.recorder.add_milestone(
                    Milestone(update=self._started_from, kind="rollback", text=text)
                )

    async def pause(self) -> None:
        """Stop training; when this returns, the run is at the update that it names."""
        with self._halting(gives_up_start=self.run.state is RunState.QUEUED):
            await self._pause()

    async def _pause(self) -> None:
        async with self._transition:
            if self.run.state in ENDED:
                raise ConflictError(f"The run is {self.run.state}: there is nothing to pause.")
            if self.run.state is RunState.QUEUED or self.run.disk_full:
                await self.recorder.set_state(RunState.PAUSED)
            elif self.has_worker:
                try:
                    await self._worker_client.request(Pause())
                except MachineLostError as error:
                    if self.run.state is RunState.RUNNING:
                        await self.recorder.set_state(RunState.PAUSED, str(error))
                    return
                if self.run.state is RunState.RUNNING:
                    # Its loss was not finite, and it would go back in a moment.
                    await self._go_back(self.run.update)
                self._start_in_background(self.autosave())

    async def step(self, updates: int) -> None:
        """Make exactly so many more updates; they are made when this returns."""
        run, last = self.run, self.run.spec.max_updates
        if run.state is not RunState.PAUSED:
            raise ConflictError(f"Only a paused run can be stepped; this one is {run.state}.")
        if last is not None and run.update + updates > last:
            raise ConflictError(
                f"The run ends at update {last:,}: only {last - run.update:,} more can be made."
            )
        self._steps_in_progress += 1
        try:
            await self.start_worker()
            reply = parse_step_reply(await self._worker_client.request(Step(updates=updates)))
        finally:
            self._steps_in_progress -= 1
        if reply.left:
            text = f"It ended early at update {reply.update:,}: {reply.left:,} were not made."
            if reply.storage_error is not None:
                raise StorageError(f"{reply.storage_error} {text}")
            raise ConflictError(text)

    async def stop(self) -> None:
        """End the run, with a sample of its last update and a checkpoint.

        Without a worker on another machine that can write the sample soon, it ends without one.
        """
        if self.run.state in SETTLED:
            return
        with self._halting(gives_up_start=True) as gives_up:
            await self._stop(last_sample=not gives_up)

    async def _stop(self, *, last_sample: bool) -> None:
        async with self._transition:
            if last_sample:
                await self._start_for_last_sample()
            if self.has_worker:
                await self._worker_client.request(Pause(last=True))
                await self._stop_worker()
            # It may have made its last update before it was stopped.
            made_all = self.run.update == self.run.spec.max_updates
            await self.recorder.set_state(RunState.FINISHED if made_all else RunState.STOPPED)

    async def _start_for_last_sample(self) -> None:
        """Start the worker of a run that waits, if its last update has no sample."""
        update = self.run.update
        waits = self.run.state in WAITING and not self.has_worker and update > 0
        if not waits or await self.recorder.has_sample(update):
            return
        self._repeats_updates = True
        loop = asyncio.get_running_loop()
        timer = loop.call_later(LAST_SAMPLE_START_S, self._worker_client.give_up_start)
        try:
            await self.start_worker()
        except (ConflictError, StorageError) as error:
            # The run ends all the same.
            log.warning("run %s ends without a last sample: %s", self.run.id, error)
        finally:
            timer.cancel()
            self._repeats_updates = False

    async def change(self, change: RunChange) -> None:
        """Change fields of the spec that may change during a run, and record a milestone."""
        async with self._changing:
            await self._change(change.values())

    async def _change(self, changes: dict[str, Any]) -> None:
        last, made = changes.get("max_updates"), self.run.update
        if last is not None and last < made:
            raise SpecError("max_updates", f"cannot be less than the {made:,} updates already made")
        # On a full disk the change is refused here, before it is in force.
        await self.recorder.flush()
        # A run that goes back to a checkpoint before such a change would train differently. So
        # there is a checkpoint just before the change, and one just after it.
        changes_training = not CHANGES_TRAINING.isdisjoint(changes)
        if changes_training:
            await self._repeat_missing_updates()
        changes_training = changes_training and self.has_worker
        if changes_training:
            await self.autosave()
        applied: dict[str, Any] = {}
        try:
            await self._worker_client.request_if_alive(Change(changes=changes))
            failpoint("change.save")
            run, before, applied = self.run, self.run.spec, changes
            run.spec, run.name = before.model_copy(update=changes), changes.get("name", run.name)
            text = describe_changes(before, changes)
            await self.recorder.save([Milestone(update=run.update, kind="change", text=text)])
            failpoint("change.saved")
        except BaseException:
            # The worker makes no update until then.
            self._worker_client.notify(ApplyChange(changes=applied))
            raise
        await self._worker_client.request_if_alive(ApplyChange(changes=changes))
        if changes_training:
            await self.autosave(force=True)

    async def _repeat_missing_updates(self) -> None:
        """Start the worker if a paused run is ahead of its checkpoint, after a crash.

        The worker repeats the updates in between, as they were before a change that follows.
        """
        paused = self.run.state is RunState.PAUSED and not self.has_worker
        if paused and await self.recovery.latest_update() < self.run.update:
            await self.start_worker()

    # -- checkpoints ------------------------------------------------------------------------------

    async def save_checkpoint(self, note: str | None) -> Checkpoint:
        """Save everything needed to continue from here; durable when this returns."""
        ended = self.run.state in ENDED
        if not ended:
            try:
                await self.start_worker()
            except MachineUnavailableError:
                if not await self._is_as_in_latest():
                    raise
                ended = True
        if (checkpoint := await self._save_checkpoint(note, automatic=False)) is not None:
            return checkpoint
        if not ended:
            raise ConflictError("The run's process ended before it completed the command.")
        # Without a worker, the state of the run is that of its newest checkpoint.
        if (latest := await self.recovery.latest_file()) is None:
            raise UnknownCheckpointError("latest")
        return await self._publish_checkpoint(await self.checkpoint_store.add_copy(latest, note))

    async def _is_as_in_latest(self) -> bool:
        """Whether the newest checkpoint has the run as it is now."""
        latest = await self.recovery.latest_file()
        if latest is None:
            return False
        meta = await asyncio.to_thread(read_meta, latest)
        now = (self.run.update, self.run.spec.model_dump(mode="json"))
        return (meta["trainer"]["updates"], meta["spec"]) == now

    async def autosave(self, *, force: bool = False) -> None:
        """Save an automatic checkpoint, if there is a worker and updates were made since the last.

        When this returns, the checkpoint is published, also if another caller saved it.

        Parameters
        ----------
        force : bool
            Save one even without updates since the last, because something else has changed.

        Raises
        ------
        StorageError
            The disk is full.
        """
        async with self._autosaving:
            latest = await self.checkpoint_store.last_known()
            if not force and latest is not None and latest.update == self.run.update:
                return
            try:
                await self._save_checkpoint(None, automatic=True)
            except ConflictError as error:
                if not self._worker_client.killed:
                    log.warning("run %s: no automatic checkpoint: %s", self.run.id, error)

    async def export_checkpoint(self, path: Path) -> bool:
        """Have the worker write the contents of a checkpoint to a file that is not a checkpoint.

        Returns
        -------
        bool
            False if there is no worker; then the newest checkpoint has these contents.
        """
        command = ExportCheckpoint(path=str(path))
        return await self._worker_client.request_if_alive(command) is not None

    async def export_model(self, path: Path, which: Which) -> bool:
        """Have the worker write one of its models to a file; returns as `export_checkpoint`."""
        command = ExportModel(path=str(path), which=which)
        return await self._worker_client.request_if_alive(command) is not None

    async def _save_checkpoint(self, note: str | None, *, automatic: bool) -> Checkpoint | None:
        """Have the worker write a checkpoint, and store it; None if there is no worker."""
        identity = self.checkpoint_store.new_id()
        command = SaveCheckpoint(
            path=str(self.checkpoint_store.path(identity)),
            about={"id": identity, "note": note, "automatic": automatic},
        )
        async with self.checkpoint_store.reserve(identity):
            if not await self._worker_client.request_if_alive(command):
                return None
            if self._worker_client.killed:
                raise ConflictError("The run was deleted.")
            added = await self.checkpoint_store.add(identity, note=note, automatic=automatic)
        return await self._publish_checkpoint(added)

    async def _publish_checkpoint(self, added: Added) -> Checkpoint:
        checkpoint, milestones = added
        await self.recorder.publish_checkpoint(checkpoint, milestones)
        return checkpoint

    # -- the worker -------------------------------------------------------------------------------

    async def start_worker(self, *, training: bool = False) -> None:
        """Start the worker, if there is none; it trains if `training` is true."""
        await self._worker_client.start_if_needed(training=training)
        await self.recorder.set_machine(self._worker_client.machine)
        if not self._periodic_tasks.running:
            self._flushed_update = -1
            self._periodic_tasks.start()

    async def recover(self, find_worker: FindWorker) -> None:
        """Recover the run when the server starts, with the worker that may still have it.

        Such a worker connects again later; until then the run is as it was.
        """
        adopted = self.run.state in ADOPTED and await self._worker_client.adopt(find_worker)
        await self.recovery.recover(has_worker=adopted)
        if adopted:
            self.run.machine = self._worker_client.machine
            self._periodic_tasks.start()

    async def load(self) -> None:
        """Start the worker of a paused run, so that a step or a resume need not wait for it."""
        async with self._transition:
            # It may have been stopped since it was created.
            if self.run.state is RunState.PAUSED:
                await self.start_worker()

    async def unload(self) -> None:
        """Stop the worker of a paused run, until it is needed again."""
        async with self._transition:
            if self.has_worker and self.run.state is RunState.PAUSED:
                # If its checkpoint cannot be written, the worker stays.
                with contextlib.suppress(StorageError):
                    await self._stop_worker(unless=lambda: self._steps_in_progress > 0)

    async def kill(self) -> None:
        """Kill the worker and record nothing more, because the run is deleted."""
        self._periodic_tasks.stop()
        await self._worker_client.kill()
        await self.recorder.close()

    async def interrupt(self) -> None:
        """Stop because the server ends; a run that is training becomes interrupted."""
        try:
            async with self._transition:
                if self.has_worker:
                    was_running = self._interrupting = self.run.state is RunState.RUNNING
                    await self._worker_client.request(Pause())
                    try:
                        await self._stop_worker()
                    except StorageError as error:
                        log.warning("run %s ends without a checkpoint: %s", self.run.id, error)
                    if was_running and self.run.state in {RunState.PAUSED, RunState.RUNNING}:
                        text = "The server was stopped while the run was training."
                        await self.recorder.set_state(RunState.INTERRUPTED, text)
        finally:
            # This also ends a worker that does not reply, or that cannot write its checkpoint.
            await self.kill()

    async def _prepare_start(self, training: bool) -> Start:
        """Return the command that starts the worker at the newest checkpoint.

        The run is set back to the checkpoint, unless it is paused or being stopped: then the worker
        repeats what happened after the checkpoint before it replies.
        """
        await self.checkpoint_store.import_orphans()
        repeats = self.run.state is RunState.PAUSED or self._repeats_updates
        fast_forward = repeats and not self._rolling_back
        update = self.run.update if fast_forward else 0
        latest = await self.recovery.restore_latest(rewind=True, repeated_to=update)
        self._started_from = 0 if latest is None else latest.update
        if latest is None and not update:
            await self.recorder.reset()
        return Start(
            spec=self.run.spec.model_dump(mode="json"),
            directory=str(self.checkpoint_store.directory),
            corpus_path=str(self.corpus_path),
            checkpoint=None if latest is None else str(self.checkpoint_store.path(latest.id)),
            fast_forward_to=update,
            training=training,
        )

    async def _stop_worker(
        self, *, save: bool = True, unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Stop the worker, after a checkpoint if `save` is true.

        Commands sent before are still carried out, because the worker handles them in order; a
        command sent meanwhile waits, and finds no worker.

        Raises
        ------
        StorageError
            There is no space for the checkpoint; the worker stays.
        """
        with contextlib.suppress(TimeoutError):
            # Samples that take longer are in the checkpoint, and measured when the run continues.
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self.recorder.drain()
        if save:
            await self.autosave()
        if await self._worker_client.stop(unless):
            self._periodic_tasks.stop()
            await self.recorder.set_machine(None)
            await self._store(Store.close_history, self.run.id)
            with contextlib.suppress(StorageError):
                await self.recorder.flush()

    async def _stop_finished_worker(self) -> None:
        async with self._transition:
            if self.run.state is RunState.FINISHED and self.has_worker:
                # If its last checkpoint cannot be written, the worker stays; `_flush` tries again.
                with contextlib.suppress(StorageError):
                    await self._stop_worker()

    async def _on_report(self, report: Report) -> None:
        was_running = self.run.state is RunState.RUNNING
        self.checkpoint_store.keep_before = report.high_losses_since
        # A run whose loss was not finite pauses when it has gone back, together with its reason.
        pauses_at_end = self._interrupting and report.state == RunState.PAUSED
        keep_state = report.runaway or self._rolling_back or pauses_at_end
        await self.recorder.apply_report(report, keep_state=keep_state)
        watched = self.recorder.is_watched
        self._worker_client.set_interval(WATCHED_INTERVAL_S if watched else UNWATCHED_INTERVAL_S)
        if self.run.state is not RunState.RUNNING and was_running:
            self._on_training_stopped()
        if self._worker_client.stopping:
            return
        if report.runaway:
            self._start_in_background(self._roll_back(self._worker_client.process, report.update))
        elif report.storage_error is not None:
            reason = StorageError(report.storage_error)
            self._start_in_background(self.pause_for_disk(reason, was_running=was_running))
        elif self.run.state is RunState.FINISHED:
            self._start_in_background(self._stop_finished_worker())

    async def _on_worker_exit(self, how: str) -> None:
        self._periodic_tasks.stop()
        process, self.run.machine = self._worker_client.process, None
        if process is not None and process.remote:
            await self._on_machine_lost(process.machine, how)
            return
        was_running = self.run.state is RunState.RUNNING
        text = f"Training ended at update {self.run.update:,}: {how}."
        try:
            await self.recorder.set_state(RunState.FAILED, text)
        finally:
            if was_running:
                self._on_training_stopped()

    async def _on_machine_lost(self, machine: str, how: str) -> None:
        """Let the run continue on another machine, unless it does not train."""
        run = self.run
        if run.state is RunState.FINISHED and await self.recovery.latest_update() >= run.update:
            await self.recorder.publish_state()
        elif run.state in {RunState.RUNNING, RunState.FINISHED}:
            text = f"Machine {machine} was lost at update {run.update:,}: {how}."
            if self.is_halting and run.state is RunState.RUNNING:
                await self.recorder.set_state(RunState.PAUSED, text)
            elif self._kills_machines(run.update):
                await self.recorder.set_state(RunState.FAILED, f"{text} {GIVES_UP}")
            else:
                self._machine_lost = text
                await self._requeue(text)
        else:
            await self.recorder.publish_state()
        self._on_training_stopped()

    def _kills_machines(self, update: int) -> bool:
        """Count that a machine was lost at an update; return whether there will be a next one."""
        if self._losses and update > max(self._losses):
            self._losses.clear()
        self._losses.append(update)
        return len(self._losses) >= MAX_LOSSES

    # -- faults -----------------------------------------------------------------------------------

    async def start_failed(self, error: Exception) -> None:
        """Record why a run that was to train does not."""
        state, disk_full = self.run.state, isinstance(error, StorageError)
        if self._worker_client.killed:
            return
        text = "The run could not be started; the server's log has the details."
        if isinstance(error, StorageError | ConflictError):
            text = str(error)
        if state is RunState.QUEUED:
            state = RunState.PAUSED if disk_full else RunState.FAILED
            await self.recorder.set_state(state, text, disk_full=disk_full)
        elif state in ENDED - SETTLED and not disk_full:
            await self.recorder.set_state(state, text)

    async def pause_for_disk(self, reason: StorageError, *, was_running: bool = False) -> None:
        """Pause until there is space, because the disk is full.

        A run that a person has paused is not changed. Its missing data is written when there is
        space.
        """
        async with self._transition:
            if self.run.state is RunState.RUNNING:
                was_running = True
                await self._worker_client.request_if_alive(Pause())
            waits = self.has_worker and not self.run.disk_full
            if waits and self.run.state is RunState.FINISHED:
                text = f"{reason} The last checkpoint is written when there is space."
                await self.recorder.set_state(RunState.FINISHED, text, disk_full=True)
            elif waits and was_running and self.run.state is RunState.PAUSED:
                text = f"{reason} The run is paused, and resumes automatically when there is space."
                await self.recorder.set_state(RunState.PAUSED, text, disk_full=True)

    async def _roll_back(self, worker: WorkerConnection | None, update: int) -> None:
        """Go back, unless the run has done so already: the worker reports it again and again."""
        async with self._transition:
            if self._worker_client.process is worker:
                await self._go_back(update)

    async def _go_back(self, update: int) -> None:
        """Go back to the newest checkpoint, because the loss was not finite at `update`, and pause.

        Until then the run keeps its state, so that no client sees a pause without its reason.
        """
        was_running = self.run.state is RunState.RUNNING
        text = f"The loss was not a finite number at update {update:,}"
        advice = "A lower learning rate or a tighter clip may help."
        self._rolling_back = True
        try:
            await self._stop_worker(save=False)
            # If another run has the machine now, this one is set back without a worker.
            with contextlib.suppress(MachineUnavailableError):
                await self.start_worker()
            text = f"{text}: the run went back to update {self.run.update:,}. {advice}"
            await self.recorder.add_milestone(
                Milestone(update=self.run.update, kind="rollback", text=text)
            )
            await self.recorder.set_state(RunState.PAUSED, text)
        except Exception:
            text = f"{text}, and the run could not go back to its newest checkpoint. {advice}"
            await self.recorder.set_state(RunState.FAILED, text)
            raise
        finally:
            self._rolling_back = False
            if was_running:
                self._on_training_stopped()

    # -- periodic tasks, while there is a worker --------------------------------------------------

    async def _flush_or_pause(self) -> None:
        try:
            await self._flush()
        except StorageError as error:
            await self.pause_for_disk(error)

    async def _autosave_or_pause(self) -> None:
        try:
            await self.autosave()
        except StorageError as error:
            await self.pause_for_disk(error)

    async def _flush(self) -> None:
        """Make the history durable and notify the worker; resume if there is space again."""
        run = self.run
        if run.disk_full or run.update != self._flushed_update:
            # Each report has stored the run.
            flush = self.recorder.flush if run.disk_full else self.recorder.commit
            self._flushed_update = await flush()
            self._worker_client.notify(HistoryFlushed(update=self._flushed_update))
        # The quota applies to training only: a finished run may exceed it by its last checkpoint.
        if run.disk_full or run.state is RunState.RUNNING:
            await self._check_quota()
        if run.disk_full:
            await self.autosave()
            if run.state is RunState.PAUSED:
                await self._resume()
            else:
                await self.recorder.set_state(run.state)
        if run.state is RunState.FINISHED:
            await self._stop_finished_worker()

    async def _check_quota(self) -> None:
        try:
            await self._quota.check()
        except QuotaExceededError as error:
            raise StorageError(str(error)) from error
