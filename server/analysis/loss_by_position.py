"""The mean loss by position in the corpus, one row per epoch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.training.batches import BatchLayout
from server.store import queries
from server.store.executor import StoreCalls

__all__ = ["PositionLoss", "loss_by_position"]

MAX_BINS = 500
# Losses are read in pieces of a few milliseconds, so that an epoch of a long corpus neither blocks
# the store nor has to fit in memory.
PIECE_UPDATES = 262_144


@dataclass(frozen=True, slots=True)
class PositionLoss:
    """Mean losses in nats a sequence.

    Attributes
    ----------
    positions : list of int
        The start of each bin in the corpus, in characters.
    epochs : list of (int, list of float or None)
        An epoch and the mean loss in each of its bins; None for bins without updates so far.
    """

    positions: list[int]
    epochs: list[tuple[int, list[float | None]]]


async def loss_by_position(
    store: StoreCalls,
    run: str,
    *,
    layout: BatchLayout,
    epochs: list[int],
) -> PositionLoss:
    """Average the losses of epochs by position.

    Parameters
    ----------
    store : StoreCalls
        The database.
    run : str
        Id of the run.
    layout : BatchLayout
        Which part of the corpus each update reads.
    epochs : list of int
        Epochs, from 1; those that have not started are skipped.
    """
    updates_per_epoch = layout.sequences
    bins = min(MAX_BINS, updates_per_epoch)
    edges = np.arange(bins + 1) * updates_per_epoch // bins
    rows = []
    for epoch in epochs:
        before = (epoch - 1) * updates_per_epoch
        sums, counts = np.zeros(bins), np.zeros(bins, dtype=np.int64)
        order = await asyncio.to_thread(layout.sequence_order, epoch)
        done = 0
        while done < updates_per_epoch:
            end = min(done + PIECE_UPDATES, updates_per_epoch)
            losses = await store(queries.losses, run, before + done + 1, before + end)
            if order is None:
                cut = np.clip(edges, done, done + len(losses))
                bin_of = np.repeat(np.arange(bins), cut[1:] - cut[:-1])
            else:
                read = order[done : done + len(losses)]
                bin_of = np.searchsorted(edges, read, side="right") - 1
            sums += np.bincount(bin_of, losses, bins)
            counts += np.bincount(bin_of, minlength=bins)
            done += len(losses)
            if done < end:
                break
        if done:
            rows.append((epoch, _means(sums, counts)))
    return PositionLoss((edges[:-1] * layout.sequence_length).tolist(), rows)


def _means(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> list[float | None]:
    return [
        float(total) / int(count) if count and np.isfinite(total) else None
        for total, count in zip(sums, counts, strict=True)
    ]
