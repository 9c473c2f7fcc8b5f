"""Curves of metrics as JSON, computed once for all clients that request the same range."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from server.concurrency.single_flight import SingleFlightCache
from server.history.metric_history import ReducedMetrics
from server.spec.schemas import MetricBuckets, Metrics, Run
from server.store import queries
from server.store.executor import StoreCalls
from server.web.loss_cache import CACHE_S, MAX_CACHED

__all__ = ["MetricCache", "read_metrics"]


class MetricCache:
    """Computes curves of metrics; equal requests within a second share a result.

    Parameters
    ----------
    store, clock
        As for `server.web.loss_cache.LossCache`.
    """

    def __init__(self, store: StoreCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._cache: SingleFlightCache[bytes] = SingleFlightCache(MAX_CACHED)

    async def get(
        self, run: Run, first: int, last: int | None, *, names: Sequence[str] | None, points: int
    ) -> bytes:
        """Return the JSON of `Metrics`; the arguments are those of `read_metrics`.

        Raises
        ------
        TooBusyError
            Too many requests are waiting for the database.
        """
        end = run.update if last is None else min(last, run.update)

        async def compute() -> bytes:
            found = await read_metrics(run.id, self._store, first, end, names=names, points=points)
            return found.model_dump_json(by_alias=True).encode()

        # For the key, see `LossCache.get`.
        period = int(self._clock() / CACHE_S)
        return await self._cache.get((run.id, first, end, names, points, period), compute)


async def read_metrics(
    run: str,
    store: StoreCalls,
    first: int,
    last: int | None,
    *,
    names: Sequence[str] | None = None,
    points: int,
) -> Metrics:
    """Return metrics of a run over a range of updates, as far as they have been made.

    Parameters
    ----------
    run : str
        Id of the run.
    store : StoreCalls
        The store of the metrics.
    first, last : int, int or None
        The range, both included; None: to the end.
    names : sequence of str or None
        The metrics; None: all. Those that the run does not have are left out.
    points : int
        Buckets at most, 1 or more.
    """
    reduced: ReducedMetrics = await store(
        queries.reduced_metrics, run, names, first, last, points=points
    )
    return Metrics(
        from_=reduced.first,
        to=reduced.last,
        bucket=reduced.bucket,
        update=reduced.update.tolist(),
        metrics={name: MetricBuckets.of(*each) for name, each in reduced.metrics.items()},
    )
