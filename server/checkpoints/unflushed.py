"""What a worker reported and the server has not confirmed as stored.

A checkpoint carries it, so that the history has no hole when a run goes on from a checkpoint that
is newer than what the server had stored when it died.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz import Arrays, Meta
from server.concurrency.json_lines import Message

__all__ = ["ARRAY", "HistoryDelta", "UnconfirmedHistory", "read_delta"]

# The name under which a checkpoint holds the losses; beside the trainer's arrays.
ARRAY = "unflushed.losses"


@dataclass(slots=True)
class HistoryDelta:
    """What happened over some updates.

    Attributes
    ----------
    first, last : int
        The updates; `last` is one less than `first` where none was made.
    losses : ndarray of float64
        One for each of the updates.
    samples, epochs : list of dict
        What was written and which epochs began, as in a report.
    seconds : float
        How long the run had trained by then, pauses not counted.
    """

    first: int
    last: int
    losses: NDArray[np.float64]
    samples: list[Message] = field(default_factory=list)
    epochs: list[Message] = field(default_factory=list)
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return bool(len(self.losses) or self.samples or self.epochs)


class UnconfirmedHistory:
    """News in the order in which it was reported.

    Attributes
    ----------
    updates : int
        How many updates' losses are held.
    """

    def __init__(self) -> None:
        self._news: deque[HistoryDelta] = deque()
        self.updates = 0

    def add(self, news: HistoryDelta) -> None:
        """Remember what is being reported."""
        if news:
            self._news.append(news)
            self.updates += len(news.losses)

    def flushed(self, update: int) -> None:
        """Forget what the server has stored: everything up to `update`."""
        while self._news and self._news[0].last <= update:
            self.updates -= len(self._news.popleft().losses)

    def contents(self, latest: HistoryDelta) -> tuple[Arrays, Meta]:
        """Return what a checkpoint must carry; `latest` is what was not even reported."""
        news = [*self._news, latest]
        losses = np.concatenate([part.losses for part in news])
        about = {
            "first": news[0].first,
            "last": latest.last,
            "samples": [sample for part in news for sample in part.samples],
            "epochs": [epoch for part in news for epoch in part.epochs],
            "seconds": latest.seconds,
        }
        return {ARRAY: losses}, {"unflushed": about}


def read_delta(arrays: Arrays, meta: Meta) -> HistoryDelta:
    """Return the news that a checkpoint carries.

    Raises
    ------
    KeyError, TypeError
        It carries none.
    """
    return HistoryDelta(losses=arrays[ARRAY], **meta["unflushed"])
