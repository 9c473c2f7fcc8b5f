"""Keeping and telling what happens to one run, in that order."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from server.checkpoints.npz import Meta
from server.checkpoints.snapshots import Snapshots
from server.checkpoints.unflushed import HistoryDelta
from server.concurrency.json_lines import Message
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.inference.client import InferenceClient
from server.runs.publisher import Publisher
from server.runs.sample_queue import PendingSample, SampleQueue
from server.spec.live_messages import (
    CheckpointDeletedMessage,
    CheckpointMessage,
    Curve,
    LiveMessage,
    MilestoneMessage,
    MilestoneRemovedMessage,
    ProgressMessage,
    SampleMessage,
    StateMessage,
)
from server.spec.sample_schedule import epoch_is_marked
from server.spec.schemas import Best, Checkpoint, Milestone, Run, RunState, Sample
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["Recorder"]

# What a run and the trainer of its checkpoints call by the same name.
PROGRESS = ("epoch", "position", "loss", "smooth_loss", "validation_loss")


class Recorder:
    """Stores what happens to a run and tells those who look on.

    Parameters
    ----------
    run : Run
        The run as it stands; brought up to date here and nowhere else.
    corpus_path : pathlib.Path
        The text it learns, against which samples are measured.
    store : StoreExecutor
        Where it is kept.
    publisher : Publisher
        Whom it is told.
    reader : InferenceClient
        Who measures samples, and writes their replays.
    snapshots : Snapshots
        The network as it stood when samples were written.

    Attributes
    ----------
    measured : callable
        Called with the update of each sample that needs no measuring any more, so that who writes
        them can go by it.
    lock : asyncio.Lock
        Held while something is stored and told, so that a snapshot taken under it and the messages
        after it neither overlap nor leave a gap.
    """

    def __init__(
        self,
        run: Run,
        corpus_path: Path,
        store: StoreExecutor,
        publisher: Publisher,
        reader: InferenceClient,
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
        self.measured: Callable[[int], None] = lambda _update: None
        self._samples = SampleQueue(self._keep_sample, self._done_with, f"run {run.id}")

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
            waiting = self._samples.announce(report["samples"])
            marks = _epoch_marks(report["epochs"])
            text = run.model_dump_json()
            first = report["first"]
            marks = await self._store(Store.add_report, run.id, text, first, losses, marks)
            self._publish_milestones(marks)
            if len(losses) or state is run.state is RunState.RUNNING:
                self._publish_progress(report["curve"], report["happened_at"])
        self._samples.put(waiting)
        # A worker that stands still says nothing of whether its run waits, or has ended.
        stands = state is RunState.PAUSED and run.state is not RunState.RUNNING
        if state is not run.state and not stands:
            await self.enter(state)

    async def catch_up(self, news: HistoryDelta, progress: Meta, *, go_back: bool = False) -> None:
        """Stand where a checkpoint stands, and keep what the store lacks of what led there.

        It lacks something when the server died before it had stored what the worker reported.

        Parameters
        ----------
        news : News
            What the checkpoint carries of it.
        progress : dict
            The trainer's scalars, from the checkpoint.
        go_back : bool
            Whether to forget what happened after it, because it is about to happen again; durable
            when this returns.

        Raises
        ------
        StorageError
            It can't be made durable; nothing has changed.
        """
        run = self.run
        async with self.lock:
            standing = _standing(progress) | {"seconds": news.seconds}
            after = run.model_copy(update=standing)
            known = await self._store(Store.history_end, run.id)
            marks = _epoch_marks([epoch for epoch in news.epochs if epoch["update"] > known])
            losses = news.losses if known < news.last else news.losses[:0]
            happened = (min(news.first, known + 1), losses, marks)
            text = after.model_dump_json()
            if go_back:
                failpoint("store.rewind")
                update = after.update
                marks = await self._store(Store.rewind, run.id, text, *happened, update=update)
                failpoint("store.rewound")
                self._samples.forget_after(after.update)
                self._celebrated = None
                self._publisher.restart(run.id)
            else:
                marks = await self._store(Store.add_report, run.id, text, *happened)
            for field, value in standing.items():
                setattr(run, field, value)
            self._publish_milestones(marks)
        await self.keep_samples(news.samples)

    async def keep_samples(self, samples: Sequence[Message]) -> None:
        """Keep what a checkpoint carries of samples, as far as the store lacks them."""
        async with self.lock:
            lacking = [
                sample
                for sample in samples
                if not self._samples.holds(sample["update"])
                and not await self._store(queries.has_sample, self.run.id, sample["update"])
            ]
            waiting = self._samples.announce(lacking)
        self._samples.put(waiting)

    async def begin_again(self) -> None:
        """Forget everything: no checkpoint was made, and it will happen again; as `catch_up`."""
        start = {name: Run.model_fields[name].default for name in PROGRESS} | {"updates": 0}
        news = HistoryDelta(1, 0, np.empty(0))
        await self.catch_up(news, start | {"best_update": None}, go_back=True)

    async def caught_up(self) -> None:
        """Wait until every sample that was reported by now is measured, kept and told."""
        await self._samples.caught_up()

    async def mark(self, milestone: Milestone) -> None:
        """Keep and tell a milestone."""
        async with self.lock:
            self._publish_milestones(
                await self._store(Store.add_milestones, self.run.id, [milestone])
            )

    async def add_note(self, update: int, text: str) -> Milestone:
        """Keep and tell a note about an update; durable. Raises as `Store.add_note`."""
        async with self.lock:
            note = await self._store(Store.add_note, self.run.id, update, text)
            self._publish_milestones([note])
            return note

    async def change_note(self, identity: str, text: str) -> Milestone:
        """Change and tell what a note says; durable. Raises as `Store.change_note`."""
        async with self.lock:
            note = await self._store(Store.change_note, self.run.id, identity, text)
            self._publish_milestones([note])
            return note

    async def remove_note(self, identity: str) -> None:
        """Take a note away and tell it; durable. Raises as `Store.remove_note`."""
        async with self.lock:
            await self._store(Store.remove_note, self.run.id, identity)
            self._publish(MilestoneRemovedMessage(type="milestone_removed", milestone_id=identity))

    async def checkpoint_made(self, checkpoint: Checkpoint, marks: list[Milestone]) -> None:
        """Tell a checkpoint and its marks, which are kept already."""
        async with self.lock:
            self._publish(CheckpointMessage(type="checkpoint", checkpoint=checkpoint))
            self._publish_milestones(marks)

    async def checkpoint_deleted(self, checkpoint: str) -> None:
        """Tell that a checkpoint, by its id, is not there any more."""
        async with self.lock:
            self._publish(
                CheckpointDeletedMessage(type="checkpoint_deleted", checkpoint_id=checkpoint)
            )

    async def enter(
        self, state: RunState, error: str | None = None, *, disk_full: bool = False
    ) -> None:
        """Let the run be in a state, if it is not yet."""
        run = self.run
        if (state, error, disk_full) != (run.state, run.error, run.disk_full):
            run.state, run.error, run.disk_full = state, error, disk_full
            await self.save()

    async def save(self) -> None:
        """Keep the run as it stands, durably unless there is no room, and tell it."""
        async with self.lock:
            if self.run.state is not RunState.RUNNING:
                self.run.updates_per_second = 0.0
            await self._store(Store.save_run, self.run.id, self.run.model_dump_json())
            # What can't be written now is written when there is room.
            with contextlib.suppress(StorageError):
                await self._store(Store.commit)
            self._publish(StateMessage(type="state", run_state=self.run))

    async def flush(self) -> int:
        """Make everything so far durable; return the last update of which nothing is pending.

        Raises
        ------
        StorageError
            There is no room for it.
        """
        async with self.lock:
            first = self._samples.first
            update = self.run.update if first is None else first - 1
            await self._store(Store.save_run, self.run.id, self.run.model_dump_json())
            await self._store(Store.commit)
            return update

    async def close(self) -> None:
        """Stop measuring; what is not measured yet is lost, but for what a checkpoint carries."""
        await self._samples.close()

    # -- samples ----------------------------------------------------------------------------------

    async def _keep_sample(self, waiting: PendingSample) -> None:
        reported, spec = waiting.sample, self.run.spec
        measured = await self._reader.measure(
            self._corpus_path,
            reported,
            spec.watch_words or [],
            snapshot=self._snapshots.path(waiting.update),
            length=spec.sample_length,
        )
        async with self.lock:
            if waiting.forgotten:
                return
            celebrated = await self._already_celebrated()
            hurrahs = [word for word in measured["found"] if word not in celebrated]
            celebrated |= set(hurrahs)
            sample = Sample(
                **reported,
                quality=measured["quality"],
                invented_words=measured["invented_words"],
                hurrahs=hurrahs,
                replay=measured["replay"],
            )
            marks = [
                Milestone(update=sample.update, kind="hurrah", text=f"hurrah - {word}")
                for word in hurrahs
            ]
            marks = await self._store(Store.add_sample, self.run.id, sample, marks)
            if self.run.state is not RunState.RUNNING:
                # Nobody may commit for long.
                with contextlib.suppress(StorageError):
                    await self._store(Store.commit)
            self._publish(SampleMessage(type="sample", sample=sample))
            self._publish_milestones(marks)

    def _done_with(self, update: int) -> None:
        self.measured(update)

    async def _already_celebrated(self) -> set[str]:
        if self._celebrated is None:
            self._celebrated = await self._store(queries.celebrated_words, self.run.id)
        return self._celebrated

    # -- publishing -------------------------------------------------------------------------------

    def _publish(self, message: LiveMessage) -> None:
        self._publisher.publish(self.run.id, message)

    def _publish_milestones(self, milestones: list[Milestone]) -> None:
        for milestone in milestones:
            self._publish(MilestoneMessage(type="milestone", milestone=milestone))

    def _publish_progress(self, curve: Curve, happened_at: float) -> None:
        run = self.run
        self._publish(
            ProgressMessage(
                type="progress",
                update=run.update,
                epoch=run.epoch,
                position=run.position,
                loss=run.loss,
                smooth_loss=run.smooth_loss,
                seconds=run.seconds,
                best=run.best,
                updates_per_second=run.updates_per_second,
                curve=curve,
                happened_at=happened_at,
            )
        )


def _epoch_marks(epochs: list[Message]) -> list[Milestone]:
    return [
        Milestone(update=epoch["update"], kind="epoch", text=f"epoch {epoch['epoch']} begins")
        for epoch in epochs
        if epoch_is_marked(epoch["epoch"])
    ]


def _standing(progress: Meta) -> dict[str, Any]:
    """Return what a trainer's scalars say of where its run stands, by the run's own names."""
    best = progress["best_update"]
    return {name: progress.get(name) for name in PROGRESS} | {
        "update": progress["updates"],
        "best": best and Best(update=best, smooth_loss=progress["best_smooth_loss"]),
    }
