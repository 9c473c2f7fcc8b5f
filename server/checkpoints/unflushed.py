"""History that a worker has reported and the server has not confirmed as stored.

A checkpoint includes it. So the history has no gap if the server crashes and a run resumes from a
checkpoint that is newer than the stored history. A worker that continues from a checkpoint also
carries the history in it until the server confirms that, so it survives any number of crashes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz import Arrays, Meta
from server.concurrency.json_lines import Message
from server.rnn.metrics import measured_updates

__all__ = ["ARRAY", "METRICS", "PREFIX", "HistoryDelta", "UnconfirmedHistory", "read_delta"]

# The names of the arrays in a checkpoint, beside those of the trainer.
PREFIX = "unflushed."
ARRAY = f"{PREFIX}losses"
METRICS = f"{PREFIX}metrics."


@dataclass(slots=True)
class HistoryDelta:
    """The history of consecutive updates.

    Attributes
    ----------
    first, last : int
        The updates; without any, `last` is one less than `first`.
    losses : ndarray of float64, shape (last - first + 1,)
        The loss of each update.
    metrics : dict of str to ndarray of float64
        The values of each metric at those of the updates that are measured.
    samples, epochs, notices : list of dict
        The samples written, the epochs begun and the notices, as in a report.
    seconds : float
        Training time of the run at the end, without pauses.
    """

    first: int
    last: int
    losses: NDArray[np.float64]
    metrics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    samples: list[Message] = field(default_factory=list)
    epochs: list[Message] = field(default_factory=list)
    notices: list[Message] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def measured(self) -> int:
        """The number of updates that are measured."""
        return len(measured_updates(self.first, self.last))

    def __bool__(self) -> bool:
        return bool(len(self.losses) or self.samples or self.epochs or self.notices)


class UnconfirmedHistory:
    """Deltas in the order in which they were reported.

    Attributes
    ----------
    updates : int
        Number of unconfirmed updates.
    """

    def __init__(self) -> None:
        self._deltas: deque[HistoryDelta] = deque()
        self.updates = 0

    def add(self, delta: HistoryDelta) -> None:
        """Add a delta that is being reported."""
        if delta:
            self._deltas.append(delta)
            self.updates += len(delta.losses)

    def confirm(self, update: int) -> None:
        """Remove everything up to `update`, which the server has stored."""
        while self._deltas and self._deltas[0].last <= update:
            self.updates -= len(self._deltas.popleft().losses)

    def contents(self, latest: HistoryDelta) -> tuple[Arrays, Meta]:
        """Return the part of a checkpoint; `latest` is the delta that is not reported yet."""
        deltas = [*self._deltas, latest]
        losses = np.concatenate([delta.losses for delta in deltas])
        fields = {
            "first": deltas[0].first,
            "last": latest.last,
            "samples": [sample for delta in deltas for sample in delta.samples],
            "epochs": [epoch for delta in deltas for epoch in delta.epochs],
            "notices": [notice for delta in deltas for notice in delta.notices],
            "seconds": latest.seconds,
        }
        arrays = {f"{METRICS}{name}": values for name, values in _joined_metrics(deltas).items()}
        return {ARRAY: losses} | arrays, {"unflushed": fields}


def _joined_metrics(deltas: list[HistoryDelta]) -> dict[str, NDArray[np.float64]]:
    """Join the metrics of consecutive deltas.

    One that comes from a checkpoint of an earlier version may lack a metric, which is then NaN.
    """
    names = {name: None for delta in deltas for name in delta.metrics}
    return {
        name: np.concatenate(
            [delta.metrics.get(name, np.full(delta.measured, np.nan)) for delta in deltas]
        )
        for name in names
    }


def read_delta(arrays: Arrays, meta: Meta) -> HistoryDelta:
    """Return the unconfirmed history in a checkpoint.

    Raises
    ------
    KeyError, TypeError
        It has none.
    """
    metrics = {
        name.removeprefix(METRICS): values
        for name, values in arrays.items()
        if name.startswith(METRICS)
    }
    return HistoryDelta(losses=arrays[ARRAY], metrics=metrics, **meta["unflushed"])
