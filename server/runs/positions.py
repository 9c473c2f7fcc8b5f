"""Where in the book the loss is high: its mean by position, an epoch a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.runs.history import CHUNK_UPDATES, History

__all__ = ["PositionLoss", "loss_by_position"]

MAX_BINS = 500


@dataclass(frozen=True, slots=True)
class PositionLoss:
    """Mean losses in nats a sequence.

    Attributes
    ----------
    positions : list of int
        Where each bin begins in the corpus, in characters.
    epochs : list of (int, list of float or None)
        An epoch, and the mean loss in each bin; None where it has not come yet.
    """

    positions: list[int]
    epochs: list[tuple[int, list[float | None]]]


def loss_by_position(
    history: History, *, updates_per_epoch: int, sequence_length: int, epochs: list[int]
) -> PositionLoss:
    """Lay epochs over each other by position.

    Parameters
    ----------
    history : History
        The run's losses.
    updates_per_epoch, sequence_length : int
        How many updates an epoch takes, and how many characters each goes on by.
    epochs : list of int
        Which epochs, from 1; those that have not begun are passed over.
    """
    bins = min(MAX_BINS, updates_per_epoch)
    edges = np.arange(bins + 1) * updates_per_epoch // bins
    last = history.last
    rows = [
        (epoch, _means(history, (epoch - 1) * updates_per_epoch, edges))
        for epoch in epochs
        if (epoch - 1) * updates_per_epoch < last
    ]
    return PositionLoss((edges[:-1] * sequence_length).tolist(), rows)


def _means(history: History, before: int, edges: NDArray[np.int64]) -> list[float | None]:
    """Return the mean loss of each bin of the epoch that begins after the update `before`."""
    sums, counts = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1, dtype=np.int64)
    for chunk, _, losses in history.chunks(before // CHUNK_UPDATES - 1):
        # Of each loss, how many updates into the epoch it was read.
        places = chunk * CHUNK_UPDATES + np.arange(len(losses)) - before
        if places[0] >= edges[-1]:
            break
        inside = (places >= 0) & (places < edges[-1])
        where = np.searchsorted(edges, places[inside], side="right") - 1
        sums += np.bincount(where, losses[inside], len(sums))
        counts += np.bincount(where, minlength=len(counts))
    return [
        float(total) / int(count) if count and np.isfinite(total) else None
        for total, count in zip(sums, counts, strict=True)
    ]
