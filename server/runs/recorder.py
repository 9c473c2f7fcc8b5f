"""Everything that happens to a run is stored and then published here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from server.checkpoints.npz import Meta
from server.checkpoints.snapshots import Snapshots
from server.checkpoints.unflushed import HistoryDelta
from server.concurrency.json_lines import Message
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.history.chunks import Floats
from server.history.run_history import Records
from server.inference.client import InferenceClient
from server.inference.messages import MeasureSample
from server.rnn.metrics import measured_updates
from server.runs.metric_piece import metric_piece
from server.runs.publisher import Publisher
from server.runs.sample_queue import PendingSample, SampleQueue
from server.spec.live_messages import (
    CheckpointDeletedMessage,
    CheckpointMessage,
    Curve,
    LiveMessage,
    MetricPiece,
    MilestoneMessage,
    MilestoneRemovedMessage,
    ProgressMessage,
    SampleMessage,
    StateMessage,
)
from server.spec.sample_schedule import epoch_is_marked
from server.spec.schemas import (
    Best,
    Checkpoint,
    LossOnTest,
    Milestone,
    OwnLosses,
    Run,
    RunState,
    Sample,
)
from server.spec.sizing import batch_layout
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.worker.messages import Report, decode_numbers

__all__ = ["Recorder"]

log = logging.getLogger(__name__)

PROGRESS = (
    *("epoch", "position", "loss", "smooth_loss"),
    *("validation_loss", "validation_update", "diverged_since"),
)
"""Fields with the same name in `Run` and in a checkpoint's trainer."""
NO_METRICS = MetricPiece(update=[], count=[], metrics={})


