"""What a worker says of its training: at most 20 times a second, and nothing twice."""

from __future__ import annotations

import base64
import time
from array import array
from collections import deque
from typing import Any

import numpy as np

from server.checkpoints.npz import Arrays, Meta
from server.checkpoints.unflushed import HistoryDelta, UnconfirmedHistory
from server.concurrency.json_lines import JsonLineChannel, Message, finite
from server.rnn.training.trainer import Trainer

__all__ = ["MAX_BACKLOG_SAMPLES", "REPORT_EVERY_S", "Reporter"]

REPORT_EVERY_S = 0.05
# A slow pace, too, shows at once that training goes on.
REPORT_AT_LEAST_EVERY_S = 0.15
SPEED_WINDOW_S = 2.0
CURVE_POINTS = 10
# A server that stands still, or can't store, must not fill the memory: past this many losses that
# it has not taken, or not stored, training waits for it. Some 100 s of the fastest training; they
# take 16 MB, and as one report some 30 MB for a moment.
MAX_BACKLOG_UPDATES = 1_000_000
# As it does past this many samples that are not measured: who asks for one at every update is held
# up here, where commands are still taken, and not by a server that no longer listens.
MAX_BACKLOG_SAMPLES = 100


class Stopwatch:
    """How long a run has trained, pauses not counted, as it was when it was noted last.

    Parameters
    ----------
    seconds : float
        What it begins with.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since_s: float | None = None

    def start(self) -> None:
        """Go, if it does not yet."""
        if self._since_s is None:
            self._since_s = time.monotonic() - self.seconds

    def note(self) -> None:
        """Note the time."""
        if self._since_s is not None:
            self.seconds = time.monotonic() - self._since_s

    def stop(self) -> None:
        """Stand, at the time that was noted last."""
        self._since_s = None


class Reporter:
    """Gathers what happens between two reports, and remembers it until the server has stored it.

    Parameters
    ----------
    line : Line
        To the server.
    trainer : Trainer
        Whose training it is.
    seconds : float
        How long it has trained already.
    """

    def __init__(self, line: JsonLineChannel, trainer: Trainer, seconds: float = 0.0) -> None:
        self._line = line
        self._trainer = trainer
        self._losses = array("d")
        self._smooth_losses = array("d")
        self._samples: list[Message] = []
        self._unmeasured: deque[int] = deque()
        self._epochs: list[Message] = []
        self._first_unsent = trainer.updates + 1
        self._unflushed = UnconfirmedHistory()
        self._reported_s = 0.0
        self._clock = Stopwatch(seconds)
        self._said = (trainer.updates, seconds)
        self._pulse: deque[tuple[float, int]] = deque()

    # -- what happens -----------------------------------------------------------------------------

    def updating(self) -> None:
        """Take in that an update is about to be made."""
        self._clock.start()

    def updated(self, loss: float) -> None:
        """Take in an update that was made just now, and its loss."""
        self._losses.append(loss)
        self._smooth_losses.append(self._trainer.smooth_loss or 0.0)
        self._clock.note()

    def epoch_began(self) -> None:
        """Take in that the last update ended an epoch."""
        self._epochs.append({"update": self._trainer.updates, "epoch": self._trainer.epoch})

    def wrote(self, sample: Message) -> None:
        """Take in a sample."""
        self._samples.append(sample)
        self._unmeasured.append(sample["update"])

    def measured(self, update: int) -> None:
        """Take in that the samples up to this update are measured."""
        while self._unmeasured and self._unmeasured[0] <= update:
            self._unmeasured.popleft()

    def flushed(self, update: int) -> None:
        """Forget what the server has stored: no checkpoint need carry it any more."""
        self._unflushed.confirm(update)

    def stands_still(self) -> None:
        """Take in that there is nothing to do until told otherwise."""
        self._clock.stop()
        self.rested()

    def rested(self) -> None:
        """Begin to measure the speed afresh: no time was lost that should count."""
        self._pulse.clear()

    @property
    def has_news(self) -> bool:
        """Whether something happened since the last report."""
        return bool(self._losses or self._samples or self._epochs)

    @property
    def is_behind(self) -> bool:
        """Whether the server has taken, stored or measured too little of what happened to go on."""
        return (
            len(self._unmeasured) > MAX_BACKLOG_SAMPLES
            or (len(self._losses) > MAX_BACKLOG_UPDATES and not self._line.idle)
            or self._unflushed.updates > MAX_BACKLOG_UPDATES
        )

    def carried(self) -> tuple[Arrays, Meta]:
        """Return what a checkpoint must carry: all that the server may not have stored."""
        return self._unflushed.contents(self._news)

    # -- saying it --------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether it is time for a report, and the last one has left."""
        since_s = time.monotonic() - self._reported_s
        every_s = REPORT_EVERY_S if self.has_news else REPORT_AT_LEAST_EVERY_S
        return since_s >= every_s and self._line.idle

    def report(self, *, busy: bool, **more: object) -> None:
        """Say everything that happened since the last report.

        Parameters
        ----------
        busy : bool
            Whether there is more to be done.
        **more
            What else is to be said of how the run stands.
        """
        now_s = self._reported_s = time.monotonic()
        trainer, news = self._trainer, self._news
        self._line.send(
            {
                "event": "report",
                "update": trainer.updates,
                "epoch": trainer.epoch,
                "position": trainer.position,
                "loss": finite(trainer.loss),
                "smooth_loss": finite(trainer.smooth_loss),
                "validation_loss": finite(trainer.validation_loss),
                "best": None
                if trainer.best_update is None
                else {"update": trainer.best_update, "smooth_loss": trainer.best_smooth_loss},
                "seconds": self._clock.seconds,
                "updates_per_second": self._speed(now_s) if busy else 0.0,
                "first": self._first_unsent,
                "losses": base64.b64encode(news.losses.tobytes()).decode("ascii"),
                "curve": self._curve(),
                # By this process's clock, so that what the way to a viewer takes can be measured.
                "happened_at": round(time.time(), 3),
                "samples": self._samples,
                "epochs": self._epochs,
                **more,
            }
        )
        self._unflushed.add(news)
        self._first_unsent = trainer.updates + 1
        self._said = (trainer.updates, self._clock.seconds)
        self._losses, self._smooth_losses = array("d"), array("d")
        self._samples, self._epochs = [], []

    @property
    def _news(self) -> HistoryDelta:
        losses = np.frombuffer(self._losses.tobytes(), dtype=np.float64)
        last = self._trainer.updates
        samples, epochs = self._samples, self._epochs
        return HistoryDelta(self._first_unsent, last, losses, samples, epochs, self._clock.seconds)

    def _curve(self) -> dict[str, list[Any]]:
        """The losses of this report, reduced to a few points whose extremes are kept."""
        count = len(self._losses)
        bucket = max(1, -(-count // CURVE_POINTS))
        losses = np.frombuffer(self._losses, dtype=np.float64)
        starts = np.arange(0, count, bucket)
        ends = [min(start + bucket, count) - 1 for start in starts.tolist()]
        updates = [self._first_unsent + end for end in ends]
        (said, said_s), now = self._said, self._trainer.updates
        seconds = np.interp(updates, [said, now], [said_s, self._clock.seconds])
        low = np.minimum.reduceat(losses, starts) if count else losses
        high = np.maximum.reduceat(losses, starts) if count else losses
        return {
            "update": updates,
            "seconds": np.round(seconds, 3).tolist(),
            "smooth": [finite(self._smooth_losses[end]) for end in ends],
            "low": [finite(value) for value in low.tolist()],
            "high": [finite(value) for value in high.tolist()],
        }

    def _speed(self, now_s: float) -> float:
        """Updates a second over the last two seconds or so."""
        self._pulse.append((now_s, self._trainer.updates))
        while len(self._pulse) > 2 and now_s - self._pulse[1][0] >= SPEED_WINDOW_S:
            self._pulse.popleft()
        then_s, then = self._pulse[0]
        elapsed_s = now_s - then_s
        return (self._trainer.updates - then) / elapsed_s if elapsed_s > 0 else 0.0
