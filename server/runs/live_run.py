"""One run as it lives: what may be asked of it, and the worker that trains it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from server.runs.checkpoint_shelf import CheckpointShelf
from server.runs.checkpoints import Which
from server.runs.child import Child, ChildGoneError, ChildRefusedError
from server.runs.errors import NotPossibleError
from server.runs.models import Checkpoint, Milestone, Run, RunState
from server.runs.recorder import Recorder
from server.runs.spec import RunChange, SpecError
from server.runs.store import Store, StoreThread
from server.runs.wire import Message

__all__ = ["LiveRun"]

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 1.0

ENDED = {RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED}


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
        # Held while it begins to train or its worker retires: nobody resumes a worker that leaves.
        self._turning = asyncio.Lock()
        self._steps_under_way = 0
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
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
        if self.run.state is RunState.QUEUED:
            await self.recorder.enter(RunState.PAUSED)
        elif self.run.state in ENDED:
            raise NotPossibleError(f"The run is {self.run.state}: there is nothing to pause.")
        elif self.has_worker:
            await self._ask("pause")
            self._soon(self._keep_safe())

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
        if answer["left"]:
            raise NotPossibleError(
                f"The steps were cut short at update {answer['update']:,}:"
                f" {answer['left']:,} were not made."
            )

    async def stop(self) -> None:
        """End the run, keeping where it stands."""
        if self.run.state in {RunState.FINISHED, RunState.STOPPED}:
            return
        async with self._turning:
            if self.has_worker:
                await self._ask("pause")
                await self._retire()
            await self.recorder.enter(RunState.STOPPED)

    async def change(self, change: RunChange) -> None:
        """Change what may be changed while it lives, and keep a milestone of it."""
        changes = change.model_dump(include=change.model_fields_set)
        last = changes.get("max_updates")
        if last is not None and last < self.run.update:
            raise SpecError(
                "max_updates", f"can't be less than the {self.run.update:,} updates made already"
            )
        if self.has_worker:
            await self._ask("change", changes=changes)
        before = self.run.spec
        self.run.spec = before.model_copy(update=changes)
        self.run.name = changes.get("name", self.run.name)
        text = "; ".join(
            f"{field.replace('_', ' ')} {_words(getattr(before, field))} → {_words(value)}"
            for field, value in changes.items()
        )
        await self.recorder.mark(Milestone(update=self.run.update, kind="change", text=text))
        await self.recorder.save()
        if self.has_worker and "learning_rate" in changes:
            # Going on from before the change would learn otherwise than it did.
            self._soon(self._keep_safe())

    async def checkpoint(self, note: str | None, *, automatic: bool = False) -> Checkpoint:
        """Keep everything needed to go on from here; durable when this returns."""
        if self.run.state in ENDED and not self.has_worker:
            made = await self.shelf.copy_newest(note)
        else:
            identity = self.shelf.new_id()
            about = {"id": identity, "note": note, "automatic": automatic}
            await self._ask("checkpoint", path=str(self.shelf.path(identity)), about=about)
            made = await self.shelf.add(identity, note=note, automatic=automatic)
        await self.recorder.checkpoint_made(made)
        return made

    async def export(self, path: Path) -> None:
        """Have the worker write what a checkpoint would hold to a file that is none."""
        await self._ask("export", path=str(path))

    async def export_model(self, path: Path, which: Which) -> None:
        """Have the worker write its best or its latest model to a file."""
        await self._ask("model", path=str(path), which=which)

    # -- beginning and ending ---------------------------------------------------------------------

    async def stand_ready(self) -> None:
        """Start the worker, standing where the run stands."""
        await self._ensure_worker()

    async def interrupt(self) -> None:
        """Leave off because the server ends."""
        async with self._turning:
            if self.has_worker:
                was_running = self.run.state is RunState.RUNNING
                await self._ask("pause")
                await self._retire()
                if was_running and self.run.state is RunState.PAUSED:
                    await self.recorder.enter(
                        RunState.INTERRUPTED, "The server was ended while the run was training."
                    )
        await self.recorder.close()

    async def rest(self) -> None:
        """Let the worker of a paused run go until it is needed again."""
        async with self._turning:
            if self.has_worker and self.run.state is RunState.PAUSED and not self._steps_under_way:
                await self._retire()

    async def discard(self) -> None:
        """End the worker at once and keep nothing more."""
        self._leaving = True
        self._stop_routines()
        if self._worker is not None:
            self._worker.kill()
            await self._worker.leave()
        await self.recorder.close()

    # -- the worker -------------------------------------------------------------------------------

    async def _ask(self, command: str, **arguments: Any) -> Message:  # noqa: ANN401 - JSON values
        worker = await self._ensure_worker()
        try:
            return await worker.ask(command, **arguments)
        except ChildRefusedError as error:
            raise NotPossibleError(f"It could not be done: {error}.") from error
        except ChildGoneError as error:
            raise NotPossibleError("The run's process ended before it was done.") from error

    async def _ensure_worker(self, *, training: bool = False) -> Child:
        async with self._starting:
            if self._worker is not None and self._worker.alive:
                return self._worker
            start = {
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
        newest = await self.shelf.newest()
        update = 0 if newest is None else newest.update
        if newest is not None:
            await self.recorder.catch_up(await self.shelf.news(newest))
        await self.recorder.rewind(update)
        return None if newest is None else str(self.shelf.path(newest.id))

    async def _hear(self, event: Message) -> None:
        was_running = self.run.state is RunState.RUNNING
        await self.recorder.take(event)
        if self.run.state is not RunState.RUNNING and was_running:
            self._left_running(self)
        if self.run.state in {RunState.FINISHED, RunState.FAILED} and not self._leaving:
            self._soon(self._retire_when_done())

    async def _worker_left(self, how: str) -> None:
        self._stop_routines()
        if not self._leaving:
            was_running = self.run.state is RunState.RUNNING
            await self.recorder.enter(
                RunState.FAILED, f"Training ended at update {self.run.update:,}: {how}."
            )
            if was_running:
                self._left_running(self)

    async def _retire_when_done(self) -> None:
        async with self._turning:
            if self.run.state in {RunState.FINISHED, RunState.FAILED} and self.has_worker:
                await self._retire(keep=self.run.state is RunState.FINISHED)

    async def _retire(self, *, keep: bool = True) -> None:
        """Let the worker go; what it knows stays behind in a checkpoint unless told otherwise."""
        self._leaving = True
        await self.recorder.caught_up()
        if keep:
            with contextlib.suppress(NotPossibleError):
                await self._keep_safe()
        self._stop_routines()
        if self._worker is not None:
            self._worker.tell("leave")
            await self._worker.leave()
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
            try:
                await self._keep_safe()
            except NotPossibleError as error:
                log.warning("run %s: no automatic checkpoint: %s", self.run.id, error)

    async def _keep_safe(self) -> None:
        newest = (await self.shelf.list())[-1:]
        if self.has_worker and not (newest and newest[0].update == self.run.update):
            await self.checkpoint(None, automatic=True)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("run %s: %s", self.run.id, error, exc_info=error)

    def _stop_routines(self) -> None:
        for routine in self._routines:
            routine.cancel()
        self._routines = []


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    return "none" if value is None else str(value)