class Recorder:
    """Stores what happens to a run, and then publishes it.

    Parameters
    ----------
    run : Run
        The run; only this class changes its progress and its state.
    corpus_path : pathlib.Path
        The text against which samples are measured.
    store : StoreExecutor
        The database.
    publisher : Publisher
        Receives the messages to the viewers.
    inference : InferenceClient
        Measures samples, and writes their replays.
    snapshots : Snapshots
        The networks that wrote the samples.

    Attributes
    ----------
    on_sample_measured : callable
        Called with the update of each sample that is measured, or that need not be measured any
        more.
    lock : asyncio.Lock
        Held while something is stored and published. A snapshot read under the lock neither
        overlaps with the messages after it nor leaves a gap before them.
    """

    def __init__(
        self,
        run: Run,
        corpus_path: Path,
        store: StoreExecutor,
        publisher: Publisher,
        inference: InferenceClient,
        *,
        snapshots: Snapshots,
    ) -> None:
        self.run = run
        self.lock = asyncio.Lock()
        self._corpus_path = corpus_path
        self._store = store
        self._publisher = publisher
        self._inference = inference
        self._snapshots = snapshots
        # The watched words found so far; None when it must be read from the database.
        self._words_found: set[str] | None = None
        self._closed = False
        # Why a report could not be stored. The next one raises it.
        self._report_error: Exception | None = None
        self.on_sample_measured: Callable[[int], None] = lambda _update: None
        self._samples = SampleQueue(self._record_sample, self._sample_done, f"run {run.id}")

    @property
    def is_watched(self) -> bool:
        """Whether a viewer may read the messages."""
        return self._publisher.is_watched(self.run.id)

    # -- progress ---------------------------------------------------------------------------------

    async def apply_report(self, report: Report, *, keep_state: bool = False) -> None:
        """Store and publish what a worker reports.

        Parameters
        ----------
        report : Report
            The report.
        keep_state : bool
            Whether the run's state stays as it is, because it is going back to a checkpoint, or
            pauses only because the server ends.
        """
        if self._report_error is not None:
            raise self._report_error
        metrics = {name: decode_numbers(values) for name, values in report.metrics.items()}
        records = Records(report.first, decode_numbers(report.losses), metrics)
        run, state = self.run, RunState(report.state)
        diverged_before = run.diverged_since
        async with self.lock:
            known = run.update
            # A worker first repeats what a paused run had reached without a checkpoint. The store
            # skips the losses that it has.
            epochs = [epoch for epoch in report.epochs if epoch["update"] > known]
            samples, notices = report.samples, _notice_milestones(report.notices)
            if report.first <= known:
                notices = await self._unknown(notices)
            # One that continues from within a long validation writes that sample again.
            if samples and samples[0]["update"] <= known:
                samples = await self._missing(samples)
                # Otherwise the worker would wait until those that are stored are measured again.
                self._sample_done(report.samples[-1]["update"])
            run.update, run.epoch, run.position = report.update, report.epoch, report.position
            run.loss, run.smooth_loss = report.loss, report.smooth_loss
            run.validation_loss = report.validation_loss
            # A checkpoint of an earlier version does not contain it.
            if report.validation_update is not None or report.validation_loss is None:
                run.validation_update = report.validation_update
            run.best = None if report.best is None else Best(**report.best)
            run.seconds = report.seconds
            run.diverged_since = report.diverged_since
            run.updates_per_second = report.updates_per_second
            with self._samples.adding(samples):
                await self._store_report(records, [*_epoch_milestones(epochs), *notices])
            if run.update > known or state is run.state is RunState.RUNNING:
                self._publish_progress(report, metrics, known)
        # A worker that does not train cannot tell whether its run is paused, queued or has ended.
        still_not_running = state is RunState.PAUSED and run.state is not RunState.RUNNING
        if state is not run.state and not still_not_running and not keep_state:
            await self.set_state(state)
        elif run.diverged_since != diverged_before:
            await self.save()

    async def _store_report(self, records: Records, milestones: list[Milestone]) -> None:
        run = self.run
        text = run.model_dump_json()
        if milestones or run.state is not RunState.RUNNING:
            found = await self._store(Store.add_report, run.id, text, records, milestones)
            self._publish_milestones(found)
        else:
            # The periodic commit follows, so nothing needs to wait for the store's thread here.
            add = partial(Store.add_report, run=run.id, text=text, records=records, added=())
            self._store.post(self._note_report_error, add)

    def _note_report_error(self, error: Exception) -> None:
        log.error("a report of run %s could not be stored: %r", self.run.id, error)
        self._report_error = error

    async def restore_to(
        self, delta: HistoryDelta, progress: Meta, *, rewind: bool = False
    ) -> None:
        """Set the run to the update of a checkpoint, and store what led there and is missing.

        History is missing when the server died before it had stored what the worker reported.

        Parameters
        ----------
        delta : HistoryDelta
            The history that the checkpoint contains.
        progress : dict
            The trainer's scalars, from the checkpoint.
        rewind : bool
            Whether to delete what happened after the checkpoint, because the run will do it again.
            The deletion is durable when this returns.

        Raises
        ------
        StorageError
            It cannot be made durable; nothing has changed.
        """
        run = self.run
        async with self.lock:
            progress_now = _run_progress(progress) | {"seconds": delta.seconds}
            if progress_now["validation_loss"] is None:
                progress_now["validation_update"] = None
            elif progress_now["validation_update"] is None:
                # The checkpoint is that of an earlier version.
                progress_now["validation_update"] = await self._store(
                    queries.last_validated, run.id, progress_now["update"]
                )
            after = run.model_copy(update=progress_now)
            stored = await self._store(Store.history_end, run.id)
            milestones = _epoch_milestones(
                [epoch for epoch in delta.epochs if epoch["update"] > stored]
            )
            milestones += await self._unknown(_notice_milestones(delta.notices))
            records = Records(stored + 1, np.empty(0))
            if stored < delta.last:
                records = Records(min(delta.first, stored + 1), delta.losses, delta.metrics)
            missing = (records, milestones)
            text = after.model_dump_json()
            if rewind:
                failpoint("store.rewind")
                milestones = await self._store(
                    Store.rewind, run.id, text, *missing, update=after.update
                )
                failpoint("store.rewound")
                self._samples.discard_after(after.update)
                self._words_found = None
                self._publisher.restart(run.id)
            else:
                milestones = await self._store(Store.add_report, run.id, text, *missing)
            for field, value in progress_now.items():
                setattr(run, field, value)
            self._publish_milestones(milestones)
        await self.add_missing_samples(delta.samples)

    async def reset(self) -> None:
        """Set the run back to update 0, because it has no checkpoint; raises as `restore_to`."""
        start = {name: Run.model_fields[name].default for name in PROGRESS} | {"updates": 0}
        delta = HistoryDelta(1, 0, np.empty(0))
        await self.restore_to(delta, start | {"best_update": None}, rewind=True)

    # -- the run itself ---------------------------------------------------------------------------

    async def set_state(
        self, state: RunState, error: str | None = None, *, disk_full: bool = False
    ) -> None:
        """Set the run's state, with the reason for it."""
        run = self.run
        if (state, error, disk_full) != (run.state, run.error, run.disk_full):
            run.state, run.error, run.disk_full = state, error, disk_full
            if state is not RunState.QUEUED:
                run.waiting_for = None
            await self.save()

    async def save(self, milestones: Sequence[Milestone] = ()) -> None:
        """Store the run with milestones, durably unless the disk is full, and publish both."""
        async with self.lock:
            if self.run.state is not RunState.RUNNING:
                self.run.updates_per_second = 0.0
            text = self.run.model_dump_json()
            milestones = await self._store(Store.save_run, self.run.id, text, milestones)
            # The database writes what is left when there is space again.
            with contextlib.suppress(StorageError):
                await self._store(Store.commit_written)
            self._publish_milestones(milestones)
            self._publish(StateMessage(type="state", run_state=self.run))

    async def set_own_losses(self, about: OwnLosses | None, rows: bytes | None) -> None:
        """Replace the user's losses beside the run, or remove them; durable.

        Raises
        ------
        StorageError
            The disk is full; nothing is changed.
        """
        async with self.lock:
            changed = self.run.model_copy(update={"own_losses": about})
            text = changed.model_dump_json()
            await self._store(Store.save_own_losses, self.run.id, text, rows)
            self.run.own_losses = about
            self._publish(StateMessage(type="state", run_state=self.run))

    async def set_test(self, test: LossOnTest) -> None:
        """Store and publish a measurement of the test part; durable.

        Raises
        ------
        StorageError
            It cannot be stored; nothing has changed.
        """
        async with self.lock:
            text = self.run.model_copy(update={"test": test}).model_dump_json()
            await self._store(Store.save_run_durably, self.run.id, text)
            self.run.test = test
            self._publish(StateMessage(type="state", run_state=self.run))

    async def set_machine(self, machine: str | None) -> None:
        """Set and publish the machine on which the run's worker is."""
        if machine != self.run.machine:
            self.run.machine = machine
            await self.publish_state()

    async def publish_state(self) -> None:
        """Publish the run as it is."""
        async with self.lock:
            self._publish(StateMessage(type="state", run_state=self.run))

    async def flush(self) -> int:
        """Store the run, and make everything so far durable; returns and raises as `commit`.

        Something is written even if nothing has changed, so that it fails on a full disk.
        """
        async with self.lock:
            await self._store(Store.save_run, self.run.id, self.run.model_dump_json())
        return await self.commit()

    async def commit(self) -> int:
        """Make everything durable that was stored, such as the reports.

        Returns
        -------
        int
            The update up to which the history is complete in the database, samples included.

        Raises
        ------
        StorageError
            There is no space for it.
        """
        async with self.lock:
            first = self._samples.first
            update = self.run.update if first is None else first - 1
        # Not under the lock: reports need not wait for the disk.
        await self._store.commit_shared()
        return update

    async def close(self) -> None:
        """Stop measuring samples; of those left, only the ones in a checkpoint are not lost."""
        self._closed = True
        await self._samples.close()

    # -- milestones and checkpoints ---------------------------------------------------------------

    async def add_milestone(self, milestone: Milestone) -> None:
        """Store and publish a milestone."""
        async with self.lock:
            self._publish_milestones(
                await self._store(Store.add_milestones, self.run.id, [milestone])
            )

    async def _unknown(self, milestones: list[Milestone]) -> list[Milestone]:
        """Return the milestones that are not stored."""
        if not milestones:
            return []
        known = await self._store(queries.list_milestones, self.run.id)
        return [one for one in milestones if not any(_is_same(one, each) for each in known)]

    async def add_note(self, update: int, text: str) -> Milestone:
        """Store and publish a note about an update; durable. Raises as `Store.add_note`."""
        async with self.lock:
            note = await self._store(Store.add_note, self.run.id, update, text)
            self._publish_milestones([note])
            return note

    async def change_note(self, identity: str, text: str) -> Milestone:
        """Store and publish a note's new text; durable. Raises as `Store.change_note`."""
        async with self.lock:
            note = await self._store(Store.change_note, self.run.id, identity, text)
            self._publish_milestones([note])
            return note

    async def remove_note(self, identity: str) -> None:
        """Delete a note and publish that; durable. Raises as `Store.remove_note`."""
        async with self.lock:
            await self._store(Store.remove_note, self.run.id, identity)
            self._publish(MilestoneRemovedMessage(type="milestone_removed", milestone_id=identity))

    async def publish_checkpoint(
        self, checkpoint: Checkpoint, milestones: Sequence[Milestone] = ()
    ) -> None:
        """Publish a checkpoint and its milestones, which are stored already."""
        async with self.lock:
            self._publish(CheckpointMessage(type="checkpoint", checkpoint=checkpoint))
            self._publish_milestones(milestones)

    async def publish_checkpoint_deleted(self, checkpoint: str) -> None:
        """Publish that a checkpoint, by its id, was deleted."""
        async with self.lock:
            self._publish(
                CheckpointDeletedMessage(type="checkpoint_deleted", checkpoint_id=checkpoint)
            )

    # -- samples ----------------------------------------------------------------------------------

    async def add_missing_samples(self, samples: Sequence[Message]) -> None:
        """Measure and store those of a checkpoint's samples that are not in the database."""
        async with self.lock:
            with self._samples.adding(await self._missing(samples)):
                pass

    async def _missing(self, samples: Sequence[Message]) -> list[Message]:
        """Return the samples that are neither pending nor stored."""
        return [sample for sample in samples if not await self.has_sample(sample["update"])]

    async def has_sample(self, update: int) -> bool:
        """Return whether a sample of an update is stored or pending."""
        if self._samples.contains(update):
            return True
        return await self._store(queries.has_sample, self.run.id, update)

    async def drain(self) -> None:
        """Wait until every sample reported so far is measured, stored and published."""
        await self._samples.drain()

    async def _record_sample(self, pending: PendingSample) -> None:
        reported, spec = pending.sample, self.run.spec
        measured = await self._inference.measure_sample(
            MeasureSample(
                corpus_path=str(self._corpus_path),
                text=reported["text"],
                update=pending.update,
                watched=spec.watch_words or [],
                snapshot=str(self._snapshots.path(pending.update)),
                length=spec.sample_length,
                characters_to_learn=batch_layout(spec, self.run.corpus_characters).characters,
            )
        )
        async with self.lock:
            if pending.discarded:
                return
            if self._words_found is None:
                self._words_found = await self._store(queries.celebrated_words, self.run.id)
            hurrahs = [word for word in measured["found"] if word not in self._words_found]
            self._words_found |= set(hurrahs)
            sample = Sample(
                **reported,
                quality=measured["quality"],
                invented_words=measured["invented_words"],
                hurrahs=hurrahs,
                replay=measured["replay"],
            )
            milestones = [
                Milestone(update=sample.update, kind="hurrah", text=f"hurrah - {word}")
                for word in hurrahs
            ]
            milestones = await self._store(Store.add_sample, self.run.id, sample, milestones)
            if self.run.state is not RunState.RUNNING:
                # While the run is not training no periodic commit runs, so commit now.
                with contextlib.suppress(StorageError):
                    await self._store(Store.commit_written)
            self._publish(SampleMessage(type="sample", sample=sample))
            self._publish_milestones(milestones)

    def _sample_done(self, update: int) -> None:
        self.on_sample_measured(update)

    # -- publishing -------------------------------------------------------------------------------

    def _publish(self, message: LiveMessage) -> None:
        # A late message about a deleted run must not open its channel again.
        if not self._closed:
            self._publisher.publish(self.run.id, message)

    def _publish_milestones(self, milestones: Sequence[Milestone]) -> None:
        for milestone in milestones:
            self._publish(MilestoneMessage(type="milestone", milestone=milestone))

    def _publish_progress(self, report: Report, metrics: dict[str, Floats], known: int) -> None:
        """Publish what a report has after the update `known`."""
        run, first, curve = self.run, report.first, report.curve
        if first <= known:
            # A worker on another machine repeats what an earlier server may not have stored.
            first, curve = known + 1, _curve_after(curve, known)
            count = len(measured_updates(first, report.update))
            metrics = {name: values[len(values) - count :] for name, values in metrics.items()}
        piece = NO_METRICS
        if self.is_watched:
            piece = metric_piece(first, report.update, metrics)
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
                metrics=piece,
                happened_at=report.happened_at,
            )
        )


