"""Curves of the loss as they are sent: worked out once for all who look at the same place."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

from server.concurrency.single_flight import SingleFlightCache
from server.history.loss_history import ReducedLoss
from server.rnn.training.trainer import SMOOTHING
from server.spec.schemas import Loss, Run, ValidationLoss
from server.store import queries
from server.store.executor import StoreCalls

__all__ = ["DEFAULT_POINTS", "LossCache", "loss_of"]

DEFAULT_POINTS = 1_500
# A hall that is told to zoom in does so within seconds. A curve of 5,000 points takes 350 KB.
REMEMBERED = 16
HOLDS_S = 1.0


class LossCache:
    """Answers who looks closer; the same for all who ask for the same within a second.

    Parameters
    ----------
    reads : StoreCalls
        Where the losses are.
    clock : callable
        The time, in seconds.
    """

    def __init__(self, reads: StoreCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._reads = reads
        self._clock = clock
        self._answers: SingleFlightCache[bytes] = SingleFlightCache(REMEMBERED)

    async def get(
        self, run: Run, first: int, last: int | None, *, points: int, smoothing: float
    ) -> bytes:
        """Return the JSON of a `Loss` over some updates, as far as they have been made.

        Raises
        ------
        TooBusyError
            Too many look at once.
        """
        # Nobody who saw an update is answered without it: a curve ends where the run stood.
        end = run.update if last is None else min(last, run.update)

        async def work_out() -> bytes:
            if smoothing != SMOOTHING:
                while await self._reads(queries.precompute_smoothing, run.id, smoothing):
                    pass
            loss = await loss_of(
                run.id, self._reads, first, end, points=points, smoothing=smoothing
            )
            return loss.model_dump_json(by_alias=True).encode()

        # For no longer than that: a run that went back makes other losses of the same updates.
        moment = int(self._clock() / HOLDS_S)
        return await self._answers.get((run.id, first, end, points, smoothing, moment), work_out)


async def loss_of(
    run: str,
    store: StoreCalls,
    first: int,
    last: int | None,
    *,
    points: int = DEFAULT_POINTS,
    smoothing: float = SMOOTHING,
) -> Loss:
    """Return a run's reduced curve as it goes over the wire."""
    reduced = await store(queries.reduced_loss, run, first, last, points=points, factor=smoothing)
    validation = await store(
        queries.validation_loss, run, 0 if first <= 1 else first, reduced.last, points
    )
    seconds = await store(queries.training_seconds, run, reduced.update)
    return _as_loss(reduced, seconds, validation)


def _as_loss(reduced: ReducedLoss, seconds: list[float], validation: ValidationLoss) -> Loss:
    """Put it into the contract's form, where what is not finite is null."""

    def plain(values: list[float]) -> list[float | None]:
        return [value if isfinite(value) else None for value in values]

    return Loss(
        from_=reduced.first,
        to=reduced.last,
        bucket=reduced.bucket,
        update=reduced.update.tolist(),
        seconds=plain(seconds),
        smooth=plain(reduced.smooth.tolist()),
        low=plain(reduced.low.tolist()),
        high=plain(reduced.high.tolist()),
        validation=validation,
    )
