"""Loss curves as JSON, computed once for all clients that request the same range."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite

from server.concurrency.single_flight import SingleFlightCache
from server.history.loss_history import ReducedLoss
from server.spec.schemas import Loss, Run, ValidationLoss
from server.store import queries
from server.store.executor import StoreCalls

__all__ = ["DEFAULT_POINTS", "LossCache", "read_loss_curve"]

DEFAULT_POINTS = 1_500
# A lecture hall that zooms in together does so within seconds. A curve of 5,000 points takes
# 350 KB.
MAX_CACHED = 16
CACHE_S = 1.0


class LossCache:
    """Computes the curves of zoomed-in charts; equal requests within a second share a result.

    Parameters
    ----------
    store : StoreCalls
        The store of the losses.
    clock : callable
        Returns the time, in seconds.
    """

    def __init__(self, store: StoreCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._cache: SingleFlightCache[bytes] = SingleFlightCache(MAX_CACHED)

    async def get(
        self, run: Run, first: int, last: int | None, *, points: int, smoothing: float
    ) -> bytes:
        """Return the JSON of a `Loss` over a range of updates, as far as they have been made.

        `smoothing` is the run's own factor, or one of `server.history.smoothing.FACTORS`.

        Raises
        ------
        TooBusyError
            Too many requests are waiting for the database.
        """
        # With the run's update in the key, a client that knows an update never gets a curve that
        # ends before it.
        end = run.update if last is None else min(last, run.update)

        async def compute() -> bytes:
            if smoothing != run.spec.smoothing:
                while await self._store(queries.precompute_smoothing, run.id, smoothing):
                    pass
            loss = await read_loss_curve(
                run.id, self._store, first, end, points=points, smoothing=smoothing
            )
            return loss.model_dump_json(by_alias=True).encode()

        # A cached curve expires: a run that went back to a checkpoint gets other losses for the
        # same updates.
        period = int(self._clock() / CACHE_S)
        return await self._cache.get((run.id, first, end, points, smoothing, period), compute)


async def read_loss_curve(
    run: str,
    store: StoreCalls,
    first: int,
    last: int | None,
    *,
    points: int = DEFAULT_POINTS,
    smoothing: float | None = None,
) -> Loss:
    """Return a run's loss curve, reduced to at most `points` buckets; None: its own smoothing."""
    reduced = await store(queries.reduced_loss, run, first, last, points=points, factor=smoothing)
    validation = await store(
        queries.validation_loss, run, 0 if first <= 1 else first, reduced.last, points
    )
    seconds = await store(queries.training_seconds, run, reduced.update)
    return _to_schema(reduced, seconds, validation)


def _to_schema(reduced: ReducedLoss, seconds: list[float], validation: ValidationLoss) -> Loss:
    """Convert a curve to its JSON schema, in which values that are not finite are null."""

    def nullable(values: list[float]) -> list[float | None]:
        return [value if isfinite(value) else None for value in values]

    return Loss(
        from_=reduced.first,
        to=reduced.last,
        bucket=reduced.bucket,
        update=reduced.update.tolist(),
        seconds=nullable(seconds),
        smooth=nullable(reduced.smooth.tolist()),
        low=nullable(reduced.low.tolist()),
        high=nullable(reduced.high.tolist()),
        validation=validation,
    )
