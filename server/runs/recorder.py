"""Keeping and telling what happens to one run, in that order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections import deque
from pathlib import Path

import numpy as np

from server.runs.child import ChildGoneError, ChildRefusedError
from server.runs.models import Best, Checkpoint, Milestone, Run, RunState, Sample
from server.runs.publishing import Publisher
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
        Who measures samples.

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
    ) -> None:
        self.run = run
        self.lock = asyncio.Lock()
        self._corpus_path = corpus_path
        self._store = store
        self._publisher = publisher
        self._reader = reader
        self._celebrated: set[str] | None = None
        # Bounded: who samples faster than can be measured is held up by the line between.
        self._samples: asyncio.Queue[Message] = asyncio.Queue(MAX_UNMEASURED)
        self._pending: deque[int] = deque()
        self._kept_one = asyncio.Event()
        self._measuring = asyncio.create_task(self._measure_samples())

    async def take(self, report: Message) -> None:
        """Keep and tell what a worker reports."""
        losses = np.frombuffer(base64.b64decode(report["losses"]), dtype=np.float64)
        async with self.lock:
            await self._store(Store.add_losses, self.run.id, report["first"], losses)
            run = self.run
            run.update, run.epoch = report["update"], report["epoch"]
            run.position = report["position"]
            run.loss, run.smooth_loss = report["loss"], report["smooth_loss"]
            run.best = None if report["best"] is None else Best(**report["best"])
            run.updates_per_second = report["updates_per_second"]
            if len(losses):
                self._tell_progress(report["curve"])
        await self._take_marks(report["epochs"], report["samples"])
        await self.enter(RunState(report["state"]), report["reason"])

    async def catch_up(self, news: News) -> None:
        """Keep what a checkpoint tells and the store lacks, because the server died in between."""
        known = await self._store(Store.history_end, self.run.id)
        if known < news.last:
            await self._store(Store.add_losses, self.run.id, news.first, news.losses)
        epochs = [epoch for epoch in news.epochs if epoch["update"] > known]
        samples = [
            sample
            for sample in news.samples
            if not await self._store(Store.has_sample, self.run.id, sample["update"])
        ]
        await self._take_marks(epochs, samples)

    async def _take_marks(self, epochs: list[Message], samples: list[Message]) -> None:
        for epoch in epochs:
            text = f"epoch {epoch['epoch']} begins"
            await self.mark(Milestone(update=epoch["update"], kind="epoch", text=text))
        for sample in samples:
            self._pending.append(sample["update"])
            await self._samples.put(sample)

    async def caught_up(self) -> None:
        """Wait until every sample that was reported by now is measured, kept and told."""
        if self._pending:
            last = self._pending[-1]
            while last in self._pending:
                await self._kept_one.wait()

    async def mark(self, milestone: Milestone) -> None:
        """Keep and tell a milestone."""
        async with self.lock:
            await self._store(Store.add_milestone, self.run.id, milestone)
            self._tell("milestone", milestone=milestone.model_dump(mode="json"))

    async def checkpoint_made(self, checkpoint: Checkpoint) -> None:
        """Tell a checkpoint, which is kept already, and mark it when a person asked for it."""
        async with self.lock:
            self._tell("checkpoint", checkpoint=checkpoint.model_dump(mode="json"))
        if not checkpoint.automatic:
            text = checkpoint.note or "checkpoint"
            await self.mark(Milestone(update=checkpoint.update, kind="checkpoint", text=text))

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
        """Stop measuring; what is not measured yet is lost."""
        self._measuring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._measuring

    # -- samples ----------------------------------------------------------------------------------

    async def _measure_samples(self) -> None:
        while True:
            reported = await self._samples.get()
            try:
                await self._keep_sample(reported)
            except (ChildGoneError, ChildRefusedError, OSError) as error:
                log.warning("run %s: a sample could not be measured: %s", self.run.id, error)
            finally:
                self._pending.popleft()
                self._kept_one.set()
                self._kept_one = asyncio.Event()

    async def _keep_sample(self, reported: Message) -> None:
        watched = self.run.spec.watch_words or []
        measured = await self._reader.measure(self._corpus_path, reported["text"], watched)
        celebrated = await self._already_celebrated()
        hurrahs = [word for word in measured["found"] if word not in celebrated]
        celebrated |= set(hurrahs)
        sample = Sample(
            **reported,
            quality=measured["quality"],
            invented=measured["invented"],
            hurrahs=hurrahs,
        )
        async with self.lock:
            await self._store(Store.add_sample, self.run.id, sample)
            self._tell("sample", sample=sample.model_dump(mode="json"))
        for word in hurrahs:
            text = f"hurrah - {word}"
            await self.mark(Milestone(update=sample.update, kind="hurrah", text=text))

    async def _already_celebrated(self) -> set[str]:
        if self._celebrated is None:
            samples = await self._store(Store.samples, self.run.id)
            self._celebrated = {word for sample in samples for word in sample.hurrahs}
        return self._celebrated

    # -- telling ----------------------------------------------------------------------------------

    def _tell(self, kind: str, **content: object) -> None:
        self._publisher.publish(self.run.id, {"type": kind, "run": self.run.id, **content})

    def _tell_progress(self, curve: dict[str, list[float | None]]) -> None:
        run = self.run
        self._tell(
            "progress",
            update=run.update,
            epoch=run.epoch,
            position=run.position,
            loss=run.loss,
            smooth_loss=run.smooth_loss,
            best=None if run.best is None else run.best.model_dump(),
            updates_per_second=run.updates_per_second,
            curve=curve,
        )
