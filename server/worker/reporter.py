"""A worker's reports: at most 20 a second, each with what happened since the one before."""

from __future__ import annotations

import time
from array import array
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz import Arrays, Meta
from server.checkpoints.unflushed import HistoryDelta, UnconfirmedHistory
from server.concurrency.json_lines import JsonLineChannel, Message, finite
from server.concurrency.typed_messages import encode_event
from server.rnn.training.trainer import Trainer
from server.worker.messages import Report, encode_numbers

if TYPE_CHECKING:
    # A worker need not load Pydantic, which this module brings.
    from server.spec.live_messages import Curve

__all__ = ["MAX_BACKLOG_SAMPLES", "REPORT_EVERY_S", "Reporter"]

REPORT_EVERY_S = 0.05
# The longest time between reports without changes, so that the page shows at once that training
# continues at a slow pace, too.
REPORT_AT_LEAST_EVERY_S = 0.15
SPEED_WINDOW_S = 2.0
CURVE_POINTS = 10
# Training waits when the server has not received, or not stored, so many losses: a server that
# hangs, or whose disk is full, must not fill this process's memory. This is some 100 s of the
# fastest training and takes 16 MB, and for a moment some 30 MB as one report.
MAX_BACKLOG_UPDATES = 1_000_000
# Training also waits when the server has not measured so many samples. With a sample at every
# update the wait must be here, where commands are still carried out, and not in the server.
MAX_BACKLOG_SAMPLES = 100