def _curve_after(curve: Curve, update: int) -> Curve:
    """Return the points of a piece of the curve after an update."""
    start = bisect_right(curve["update"], update)
    return Curve(
        update=curve["update"][start:],
        seconds=curve["seconds"][start:],
        smooth=curve["smooth"][start:],
        low=curve["low"][start:],
        high=curve["high"][start:],
    )


def _epoch_milestones(epochs: Sequence[Message]) -> list[Milestone]:
    return [
        Milestone(update=epoch["update"], kind="epoch", text=f"epoch {epoch['epoch']} begins")
        for epoch in epochs
        if epoch_is_marked(epoch["epoch"])
    ]


def _notice_milestones(notices: Sequence[Message]) -> list[Milestone]:
    return [
        Milestone(update=notice["update"], kind="change", text=notice["text"]) for notice in notices
    ]


def _is_same(one: Milestone, other: Milestone) -> bool:
    return (one.update, one.kind, one.text) == (other.update, other.kind, other.text)


def _run_progress(progress: Meta) -> dict[str, Any]:
    """Return the fields of a `Run` that follow from a trainer's scalars."""
    best = progress["best_update"]
    return {name: progress.get(name) for name in PROGRESS} | {
        "update": progress["updates"],
        "best": best and Best(update=best, smooth_loss=progress["best_smooth_loss"]),
    }
