"""Where the loss spikes, and whether it is the pages of the book or the start of each epoch."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from server.analysis.loss_by_position import PositionLoss, loss_by_position
from server.analysis.variance_components import MIN_UPDATES_PER_EPOCH, explain
from server.concurrency.single_flight import SingleFlightCache
from server.spec.schemas import Run
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls

__all__ = ["ExplainedLoss", "LossAnalysis"]

# Of so many epochs, the newest, so many updates each are compared: all, or stretches of them.
EPOCHS, PLACES, STRETCHES = 6, 65_536, 16
REMEMBERED = 100
# All who look at once are shown the same, for so long.
NOW_HOLDS_S = 2.0


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StartCost(_Model):
    """What each of the first `updates` updates of an epoch costs more, in nats a sequence."""

    updates: int
    loss: float
    error: float


class ExplainedLoss(_Model):
    """Whether the loss goes up and down with the pages, or with the start of each epoch.

    Attributes
    ----------
    epochs : list of int
        The epochs that were compared; none as long as it can't be told.
    share, share_error : float or None
        The share of the variance that the place in the book explains, 0 to 1, corrected for
        chance, and its standard error.
    start : StartCost or None
        What the start of an epoch costs.
    unavailable : str or None
        Why it can't be told, in one sentence.
    """

    epochs: list[int] = []
    share: float | None = None
    share_error: float | None = None
    start: StartCost | None = None
    unavailable: str | None = None


class LossAnalysis:
    """Compares the epochs of runs.

    Parameters
    ----------
    store : StoreCalls
        Where the losses are; others have their turn between two pieces.
    """

    def __init__(self, store: StoreCalls) -> None:
        self._store = store
        self._explained: SingleFlightCache[ExplainedLoss] = SingleFlightCache(REMEMBERED)
        self._rows: SingleFlightCache[PositionLoss] = SingleFlightCache(REMEMBERED)

    async def by_position(self, run: Run, epochs: list[int]) -> PositionLoss:
        """Return the mean loss by position; the same for all who ask within two seconds."""

        async def read() -> PositionLoss:
            return await loss_by_position(
                self._store,
                run.id,
                updates_per_epoch=run.updates_per_epoch,
                sequence_length=run.spec.sequence_length,
                epochs=epochs,
            )

        still = run.update if run.updates_per_second == 0 else None
        moment = still, int(time.monotonic() / NOW_HOLDS_S)
        return await self._rows.get((run.id, tuple(epochs), moment), read)

    async def explain(self, run: Run) -> ExplainedLoss:
        """Compare the newest whole epochs; once for each epoch that ends."""
        per_epoch = run.updates_per_epoch
        whole = await self._store(Store.history_end, run.id) // per_epoch
        if whole < 2:
            left = "the second epoch" if whole else "two epochs"
            return ExplainedLoss(unavailable=f"After {left} it can be told.")
        if per_epoch < MIN_UPDATES_PER_EPOCH:
            return ExplainedLoss(
                unavailable=f"An epoch of {per_epoch:,} updates is too short to tell;"
                f" {MIN_UPDATES_PER_EPOCH:,} would do."
            )
        # A run that went back may end the same epoch again, with other losses.
        last = await self._store(queries.losses, run.id, whole * per_epoch, whole * per_epoch)
        question = run.id, whole, last.tobytes()
        return await self._explained.get(question, lambda: self._compare(run.id, whole, per_epoch))

    async def _compare(self, run: str, whole: int, per_epoch: int) -> ExplainedLoss:
        # In the first epoch the network learns most: it is left out where two others will do.
        first = max(2 if whole > 2 else 1, whole - EPOCHS + 1)
        places = _places(per_epoch)
        rows = {
            epoch: await self._read(run, (epoch - 1) * per_epoch + 1, places)
            for epoch in range(first, whole + 1)
        }
        rows = {epoch: row for epoch, row in rows.items() if np.isfinite(row).all()}
        if len(rows) < 2:
            return ExplainedLoss(unavailable="Too many losses are no finite numbers to tell.")
        found = await asyncio.to_thread(
            explain,
            np.stack([*rows.values()]),
            np.array([*rows]),
            np.concatenate([np.arange(*stretch) for stretch in places]),
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
        self, run: str, first: int, places: list[tuple[int, int]]
    ) -> NDArray[np.float64]:
        """Return the losses at those places of the epoch that begins with the update `first`."""
        return np.concatenate(
            [
                await self._store(queries.losses, run, first + begin, first + end - 1)
                for begin, end in places
            ]
        )


def _places(per_epoch: int) -> list[tuple[int, int]]:
    """Return the half-open stretches of an epoch that are compared, the first from its start."""
    if per_epoch <= PLACES:
        return [(0, per_epoch)]
    length = PLACES // STRETCHES
    begins = np.linspace(0, per_epoch - length, STRETCHES).astype(np.int64)
    return [(begin, begin + length) for begin in begins.tolist()]