class Stopwatch:
    """The time that a run has trained, pauses not counted, as last read.

    Parameters
    ----------
    seconds : float
        The time to continue from.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since_s: float | None = None

    def start(self) -> None:
        """Start, unless it is running."""
        if self._since_s is None:
            self._since_s = time.monotonic() - self.seconds

    def read(self) -> None:
        """Bring `seconds` up to date."""
        if self._since_s is not None:
            self.seconds = time.monotonic() - self._since_s

    def stop(self) -> None:
        """Stop; time since the last reading does not count."""
        self._since_s = None


class Reporter:
    """Collects what happens between two reports, and keeps it until the server has stored it.

    Parameters
    ----------
    channel : JsonLineChannel
        To the server.
    trainer : Trainer
        The trainer to report about.
    restored : HistoryDelta or None
        The history in the checkpoint from which the trainer continues, kept until it is confirmed.
    """

    def __init__(
        self, channel: JsonLineChannel, trainer: Trainer, restored: HistoryDelta | None = None
    ) -> None:
        seconds = 0.0 if restored is None else restored.seconds
        self._channel = channel
        self._trainer = trainer
        self._losses = array("d")
        self._smooth_losses = array("d")
        self._metrics: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._samples: list[Message] = []
        self._unmeasured: deque[int] = deque()
        self._epochs: list[Message] = []
        self._notices: list[Message] = []
        self._first_unsent = trainer.updates + 1
        self._unflushed = UnconfirmedHistory()
        if restored is not None:
            self._unflushed.add(restored)
        self._reported_s = 0.0
        self._stopwatch = Stopwatch(seconds)
        self._last_report = (trainer.updates, seconds)
        self._rate_points: deque[tuple[float, int]] = deque()

    # -- collecting -------------------------------------------------------------------------------

    def begin_update(self) -> None:
        """Start the stopwatch: an update is about to be made."""
        self._stopwatch.start()

    def end_update(self, loss: float) -> None:
        """Add an update that was made just now, with its loss."""
        self._losses.append(loss)
        self._smooth_losses.append(self._trainer.smooth_loss or 0.0)
        for name, value in self._trainer.metrics.items():
            self._metrics[name].append(value)
        self._stopwatch.read()

    def add_epoch(self) -> None:
        """Add that the last update ended an epoch."""
        self._epochs.append({"update": self._trainer.updates, "epoch": self._trainer.epoch})

    def add_notice(self, text: str) -> None:
        """Add a sentence to record as a milestone."""
        self._notices.append({"update": self._trainer.updates, "text": text})

    def add_sample(self, sample: Message) -> None:
        """Add a sample."""
        self._samples.append(sample)
        self._unmeasured.append(sample["update"])

    def confirm_measured(self, update: int) -> None:
        """Note that the server has measured the samples up to this update."""
        while self._unmeasured and self._unmeasured[0] <= update:
            self._unmeasured.popleft()

    def confirm_flushed(self, update: int) -> None:
        """Forget what the server has stored, so that no checkpoint contains it any more."""
        self._unflushed.confirm(update)

    def idle(self) -> None:
        """Stop the stopwatch: there is nothing to do until the next command."""
        self._stopwatch.stop()
        self.reset_rate()

    def reset_rate(self) -> None:
        """Measure the updates a second afresh, without the time before now."""
        self._rate_points.clear()

    @property
    def has_changes(self) -> bool:
        """Whether anything happened since the last report."""
        return bool(self._losses or self._samples or self._epochs or self._notices)

    @property
    def backlog_is_full(self) -> bool:
        """Whether training must wait until the server has received, stored or measured more."""
        return (
            len(self._unmeasured) > MAX_BACKLOG_SAMPLES
            or (len(self._losses) > MAX_BACKLOG_UPDATES and not self._channel.idle)
            or self._unflushed.updates > MAX_BACKLOG_UPDATES
        )

    def unflushed_contents(self) -> tuple[Arrays, Meta]:
        """Return the history that the server may not have stored, for a checkpoint."""
        return self._unflushed.contents(self._delta)

    # -- reporting --------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether it is time for a report, and the last one has left."""
        since_s = time.monotonic() - self._reported_s
        every_s = REPORT_EVERY_S if self.has_changes else REPORT_AT_LEAST_EVERY_S
        return since_s >= every_s and self._channel.idle

    def report(
        self,
        *,
        busy: bool,
        state: str,
        runaway: bool,
        storage_error: str | None,
    ) -> None:
        """Send everything that happened since the last report.

        Parameters
        ----------
        busy : bool
            Whether training continues.
        state, runaway, storage_error
            As in `server.worker.messages.Report`.
        """
        now_s = self._reported_s = time.monotonic()
        trainer, delta = self._trainer, self._delta
        report = Report(
            update=trainer.updates,
            epoch=trainer.epoch,
            position=trainer.position,
            loss=finite(trainer.loss),
            smooth_loss=finite(trainer.smooth_loss),
            validation_loss=finite(trainer.validation_loss),
            validation_update=trainer.validation_update,
            best=None
            if trainer.best_update is None
            else {"update": trainer.best_update, "smooth_loss": trainer.best_smooth_loss},
            seconds=self._stopwatch.seconds,
            updates_per_second=self._updates_per_second(now_s) if busy else 0.0,
            state=state,
            runaway=runaway,
            high_losses_since=trainer.high_losses_since,
            diverged_since=trainer.diverged_since,
            storage_error=storage_error,
            notices=self._notices,
            first=self._first_unsent,
            losses=encode_numbers(delta.losses),
            metrics={name: encode_numbers(values) for name, values in delta.metrics.items()},
            curve=self._curve(),
            happened_at=round(time.time(), 3),
            samples=self._samples,
            epochs=self._epochs,
        )
        self._channel.send(encode_event(report))
        self._unflushed.add(delta)
        self._first_unsent = trainer.updates + 1
        self._last_report = (trainer.updates, self._stopwatch.seconds)
        self._losses, self._smooth_losses = array("d"), array("d")
        self._metrics.clear()
        self._samples, self._epochs, self._notices = [], [], []

    @property
    def _delta(self) -> HistoryDelta:
        """What happened since the last report."""
        return HistoryDelta(
            self._first_unsent,
            self._trainer.updates,
            _numbers(self._losses),
            {name: _numbers(values) for name, values in self._metrics.items()},
            samples=self._samples,
            epochs=self._epochs,
            notices=self._notices,
            seconds=self._stopwatch.seconds,
        )

    def _curve(self) -> Curve:
        """Return the losses of this report reduced to a few points, with each point's extremes."""
        count = len(self._losses)
        bucket = max(1, -(-count // CURVE_POINTS))
        losses = np.frombuffer(self._losses, dtype=np.float64)
        starts = np.arange(0, count, bucket)
        ends = [min(start + bucket, count) - 1 for start in starts.tolist()]
        updates = [self._first_unsent + end for end in ends]
        (then, then_s), now = self._last_report, self._trainer.updates
        seconds = np.interp(updates, [then, now], [then_s, self._stopwatch.seconds])
        low = np.minimum.reduceat(losses, starts) if count else losses
        high = np.maximum.reduceat(losses, starts) if count else losses
        return {
            "update": updates,
            "seconds": np.round(seconds, 3).tolist(),
            "smooth": [finite(self._smooth_losses[end]) for end in ends],
            "low": [finite(value) for value in low.tolist()],
            "high": [finite(value) for value in high.tolist()],
        }

    def _updates_per_second(self, now_s: float) -> float:
        """Return the updates a second over the last two seconds or so."""
        self._rate_points.append((now_s, self._trainer.updates))
        while len(self._rate_points) > 2 and now_s - self._rate_points[1][0] >= SPEED_WINDOW_S:
            self._rate_points.popleft()
        then_s, then = self._rate_points[0]
        elapsed_s = now_s - then_s
        return (self._trainer.updates - then) / elapsed_s if elapsed_s > 0 else 0.0


def _numbers(values: array[float]) -> NDArray[np.float64]:
    return np.frombuffer(values.tobytes(), dtype=np.float64)
