"""Keeping and telling what happens to one run, in that order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.runs.archive import Meta
from server.runs.models import Best, Checkpoint, Milestone, Run, RunState, Sample
from server.runs.publishing import Publisher
from server.runs.snapshots import Snapshots
from server.runs.store import Store, StoreThread
from server.runs.unflushed import News
from server.runs.wire import Message
from server.runs.writing import ScribeDesk

__all__ = ["Recorder"]

log = logging.getLogger(__name__)

MAX_UNMEASURED = 32


class Recorder:
    """Stores what happens to a run and tells those who look on.

    Parameters
    ----------
    run : Run
        The run as it stands; brought up to date here and nowhere else.
    corpus_path : pathlib.Path
        The text it learns, against which samples are measured.
    store : StoreThread
        Where it is kept.
    publisher : Publisher
        Whom it is told.
    reader : ScribeDesk
        Who measures samples, and writes their replays.
    snapshots : Snapshots
        The network as it stood when samples were written.

    Attributes
    ----------
    lock : asyncio.Lock
        Held while something is stored and told, so that a snapshot taken under it and the messages
        after it neither overlap nor leave a gap.
    """

    def __init__(
        self,
        run: Run,
        corpus_path: Path,
        store: StoreThread,
        publisher: Publisher,
        reader: ScribeDesk,
        *,
        snapshots: Snapshots,
    ) -> None:
        self.run = run
        self.lock = asyncio.Lock()
        self._corpus_path = corpus_path
        self._store = store
        self._publisher = publisher
        self._reader = reader
        self._snapshots = snapshots
        self._celebrated: set[str] | None = None
        # Bounded: who samples faster than can be measured is held up by the line between.
        self._samples: asyncio.Queue[Message] = asyncio.Queue(MAX_UNMEASURED)
        self._pending: deque[int] = deque()
        self._kept_one = asyncio.Event()
        self._closed = False
        self._measuring = asyncio.create_task(self._measure_samples())

    async def take(self, report: Message) -> None:
        """Keep and tell what a worker reports."""
        losses = np.frombuffer(base64.b64decode(report["losses"]), dtype=np.float64)
        run, state = self.run, RunState(report["state"])
        async with self.lock:
            run.update, run.epoch = report["update"], report["epoch"]
            run.position = report["position"]
            run.loss, run.smooth_loss = report["loss"], report["smooth_loss"]
            run.validation_loss = report["validation_loss"]
            run.best = None if report["best"] is None else Best(**report["best"])
            run.seconds = report["seconds"]
            run.updates_per_second = report["updates_per_second"]
            await self._keep(report["first"], losses, report["epochs"], report["samples"])
            if len(losses) or state is run.state is RunState.RUNNING:
                self._tell_progress(report["curve"])
        await self._measure(report["samples"])
        # A worker that stands still says nothing of whether its run waits, or has ended.
        if state is not RunState.PAUSED or run.state is RunState.RUNNING:
            await self.enter(state)

    async def catch_up(self, news: News, progress: Meta) -> None:
        """Stand where a checkpoint stands, and keep what the store lacks of what led there.

        It lacks something when the server died before it had stored what the worker reported.

        Parameters
        ----------
        news : News
            What the checkpoint carries of it.
        progress : dict
            The trainer's scalars, from the checkpoint.
        """
        run = self.run
        async with self.lock:
            known = await self._store(Store.history_end, run.id)
            run.update, run.epoch = progress["updates"], progress["epoch"]
            run.position = progress["position"]
            run.loss, run.smooth_loss = progress["loss"], progress["smooth_loss"]
            run.validation_loss = progress.get("validation_loss")
            run.seconds = news.seconds
            run.best = None
            if progress["best_update"] is not None:
                run.best = Best(
                    update=progress["best_update"], smooth_loss=progress["best_smooth_loss"]
                )
            epochs = [epoch for epoch in news.epochs if epoch["update"] > known]
            samples = [
                sample
                for sample in news.samples
                if sample["update"] not in self._pending
                and not await self._store(Store.has_sample, run.id, sample["update"])
            ]
            losses = news.losses if known < news.last else news.losses[:0]
            await self._keep(min(news.first, known + 1), losses, epochs, samples)
        await self._measure(samples)

    async def _keep(
        self,
        first: int,
        losses: NDArray[np.float64],
        epochs: list[Message],
        samples: list[Message],
    ) -> None:
        """Store at once what belongs together, whoever commits next; the lock is held."""
        marks = [
            Milestone(update=epoch["update"], kind="epoch", text=f"epoch {epoch['epoch']} begins")
            for epoch in epochs
        ]
        self._pending.extend(sample["update"] for sample in samples)
        run = self.run
        text = run.model_dump_json()
        self._tell_marks(await self._store(Store.add_report, run.id, text, first, losses, marks))

    async def _measure(self, samples: list[Message]) -> None:
        for sample in samples:
            await self._samples.put(sample)

    async def caught_up(self) -> None:
        """Wait until every sample that was reported by now is measured, kept and told."""
        if self._pending:
            last = self._pending[-1]
            while last in self._pending and not self._closed:
                await self._kept_one.wait()

    async def mark(self, milestone: Milestone) -> None:
        """Keep and tell a milestone."""
        async with self.lock:
            self._tell_marks(await self._store(Store.add_milestones, self.run.id, [milestone]))

    async def add_note(self, update: int, text: str) -> Milestone:
        """Keep and tell a note about an update; durable. Raises as `Store.add_note`."""
        async with self.lock:
            note = await self._store(Store.add_note, self.run.id, update, text)
            self._tell_marks([note])
            return note

    async def change_note(self, identity: str, text: str) -> Milestone:
        """Change and tell what a note says; durable. Raises as `Store.change_note`."""
        async with self.lock:
            note = await self._store(Store.change_note, self.run.id, identity, text)
            self._tell_marks([note])
            return note

    async def remove_note(self, identity: str) -> None:
        """Take a note away and tell it; durable. Raises as `Store.remove_note`."""
        async with self.lock:
            await self._store(Store.remove_note, self.run.id, identity)
            self._tell("milestone_removed", milestone_id=identity)

    async def checkpoint_made(self, checkpoint: Checkpoint) -> None:
        """Tell a checkpoint, which is kept already, and mark it when a person asked for it."""
        async with self.lock:
            self._tell("checkpoint", checkpoint=checkpoint.model_dump(mode="json"))
        if not checkpoint.automatic:
            text = checkpoint.note or "checkpoint"
            await self.mark(Milestone(update=checkpoint.update, kind="checkpoint", text=text))

    async def checkpoint_deleted(self, checkpoint: str) -> None:
        """Tell that a checkpoint, by its id, is not there any more."""
        async with self.lock:
            self._tell("checkpoint_deleted", checkpoint_id=checkpoint)

    async def enter(self, state: RunState, error: str | None = None) -> None:
        """Let the run be in a state, if it is not yet."""
        if (state, error) != (self.run.state, self.run.error):
            self.run.state, self.run.error = state, error
            await self.save()

    async def save(self) -> None:
        """Make the run as it stands durable, and tell it."""
        async with self.lock:
            if self.run.state is not RunState.RUNNING:
                self.run.updates_per_second = 0.0
            await self._store(Store.save_run, self.run.id, self.run.model_dump_json())
            await self._store(Store.commit)
            self._tell("state", run_state=self.run.model_dump(mode="json"))

    async def flush(self) -> int:
        """Make everything so far durable; return the last update of which nothing is pending."""
        async with self.lock:
            update = self._pending[0] - 1 if self._pending else self.run.update
            await self._store(Store.save_run, self.run.id, self.run.model_dump_json())
            await self._store(Store.commit)
            return update

    async def rewind(self, update: int) -> None:
        """Forget what happened after `update`, because it is about to happen again."""
        async with self.lock:
            await self._store(Store.rewind, self.run.id, update)
            self._celebrated = None
            self._publisher.restart(self.run.id)

    async def close(self) -> None:
        """Stop measuring; what is not measured yet is lost, but for what a checkpoint carries."""
        self._closed = True
        self._wake()
        self._measuring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._measuring

    # -- samples ----------------------------------------------------------------------------------

    async def _measure_samples(self) -> None:
        while True:
            reported = await self._samples.get()
            try:
                await self._keep_sample(reported)
            except Exception:
                # Whatever it was, the samples after it must not wait for ever, nor the worker.
                log.exception("run %s: a sample could not be kept", self.run.id)
            finally:
                self._pending.popleft()
                self._wake()

    def _wake(self) -> None:
        self._kept_one.set()
        self._kept_one = asyncio.Event()

    async def _keep_sample(self, reported: Message) -> None:
        spec = self.run.spec
        measured = await self._reader.measure(
            self._corpus_path,
            reported,
            spec.watch_words or [],
            snapshot=self._snapshots.path(reported["update"]),
            length=spec.sample_length,
        )
        celebrated = await self._already_celebrated()
        hurrahs = [word for word in measured["found"] if word not in celebrated]
        celebrated |= set(hurrahs)
        sample = Sample(
            **reported,
            quality=measured["quality"],
            invented=measured["invented"],
            hurrahs=hurrahs,
            replay=measured["replay"],
        )
        marks = [
            Milestone(update=sample.update, kind="hurrah", text=f"hurrah - {word}")
            for word in hurrahs
        ]
        async with self.lock:
            marks = await self._store(Store.add_sample, self.run.id, sample, marks)
            self._tell("sample", sample=sample.model_dump(mode="json"))
            self._tell_marks(marks)

    async def _already_celebrated(self) -> set[str]:
        if self._celebrated is None:
            self._celebrated = await self._store(Store.celebrated, self.run.id)
        return self._celebrated

    # -- telling ----------------------------------------------------------------------------------

    def _tell(self, kind: str, **content: object) -> None:
        self._publisher.publish(self.run.id, {"type": kind, "run": self.run.id, **content})

    def _tell_marks(self, marks: list[Milestone]) -> None:
        for mark in marks:
            self._tell("milestone", milestone=mark.model_dump(mode="json"))

    def _tell_progress(self, curve: dict[str, list[float | None]]) -> None:
        run = self.run
        self._tell(
            "progress",
            update=run.update,
            epoch=run.epoch,
            position=run.position,
            loss=run.loss,
            smooth_loss=run.smooth_loss,
            seconds=run.seconds,
            best=None if run.best is None else run.best.model_dump(),
            updates_per_second=run.updates_per_second,
            curve=curve,
        )
