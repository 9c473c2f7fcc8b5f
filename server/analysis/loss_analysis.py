"""Loss by position, and the causes of loss spikes: the text, or the start of an epoch."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from server.analysis.loss_by_position import PositionLoss, loss_by_position
from server.analysis.variance_components import MIN_UPDATES_PER_EPOCH, explain
from server.concurrency.single_flight import SingleFlightCache
from server.spec.schemas import ApiModel, Run
from server.spec.sizing import batch_layout
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls

__all__ = ["ExplainedLoss", "LossAnalysis"]

MAX_EPOCHS = 6
# Of a longer epoch, only this many updates are compared, in evenly spaced blocks.
MAX_UPDATES, BLOCKS = 65_536, 16
CACHE_SIZE = 100
# All viewers get the same result for this long.
LATEST_INTERVAL_S = 2.0


class StartCost(ApiModel):
    """The excess loss of each of the first `updates` updates of an epoch, in nats per sequence."""

    updates: int
    loss: float
    error: float


class ExplainedLoss(ApiModel):
    """How much of the loss's variance the text explains, and the cost of starting an epoch.

    Attributes
    ----------
    epochs : list of int
        The epochs that were compared; empty if there is no result.
    share, share_error : float or None
        The share of the variance that the position in the corpus explains, 0 to 1, corrected for
        chance, and its standard error.
    start : StartCost or None
        The cost of starting an epoch.
    unavailable : str or None
        Why there is no result, in one sentence.
    """

    epochs: list[int] = Field(default_factory=list)
    share: float | None = None
    share_error: float | None = None
    start: StartCost | None = None
    unavailable: str | None = None


class LossAnalysis:
    """Compares the epochs of runs.

    Parameters
    ----------
    store : StoreCalls
        The database, which is read in pieces, so that other requests are served in between.
    """

    def __init__(self, store: StoreCalls) -> None:
        self._store = store
        self._explained: SingleFlightCache[ExplainedLoss] = SingleFlightCache(CACHE_SIZE)
        self._by_position: SingleFlightCache[PositionLoss] = SingleFlightCache(CACHE_SIZE)

    async def by_position(self, run: Run, epochs: list[int]) -> PositionLoss:
        """Return the mean loss by position, the same for two seconds."""

        async def compute() -> PositionLoss:
            return await loss_by_position(
                self._store,
                run.id,
                layout=batch_layout(run.spec, run.corpus_characters),
                epochs=epochs,
            )

        update = run.update if run.updates_per_second == 0 else None
        interval = int(time.monotonic() / LATEST_INTERVAL_S)
        return await self._by_position.get((run.id, tuple(epochs), update, interval), compute)

    async def explain(self, run: Run) -> ExplainedLoss:
        """Compare the newest complete epochs; computed once per epoch."""
        if run.spec.order != "sequential":
            return ExplainedLoss(
                unavailable="This can be computed only for a text that is read in its own order."
            )
        per_epoch = run.updates_per_epoch
        complete = await self._store(Store.history_end, run.id) // per_epoch
        if complete < 2:
            needed = "the second epoch" if complete else "two epochs"
            return ExplainedLoss(unavailable=f"This can be computed after {needed}.")
        if per_epoch < MIN_UPDATES_PER_EPOCH:
            return ExplainedLoss(
                unavailable=f"An epoch of {per_epoch:,} updates is too short; at least"
                f" {MIN_UPDATES_PER_EPOCH:,} are needed."
            )
        # After a rollback, a run may end the same epoch again, with other losses.
        last = complete * per_epoch
        last_loss = await self._store(queries.losses, run.id, last, last)
        key = run.id, complete, last_loss.tobytes()
        return await self._explained.get(key, lambda: self._compare(run.id, complete, per_epoch))

    async def _compare(self, run: str, complete: int, per_epoch: int) -> ExplainedLoss:
        # The network learns most in the first epoch: leave it out if there are two others.
        first = max(2 if complete > 2 else 1, complete - MAX_EPOCHS + 1)
        blocks = _blocks(per_epoch)
        rows = {
            epoch: await self._read(run, (epoch - 1) * per_epoch + 1, blocks)
            for epoch in range(first, complete + 1)
        }
        rows = {epoch: row for epoch, row in rows.items() if np.isfinite(row).all()}
        if len(rows) < 2:
            return ExplainedLoss(unavailable="Too many losses are not finite.")
        found = await asyncio.to_thread(
            explain,
            np.stack([*rows.values()]),
            np.array([*rows]),
            np.concatenate([np.arange(*block) for block in blocks]),
            per_epoch,
        )
        start = found.start
        return ExplainedLoss(
            epochs=[*rows],
            share=found.share,
            share_error=found.error,
            start=StartCost(updates=start.updates, loss=start.loss, error=start.error),
        )

    async def _read(
        self, run: str, first: int, blocks: list[tuple[int, int]]
    ) -> NDArray[np.float64]:
        """Return the losses in blocks of the epoch that starts with the update `first`."""
        return np.concatenate(
            [
                await self._store(queries.losses, run, first + begin, first + end - 1)
                for begin, end in blocks
            ]
        )


def _blocks(per_epoch: int) -> list[tuple[int, int]]:
    """Return the half-open blocks of an epoch that are compared; the first starts at 0."""
    if per_epoch <= MAX_UPDATES:
        return [(0, per_epoch)]
    length = MAX_UPDATES // BLOCKS
    begins = np.linspace(0, per_epoch - length, BLOCKS).astype(np.int64)
    return [(begin, begin + length) for begin in begins.tolist()]
