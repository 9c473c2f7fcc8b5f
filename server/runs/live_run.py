"""One run as it lives: what may be asked of it, and the worker that trains it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from server.runs.background import Background
from server.runs.checkpoint_shelf import CheckpointShelf
from server.runs.checkpoints import Which
from server.runs.child import Child, ChildGoneError, ChildRefusedError
from server.runs.errors import NotPossibleError
from server.runs.models import ENDED, SETTLED, Checkpoint, Milestone, Run, RunState
from server.runs.recorder import Recorder
from server.runs.spec import RunChange, SpecError, in_words
from server.runs.store import Store, StoreThread
from server.runs.wire import Message

__all__ = ["LiveRun"]

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 1.0
# How long a worker that may leave is kept for its last samples to be measured.
MEASURING_PATIENCE_S = 2.0

Ask = Callable[..., Awaitable[Message | None]]


class LiveRun:
    """A run, its worker when it has one, and its checkpoints.

    Parameters
    ----------
    recorder : Recorder
        Keeps and tells what happens.
    shelf : CheckpointShelf
        Keeps the checkpoints.
    corpus_path : pathlib.Path
        The text it learns.
    store : StoreThread
        Where the history is.
    left_running : callable
        Called with this run whenever it has ceased to train, so that another may.
    """

    def __init__(
        self,
        recorder: Recorder,
        shelf: CheckpointShelf,
        corpus_path: Path,
        store: StoreThread,
        left_running: Callable[[LiveRun], None],
    ) -> None:
        self.recorder = recorder
        self.shelf = shelf
        self.corpus_path = corpus_path
        self._store = store
        self._left_running = left_running
        self._worker: Child | None = None
        self._starting = asyncio.Lock()
        # Held while it begins or ceases to train: nobody resumes a worker that leaves, and a pause
        # finds the worker that is just being started.
        self._turning = asyncio.Lock()
        self._steps_under_way = 0
        self._leaving = False
        self._discarded = False
        self._background = Background(f"run {recorder.run.id}")
        self._routines: list[asyncio.Task[None]] = []

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.recorder.run

    @property
    def has_worker(self) -> bool:
        """Whether a process holds the run's network."""
        return self._worker is not None and self._worker.alive

    # -- what a person may ask --------------------------------------------------------------------

    async def train(self) -> None:
        """Let it train; the caller sees to it that there is room."""
        async with self._turning:
            if self.has_worker:
                await self._ask("resume")
            else:
                await self._ensure_worker(training=True)

    async def pause(self) -> None:
        """Stop training; when this returns, it stands at the update that the run names."""
        async with self._turning:
            if self.run.state is RunState.QUEUED:
                await self.recorder.enter(RunState.PAUSED)
            elif self.run.state in ENDED:
                raise NotPossibleError(f"The run is {self.run.state}: there is nothing to pause.")
            elif self.has_worker:
                await self._ask("pause")
                self._background.start(self.keep_safe())

    async def step(self, updates: int) -> None:
        """Make exactly so many updates more; when this returns, they are made."""
        run, last = self.run, self.run.spec.max_updates
        if run.state is not RunState.PAUSED:
            raise NotPossibleError(f"Only a paused run can be stepped; this one is {run.state}.")
        if last is not None and run.update + updates > last:
            raise NotPossibleError(
                f"The run ends at update {last:,}: only {last - run.update:,} more can be made."
            )
        self._steps_under_way += 1
        try:
            answer = await self._ask("step", updates=updates)
        finally:
            self._steps_under_way -= 1
        if left := answer["left"]:
            at = answer["update"]
            raise NotPossibleError(f"It was cut short at update {at:,}: {left:,} were not made.")

    async def stop(self) -> None:
        """End the run, keeping where it stands."""
        if self.run.state in SETTLED:
            return
        async with self._turning:
            if self.has_worker:
                await self._ask("pause")
                await self._retire()
            await self.recorder.enter(RunState.STOPPED)

    async def change(self, change: RunChange) -> None:
        """Change what may be changed while it lives, and keep a milestone of it."""
        changes = change.model_dump(include=change.model_fields_set)
        last, made = changes.get("max_updates"), self.run.update
        if last is not None and last < made:
            raise SpecError("max_updates", f"can't be less than the {made:,} updates made already")
        await self._ask_if_there("change", changes=changes)
        before = self.run.spec
        self.run.spec = before.model_copy(update=changes)
        self.run.name = changes.get("name", self.run.name)
        mark = Milestone(update=self.run.update, kind="change", text=in_words(before, changes))
        await self.recorder.mark(mark)
        await self.recorder.save()
        if self.has_worker and "learning_rate" in changes:
            # Going on from before the change would learn otherwise than it did.
            self._background.start(self.keep_safe())

    async def checkpoint(self, note: str | None) -> Checkpoint:
        """Keep everything needed to go on from here; durable when this returns."""
        ask = self._ask_if_there if self.run.state in ENDED else self._ask
        written = await self._write_checkpoint(ask, note, automatic=False)
        made = written or await self.shelf.copy_newest(note)
        await self.recorder.checkpoint_made(made)
        return made

    async def _write_checkpoint(
        self, ask: Ask, note: str | None, *, automatic: bool
    ) -> Checkpoint | None:
        """Have the worker write a checkpoint and take it in; None when there is no worker."""
        identity = self.shelf.new_id()
        about = {"id": identity, "note": note, "automatic": automatic}
        if not await ask("checkpoint", path=str(self.shelf.path(identity)), about=about):
            return None
        if self._discarded:
            raise NotPossibleError("The run was deleted.")
        return await self.shelf.add(identity, note=note, automatic=automatic)

    async def export(self, path: Path) -> bool:
        """Have the worker write what a checkpoint would hold to a file that is none.

        Returns
        -------
        bool
            False when there is no worker: then the newest checkpoint holds the same.
        """
        return await self._ask_if_there("export", path=str(path)) is not None

    async def export_model(self, path: Path, which: Which) -> bool:
        """Have the worker write its best or its latest model to a file; as `export` otherwise."""
        return await self._ask_if_there("model", path=str(path), which=which) is not None

    # -- beginning and ending ---------------------------------------------------------------------

    async def take_up(self) -> None:
        """Stand where an earlier server left the run, or where its worker did after that."""
        await self.shelf.adopt()
        newest = (await self.shelf.list())[-1:]
        if newest and newest[0].update >= self.run.update and self.run.state not in SETTLED:
            await self._catch_up()
        if self.run.state is RunState.RUNNING:
            await self.recorder.enter(
                RunState.INTERRUPTED, "The server ended while the run was training."
            )

    async def stand_ready(self) -> None:
        """Start the worker, standing where the run stands."""
        await self._ensure_worker()

    async def interrupt(self) -> None:
        """Leave off because the server ends."""
        try:
            async with self._turning:
                if self.has_worker:
                    was_running = self.run.state is RunState.RUNNING
                    await self._ask("pause")
                    await self._retire()
                    if was_running and self.run.state is RunState.PAUSED:
                        await self.recorder.enter(
                            RunState.INTERRUPTED, "The server was ended while the run was training."
                        )
        finally:
            await self.recorder.close()

    async def rest(self) -> None:
        """Let the worker of a paused run go until it is needed again."""
        async with self._turning:
            if self.has_worker and self.run.state is RunState.PAUSED:
                await self._retire(unless_stepping=True)

    async def discard(self) -> None:
        """End the worker at once and keep nothing more."""
        self._discarded = True
        # A worker that is just being started is waited for, lest it be forgotten.
        async with self._starting:
            self._leaving = True
            self._stop_routines()
            if self._worker is not None:
                self._worker.kill()
                await self._worker.leave()
        await self.recorder.close()

    # -- the worker -------------------------------------------------------------------------------

    async def _ask(self, command: str, **arguments: Any) -> Message:  # noqa: ANN401 - JSON values
        """Ask the worker, which is started if there is none."""
        worker = await self._ensure_worker()
        try:
            return await worker.ask(command, **arguments)
        except ChildRefusedError as error:
            raise NotPossibleError(f"It could not be done: {error}.") from error
        except ChildGoneError as error:
            raise NotPossibleError("The run's process ended before it was done.") from error

    async def _ask_if_there(self, command: str, **arguments: Any) -> Message | None:  # noqa: ANN401
        """Ask the worker if there is one; None otherwise, or when it dies of something else."""
        async with self._starting:
            worker = self._worker
        if worker is None:
            return None
        try:
            return await worker.ask(command, **arguments)
        except ChildRefusedError as error:
            raise NotPossibleError(f"It could not be done: {error}.") from error
        except ChildGoneError:
            return None

    async def _ensure_worker(self, *, training: bool = False) -> Child:
        async with self._starting:
            if self._discarded:
                raise NotPossibleError("The run was deleted.")
            if self._worker is not None and self._worker.alive:
                return self._worker
            start: Message = {
                "spec": self.run.spec.model_dump(mode="json"),
                "folder": str(self.shelf.folder),
                "corpus_path": str(self.corpus_path),
                "checkpoint": await self._go_back(),
                "training": training,
            }
            self._leaving = False
            worker = await Child.start("server.runs.worker", self._hear, self._worker_left)
            self._worker = worker
            try:
                await worker.ask("start", **start)
            except (ChildGoneError, ChildRefusedError) as error:
                raise NotPossibleError("The run's process could not start.") from error
            self._routines = [
                asyncio.create_task(self._flush_routine()),
                asyncio.create_task(self._safety_routine()),
            ]
            return worker

    async def _go_back(self) -> str | None:
        """Let history end where the newest checkpoint stands; return the checkpoint's path."""
        newest = await self._catch_up()
        await self.recorder.rewind(0 if newest is None else newest.update)
        return None if newest is None else str(self.shelf.path(newest.id))

    async def _catch_up(self) -> Checkpoint | None:
        """Stand where the newest checkpoint stands, and return it; None when there is none."""
        newest = await self.shelf.newest()
        if newest is not None:
            await self.recorder.catch_up(*await self.shelf.news(newest))
        return newest

    async def _hear(self, event: Message) -> None:
        was_running = self.run.state is RunState.RUNNING
        await self.recorder.take(event)
        if self.run.state is not RunState.RUNNING and was_running:
            self._left_running(self)
        if self._leaving:
            return
        if event["runaway"]:
            self._background.start(self._roll_back(self._worker, event["update"]))
        elif self.run.state is RunState.FINISHED:
            self._background.start(self._retire_when_finished())

    async def _worker_left(self, how: str) -> None:
        self._stop_routines()
        if not self._leaving:
            was_running = self.run.state is RunState.RUNNING
            await self.recorder.enter(
                RunState.FAILED, f"Training ended at update {self.run.update:,}: {how}."
            )
            if was_running:
                self._left_running(self)

    async def _retire_when_finished(self) -> None:
        async with self._turning:
            if self.run.state is RunState.FINISHED and self.has_worker:
                await self._retire()

    async def _roll_back(self, worker: Child | None, update: int) -> None:
        """Go back to the newest checkpoint, because the loss ran away at `update`, and pause."""
        async with self._turning:
            if self._worker is not worker:
                return  # A worker says it with each report: it was heard already.
            await self._retire(keep=False)
            await self._ensure_worker()
            text = (
                f"The loss was not a finite number at update {update:,}: the run went back to"
                f" update {self.run.update:,}. A lower learning rate or a tighter clip may help."
            )
            await self.recorder.mark(Milestone(update=self.run.update, kind="rollback", text=text))
            await self.recorder.enter(RunState.PAUSED, text)

    async def _retire(self, *, keep: bool = True, unless_stepping: bool = False) -> None:
        """Let the worker go; what it knows stays behind in a checkpoint unless told otherwise.

        What was asked of it before is still answered, since commands are taken in order; whoever
        asks while it leaves waits, and finds it gone.
        """
        with contextlib.suppress(TimeoutError):
            # What takes longer is in the checkpoint, and measured when the run goes on.
            async with asyncio.timeout(MEASURING_PATIENCE_S):
                await self.recorder.caught_up()
        if keep:
            await self.keep_safe()
        async with self._starting:
            if unless_stepping and self._steps_under_way:
                return
            self._leaving = True
            self._stop_routines()
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.tell("leave")
                await worker.leave()
        await self._store(Store.release, self.run.id)
        await self.recorder.flush()

    # -- what goes on by itself -------------------------------------------------------------------

    async def _flush_routine(self) -> None:
        """Make the history durable once a second, and tell the worker how far it is."""
        flushed = -1
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            if self.run.update != flushed:
                flushed = await self.recorder.flush()
                if self._worker is not None:
                    self._worker.tell("flushed", update=flushed)

    async def _safety_routine(self) -> None:
        """Make a checkpoint every so often, so that little is lost with the worker."""
        while True:
            await asyncio.sleep(self.run.spec.checkpoint_every_s)
            await self.keep_safe()

    async def keep_safe(self) -> None:
        """Make an automatic checkpoint, if there is a worker and it has gone on since the last."""
        newest = (await self.shelf.list())[-1:]
        if newest and newest[0].update == self.run.update:
            return
        try:
            made = await self._write_checkpoint(self._ask_if_there, None, automatic=True)
        except NotPossibleError as error:
            made = None
            if not self._discarded:
                log.warning("run %s: no automatic checkpoint: %s", self.run.id, error)
        if made is not None:
            await self.recorder.checkpoint_made(made)

    def _stop_routines(self) -> None:
        for routine in self._routines:
            routine.cancel()
        self._routines = []
