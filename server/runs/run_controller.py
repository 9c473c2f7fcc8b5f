"""One run as it lives: what may be asked of it, and the worker that trains it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.checkpoints.checkpoint_format import Which
from server.concurrency.background_tasks import Background
from server.concurrency.child_process import JsonChildProcess
from server.concurrency.json_lines import Message
from server.errors import ConflictError, UnknownCheckpointError
from server.files.disk_errors import StorageError
from server.files.storage_quota import StorageQuota
from server.runs.checkpoint_store import Added, CheckpointStore
from server.runs.maintenance import MaintenanceLoops
from server.runs.recorder import Recorder
from server.runs.recovery import (
    newest_file,
    stand_at_newest,
    take_up,
    update_of_newest,
)
from server.spec.run_change import RunChange
from server.spec.run_spec import SpecError, describe_changes
from server.spec.schemas import ENDED, SETTLED, Checkpoint, Milestone, Run, RunState
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.worker.client import WorkerClient

__all__ = ["RunController"]

log = logging.getLogger(__name__)

# What changes what is learned, or written, from then on.
HISTORY_MAKING = {"learning_rate", "sample_every", "watch_words"}
# How long a worker that may leave is kept for its last samples to be measured.
MEASURING_PATIENCE_S = 2.0


class RunController:
    """A run, its worker when it has one, and its checkpoints.

    Parameters
    ----------
    recorder : Recorder
        Keeps and tells what happens.
    checkpoint_store : CheckpointStore
        Keeps the checkpoints.
    corpus_path : pathlib.Path
        The text it learns.
    store : StoreExecutor
        Where the history is.
    left_running : callable
        Called whenever it has ceased to train, so that another may.
    go_on : callable
        Awaited when it was short of room and no longer is, to let it train again.
    room : Room
        How much may be stored.
    """

    def __init__(
        self,
        recorder: Recorder,
        checkpoint_store: CheckpointStore,
        corpus_path: Path,
        store: StoreExecutor,
        *,
        left_running: Callable[[], None],
        go_on: Callable[[], Awaitable[object]],
        room: StorageQuota,
    ) -> None:
        self.recorder = recorder
        self.checkpoint_store = checkpoint_store
        self.corpus_path = corpus_path
        self._store = store
        self._left_running = left_running
        self._worker_client = WorkerClient(self._start_command, self._hear, self._worker_left)
        recorder.measured = lambda update: self._worker_client.tell("measured", update=update)
        self.upkeep = MaintenanceLoops(self, self._worker_client, go_on, room)
        # Held while it begins or ceases to train: nobody resumes a worker that leaves, and a pause
        # finds the worker that is just being started.
        self._turning = asyncio.Lock()
        self._steps_under_way = 0
        # Whether it is to stand at its checkpoint, wherever it stood.
        self._goes_back = False
        self._background = Background(f"run {recorder.run.id}")

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.recorder.run

    @property
    def has_worker(self) -> bool:
        """Whether a process holds the run's network."""
        return self._worker_client.alive

    async def goes_on_from(self) -> int:
        """Return the update from which it would go on: what came later went with its worker."""
        waits = self.run.state in ENDED and not self.has_worker
        return await update_of_newest(self.checkpoint_store) if waits else self.run.update

    # -- what a person may ask --------------------------------------------------------------------

    async def train(self) -> None:
        """Let it train; the caller sees to it that not too many do.

        Raises
        ------
        StorageError
            There is no room on the disk.
        """
        async with self._turning:
            await self.recorder.flush()
            if self.has_worker:
                await self._worker_client.ask("resume")
            else:
                await self._ensure_worker(training=True)

    async def pause(self) -> None:
        """Stop training; when this returns, it stands at the update that the run names."""
        async with self._turning:
            if self.run.state in ENDED:
                raise ConflictError(f"The run is {self.run.state}: there is nothing to pause.")
            if self.run.state is RunState.QUEUED or self.run.disk_full:
                await self.recorder.enter(RunState.PAUSED)
            elif self.has_worker:
                await self._worker_client.ask("pause")
                self._background.start(self.upkeep.keep_safe())

    async def step(self, updates: int) -> None:
        """Make exactly so many updates more; when this returns, they are made."""
        run, last = self.run, self.run.spec.max_updates
        if run.state is not RunState.PAUSED:
            raise ConflictError(f"Only a paused run can be stepped; this one is {run.state}.")
        if last is not None and run.update + updates > last:
            raise ConflictError(
                f"The run ends at update {last:,}: only {last - run.update:,} more can be made."
            )
        self._steps_under_way += 1
        try:
            await self._ensure_worker()
            answer = await self._worker_client.ask("step", updates=updates)
        finally:
            self._steps_under_way -= 1
        if left := answer["left"]:
            text = f"It was cut short at update {answer['update']:,}: {left:,} were not made."
            if answer["short"] is not None:
                raise StorageError(f"{answer['short']} {text}")
            raise ConflictError(text)

    async def stop(self) -> None:
        """End the run, keeping where it stands."""
        if self.run.state in SETTLED:
            return
        async with self._turning:
            if self.has_worker:
                await self._worker_client.ask("pause")
                await self._retire()
            await self.recorder.enter(RunState.STOPPED)

    async def change(self, change: RunChange) -> None:
        """Change what may be changed while it lives, and keep a milestone of it."""
        changes = change.values()
        last, made = changes.get("max_updates"), self.run.update
        if last is not None and last < made:
            raise SpecError("max_updates", f"can't be less than the {made:,} updates made already")
        # So that what there is no room for is refused before it is in force.
        await self.recorder.flush()
        # Going back to before such a change would learn, or write, otherwise than it did.
        told = self.has_worker and not HISTORY_MAKING.isdisjoint(changes)
        if told:
            await self.upkeep.keep_safe()
        await self._worker_client.ask_if_there("change", changes=changes)
        before = self.run.spec
        self.run.spec = before.model_copy(update=changes)
        self.run.name = changes.get("name", self.run.name)
        mark = Milestone(
            update=self.run.update, kind="change", text=describe_changes(before, changes)
        )
        await self.recorder.mark(mark)
        await self.recorder.save()
        if told:
            await self.upkeep.keep_safe(whatever=True)

    async def checkpoint(self, note: str | None) -> Checkpoint:
        """Keep everything needed to go on from here; durable when this returns."""
        ended = self.run.state in ENDED
        if not ended:
            await self._ensure_worker()
        if (made := await self.write_checkpoint(note, automatic=False)) is not None:
            return made
        if not ended:
            raise ConflictError("The run's process ended before it was done.")
        # It stands where its newest checkpoint stands.
        if (newest := await newest_file(self.recorder, self.checkpoint_store)) is None:
            raise UnknownCheckpointError("latest")
        return await self._tell_checkpoint(await self.checkpoint_store.copy(newest, note))

    async def write_checkpoint(self, note: str | None, *, automatic: bool) -> Checkpoint | None:
        """Have the worker write a checkpoint, and take it in; None when there is no worker."""
        identity = self.checkpoint_store.new_id()
        about = {"id": identity, "note": note, "automatic": automatic}
        path = str(self.checkpoint_store.path(identity))
        async with self.checkpoint_store.making(identity):
            if not await self._worker_client.ask_if_there("checkpoint", path=path, about=about):
                return None
            if self._worker_client.discarded:
                raise ConflictError("The run was deleted.")
            added = await self.checkpoint_store.add(identity, note=note, automatic=automatic)
        return await self._tell_checkpoint(added)

    async def _tell_checkpoint(self, added: Added) -> Checkpoint:
        await self.recorder.checkpoint_made(*added)
        return added[0]

    async def export(self, path: Path) -> bool:
        """Have the worker write what a checkpoint would hold to a file that is none.

        Returns
        -------
        bool
            False when there is no worker: then the newest checkpoint holds the same.
        """
        return await self._worker_client.ask_if_there("export", path=str(path)) is not None

    async def export_model(self, path: Path, which: Which) -> bool:
        """Have the worker write its best or its latest model to a file; as `export` otherwise."""
        return (
            await self._worker_client.ask_if_there("model", path=str(path), which=which) is not None
        )

    # -- beginning and ending ---------------------------------------------------------------------

    async def take_up(self) -> None:
        """Stand where an earlier server left the run, or where its worker did after that."""
        await take_up(self.recorder, self.checkpoint_store)

    async def stand_ready(self) -> None:
        """Start the worker."""
        await self._ensure_worker()

    async def interrupt(self) -> None:
        """Leave off because the server ends."""
        try:
            async with self._turning:
                if self.has_worker:
                    was_running = self.run.state is RunState.RUNNING
                    await self._worker_client.ask("pause")
                    try:
                        await self._retire()
                    except StorageError as error:
                        log.warning("run %s ends without a checkpoint: %s", self.run.id, error)
                    if was_running and self.run.state is RunState.PAUSED:
                        text = "The server was ended while the run was training."
                        await self.recorder.enter(RunState.INTERRUPTED, text)
        finally:
            self.upkeep.stop()
            # Also the worker that does not answer, or that can't write its checkpoint.
            await self._worker_client.discard()
            await self.recorder.close()

    async def rest(self) -> None:
        """Let the worker of a paused run go until it is needed again."""
        async with self._turning:
            if self.has_worker and self.run.state is RunState.PAUSED:
                # Without room for its checkpoint it stays.
                with contextlib.suppress(StorageError):
                    await self._retire(unless=lambda: self._steps_under_way > 0)

    async def discard(self) -> None:
        """End the worker at once and keep nothing more."""
        self.upkeep.stop()
        await self._worker_client.discard()
        await self.recorder.close()

    async def hold(self, why: StorageError, *, was_running: bool = False) -> None:
        """Stand still until there is room, because the disk takes nothing more.

        A run that a person paused stays as it is: what it lacks is written when there is room.
        """
        async with self._turning:
            if self.run.state is RunState.RUNNING:
                was_running = True
                await self._worker_client.ask_if_there("pause")
            waits = self.has_worker and not self.run.disk_full
            if waits and self.run.state is RunState.FINISHED:
                text = f"{why} The last checkpoint is written when there is room."
                await self.recorder.enter(RunState.FINISHED, text, disk_full=True)
            elif waits and was_running and self.run.state is RunState.PAUSED:
                text = f"{why} The run stands still, and goes on by itself when there is room."
                await self.recorder.enter(RunState.PAUSED, text, disk_full=True)

    async def could_not_begin(self, why: Exception) -> None:
        """Say why it does not train though it was to; who asked for it hears it as well."""
        state, short = self.run.state, isinstance(why, StorageError)
        if self._worker_client.discarded:
            return
        if state is RunState.QUEUED:
            state = RunState.PAUSED if short else RunState.FAILED
            await self.recorder.enter(state, str(why), disk_full=short)
        elif state in ENDED - SETTLED and not short:
            await self.recorder.enter(state, str(why))

    # -- the worker -------------------------------------------------------------------------------

    async def _ensure_worker(self, *, training: bool = False) -> None:
        await self._worker_client.ensure(training=training)
        self.upkeep.start()

    async def _start_command(self) -> Message:
        """Let history end where the newest checkpoint stands, and say what begins there."""
        await self.checkpoint_store.adopt()
        # A paused run comes back to where it stood, however little its checkpoint has of that.
        stood = self.run.update if self.run.state is RunState.PAUSED and not self._goes_back else 0
        newest = await stand_at_newest(self.recorder, self.checkpoint_store, go_back=True)
        if newest is None:
            await self.recorder.begin_again()
        return {
            "spec": self.run.spec.model_dump(mode="json"),
            "folder": str(self.checkpoint_store.folder),
            "corpus_path": str(self.corpus_path),
            "checkpoint": None if newest is None else str(self.checkpoint_store.path(newest.id)),
            "come_to": stood,
        }

    async def _hear(self, event: Message) -> None:
        was_running = self.run.state is RunState.RUNNING
        await self.recorder.take(event)
        if self.run.state is not RunState.RUNNING and was_running:
            self._left_running()
        for text in event["notices"]:
            await self.recorder.mark(Milestone(update=event["update"], kind="change", text=text))
        if self._worker_client.leaving:
            return
        if event["runaway"]:
            self._background.start(self._roll_back(self._worker_client.worker, event["update"]))
        elif event["short"] is not None:
            short = StorageError(event["short"])
            self._background.start(self.hold(short, was_running=was_running))
        elif self.run.state is RunState.FINISHED:
            self._background.start(self.retire_when_finished())

    async def _worker_left(self, how: str) -> None:
        self.upkeep.stop()
        was_running = self.run.state is RunState.RUNNING
        text = f"Training ended at update {self.run.update:,}: {how}."
        await self.recorder.enter(RunState.FAILED, text)
        if was_running:
            self._left_running()

    async def retire_when_finished(self) -> None:
        """Let the worker of a finished run go, if there is room for its last checkpoint."""
        async with self._turning:
            if self.run.state is RunState.FINISHED and self.has_worker:
                # Without room for its checkpoint it stays; the upkeep tries again.
                with contextlib.suppress(StorageError):
                    await self._retire()

    async def _roll_back(self, worker: JsonChildProcess | None, update: int) -> None:
        """Go back to the newest checkpoint, because the loss ran away at `update`, and pause."""
        async with self._turning:
            if self._worker_client.worker is not worker:
                return  # A worker says it with each report: it was heard already.
            await self._retire(keep=False)
            self._goes_back = True
            try:
                await self._ensure_worker()
            finally:
                self._goes_back = False
            text = (
                f"The loss was not a finite number at update {update:,}: the run went back to"
                f" update {self.run.update:,}. A lower learning rate or a tighter clip may help."
            )
            await self.recorder.mark(Milestone(update=self.run.update, kind="rollback", text=text))
            await self.recorder.enter(RunState.PAUSED, text)

    async def _retire(
        self, *, keep: bool = True, unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Let the worker go; what it knows stays behind in a checkpoint unless told otherwise.

        What was asked of it before is still answered, since commands are taken in order; whoever
        asks while it leaves waits, and finds it gone.

        Raises
        ------
        StorageError
            There is no room for the checkpoint; the worker stays.
        """
        with contextlib.suppress(TimeoutError):
            # What takes longer is in the checkpoint, and measured when the run goes on.
            async with asyncio.timeout(MEASURING_PATIENCE_S):
                await self.recorder.caught_up()
        if keep:
            await self.upkeep.keep_safe()
        if await self._worker_client.let_go(unless):
            self.upkeep.stop()
            await self._store(Store.close_history, self.run.id)
            with contextlib.suppress(StorageError):
                await self.recorder.flush()
