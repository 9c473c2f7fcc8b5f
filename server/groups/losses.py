"""The losses and metrics of groups.

Their bands, the figures of their members, and how two groups differ.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from server.concurrency.single_flight import SingleFlightCache
from server.groups.statistics import MIN_SEEDS, Band, band, welch_interval
from server.history.loss_history import bucket_size
from server.history.threshold_search import Search
from server.spec.schemas import ApiModel, FirstBelow, Run, RunState
from server.store import queries
from server.store.executor import StoreCalls

__all__ = [
    "ComparedLoss",
    "Difference",
    "Differences",
    "GroupLoss",
    "GroupLosses",
    "GroupMetrics",
    "MemberFigures",
    "ValidationBand",
]

Floats = NDArray[np.float64]
ComparedLoss = Literal["smooth_loss", "validation_loss"]

ALPHA = 0.05
MAX_VALIDATION_POINTS = 1_000
MAX_CACHED = 16
CACHE_S = 1.0


class ValidationBand(ApiModel):
    """The mean validation loss of a group at each update at which it was measured.

    In nats per sequence. `runs` says of how many runs; `deviation` is null with less than two.
    """

    update: list[int]
    runs: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    deviation: list[float | None]


class GroupLoss(ApiModel):
    """The smooth loss of a group over a range of updates, at every `bucket`-th of them.

    In nats per sequence. `runs` says how many runs have reached each update; `mean`, `low`, `high`
    and `deviation` are those of their smooth losses there, and `seconds` is their mean training
    time. `deviation`, the standard deviation, has n - 1 in the denominator and is null with less
    than two runs.
    """

    from_: int = Field(alias="from")
    to: int
    bucket: int
    update: list[int]
    seconds: list[float | None]
    runs: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    deviation: list[float | None]
    validation: ValidationBand

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class MetricBand(ApiModel):
    """The band of a metric of a group: of the means of its runs in each bucket.

    `runs` says how many have a value there; `deviation` is null with less than two.
    """

    runs: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    deviation: list[float | None]


class GroupMetrics(ApiModel):
    """Metrics of a group over a range of updates, by their names; the buckets are as of `Metrics`.

    `update` is the last measured update of each bucket of `bucket` updates.
    """

    from_: int = Field(alias="from")
    to: int
    bucket: int
    update: list[int]
    metrics: dict[str, MetricBand]

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class LowestValidation(ApiModel):
    """The lowest validation loss of a run, in nats per sequence, and its update."""

    update: int
    loss: float


class MemberFigures(ApiModel):
    """A run of a group, with what its own fields do not say."""

    run: Run
    lowest_validation: LowestValidation | None
    reached: FirstBelow | None


class Difference(ApiModel):
    """How the losses of two groups differ.

    Attributes
    ----------
    groups : list of str
        The ids of both.
    runs, left_out : list of int
        How many runs of each are counted, and how many are not, because they failed or diverged.
    update : int or None
        The last update that all of them have reached. A run counts with its lowest loss up to it.
    means : list of float or None
        The mean of each group, in nats per character.
    difference, margin : float or None
        The first mean minus the second, and the half width of its interval.
    different : bool
        Whether the interval excludes zero.
    reason : {"too few", "not begun", "other text"} or None
        Why there is no interval.
    """

    groups: list[str]
    runs: list[int]
    left_out: list[int]
    update: int | None = None
    means: list[float] | None = None
    difference: float | None = None
    margin: float | None = None
    different: bool = False
    reason: Literal["too few", "not begun", "other text"] | None = None


class Differences(ApiModel):
    """The differences between all pairs of some groups.

    All intervals together contain the true differences with a probability of at least 95%.
    """

    loss: ComparedLoss
    differences: list[Difference]


class GroupLosses:
    """Computes from the losses and metrics of groups; equal requests for a band share a result.

    Parameters
    ----------
    store : StoreCalls
        The database.
    """

    def __init__(self, store: StoreCalls) -> None:
        self._store = store
        self._cache: SingleFlightCache[bytes] = SingleFlightCache(MAX_CACHED)

    async def band(
        self,
        runs: Sequence[Run],
        first: int,
        last: int | None,
        *,
        points: int,
        smoothing: float | None = None,
    ) -> bytes:
        """Return the JSON of a `GroupLoss` over a range, in at most `points` buckets.

        `smoothing` is one of `server.history.smoothing.FACTORS`; None: the runs' own factor.
        """
        reached = max(run.update for run in runs)
        first, last = max(first, 1), reached if last is None else min(last, reached)
        key = (tuple((run.id, run.update) for run in runs), first, last, points, smoothing)
        period = int(time.monotonic() / CACHE_S)

        async def compute() -> bytes:
            loss = await self._band(runs, first, last, points, smoothing)
            return loss.model_dump_json(by_alias=True).encode()

        return await self._cache.get((key, period), compute)

    async def _band(
        self, runs: Sequence[Run], first: int, last: int, points: int, smoothing: float | None
    ) -> GroupLoss:
        bucket, updates = 1, np.empty(0, np.int64)
        if first <= last:
            bucket = bucket_size(first, last, points)
            updates = np.minimum(np.arange(first, last + 1, bucket) + bucket - 1, last)
        curves, times = [], []
        for run in runs:
            if smoothing is not None:
                while await self._store(queries.precompute_smoothing, run.id, smoothing):
                    pass
            curve = await self._store(queries.smooth_at, run.id, updates, smoothing)
            curves.append(curve)
            times.append(
                np.array(await self._store(queries.training_seconds, run.id, updates[: len(curve)]))
            )
        found = band(curves, len(updates))
        return GroupLoss(
            from_=first,
            to=last,
            bucket=bucket,
            update=updates.tolist(),
            seconds=_nullable(band(times, len(updates)).mean),
            validation=await self._validation(runs, first, last),
            **_lists(found),
        )

    async def _validation(self, runs: Sequence[Run], first: int, last: int) -> ValidationBand:
        measured: dict[int, list[float]] = defaultdict(list)
        for run in runs:
            found = await self._store(
                queries.validation_loss,
                run.id,
                0 if first <= 1 else first,
                last,
                MAX_VALIDATION_POINTS,
            )
            for update, loss in zip(found.update, found.loss, strict=True):
                measured[update].append(loss)
        updates = sorted(measured)
        rows = [np.array(measured[update]) for update in updates]
        # The band of the transposed values: a "curve" of each run at each update.
        width = max(map(len, rows), default=0)
        columns = np.full((width, len(rows)), np.nan)
        for index, row in enumerate(rows):
            columns[: len(row), index] = row
        return ValidationBand(update=updates, **_lists(band(list(columns), len(rows))))

    async def metrics(
        self,
        runs: Sequence[Run],
        names: Sequence[str],
        first: int,
        last: int | None,
        *,
        points: int,
    ) -> bytes:
        """Return the JSON of `GroupMetrics` over a range, in at most `points` buckets."""
        reached = max(run.update for run in runs)
        first, last = max(first, 1), reached if last is None else min(last, reached)
        key = (tuple((run.id, run.update) for run in runs), tuple(names), first, last, points)
        period = int(time.monotonic() / CACHE_S)

        async def compute() -> bytes:
            found = [
                await self._store(queries.metrics_on, run.id, names, first, last, points=points)
                for run in runs
            ]
            buckets, length = found[0], len(found[0].update)
            bands = {
                name: band([each.metrics[name].mean for each in found], length) for name in names
            }
            metrics = GroupMetrics(
                from_=buckets.first,
                to=buckets.last,
                bucket=buckets.bucket,
                update=buckets.update.tolist(),
                metrics={name: MetricBand(**_lists(each)) for name, each in bands.items()},
            )
            return metrics.model_dump_json(by_alias=True).encode()

        return await self._cache.get((key, period), compute)

    async def figures(self, runs: Sequence[Run], smooth_loss: float | None) -> list[MemberFigures]:
        """Return the runs with their lowest validation losses.

        Also when each first had a smooth loss below `smooth_loss`, if that is not None.
        """
        return [
            MemberFigures(
                run=run,
                lowest_validation=await self._lowest_validation(run, run.update),
                reached=None if smooth_loss is None else await self._reached(run, smooth_loss),
            )
            for run in runs
        ]

    async def _reached(self, run: Run, smooth_loss: float) -> FirstBelow:
        if run.best is None or run.best.smooth_loss >= smooth_loss:
            return FirstBelow(smooth_loss=smooth_loss, update=None)
        search = Search(done=False)
        while not search.done:
            search = await self._store(queries.first_below, run.id, smooth_loss)
        if search.update is None:
            return FirstBelow(smooth_loss=smooth_loss, update=None)
        (seconds,) = await self._store(queries.training_seconds, run.id, [search.update])
        return FirstBelow(
            smooth_loss=smooth_loss,
            update=search.update,
            seconds=seconds if isfinite(seconds) else None,
        )

    async def _lowest_validation(self, run: Run, last: int) -> LowestValidation | None:
        found = await self._store(queries.lowest_validation, run.id, last)
        return None if found is None else LowestValidation(update=found[0], loss=found[1])

    async def differences(
        self, groups: Sequence[tuple[str, Sequence[Run]]], loss: ComparedLoss
    ) -> Differences:
        """Compare each pair of groups, given by their ids and their runs.

        Of m pairs each has an interval of probability 1 - 0.05 / m (Bonferroni), so that all of
        them are right with at least 95%.
        """
        pairs = list(combinations(groups, 2))
        found = [await self._difference([a, b], loss, ALPHA / len(pairs)) for a, b in pairs]
        return Differences(loss=loss, differences=found)

    async def _difference(
        self, groups: Sequence[tuple[str, Sequence[Run]]], loss: ComparedLoss, alpha: float
    ) -> Difference:
        counted = [[run for run in runs if _is_sound(run)] for _, runs in groups]
        difference = Difference(
            groups=[group for group, _ in groups],
            runs=[len(runs) for runs in counted],
            left_out=[
                len(runs) - len(sound) for (_, runs), sound in zip(groups, counted, strict=True)
            ],
        )
        everyone = [run for runs in counted for run in runs]
        if len({_text_of(run, loss) for run in everyone}) > 1:
            difference.reason = "other text"
            return difference
        if min(map(len, counted)) < MIN_SEEDS:
            difference.reason = "too few"
            return difference
        update = min(run.update for run in everyone)
        samples = [[await self._lowest(run, update, loss) for run in runs] for runs in counted]
        values = [[value for value in row if value is not None] for row in samples]
        if [len(row) for row in values] != difference.runs:
            difference.reason = "not begun"
            return difference
        interval = await asyncio.to_thread(welch_interval, values[0], values[1], alpha)
        difference.update = update
        difference.means = [float(np.mean(row)) for row in values]
        difference.difference, difference.margin = interval.difference, interval.margin
        difference.different = interval.excludes_zero
        return difference

    async def _lowest(self, run: Run, last: int, loss: ComparedLoss) -> float | None:
        """Return the lowest loss of a run up to an update, in nats per character."""
        if last < 1:
            return None
        if loss == "smooth_loss":
            while await self._store(queries.precompute_lowest, run.id):
                pass
            found = await self._store(queries.lowest_smooth, run.id, last)
        else:
            lowest = await self._lowest_validation(run, last)
            found = None if lowest is None else lowest.loss
        return None if found is None else found / run.spec.sequence_length


def _is_sound(run: Run) -> bool:
    return run.state is not RunState.FAILED and run.diverged_since is None


def _text_of(run: Run, loss: ComparedLoss) -> tuple[object, ...]:
    """Return what must be equal in runs whose losses are compared."""
    if loss == "smooth_loss":
        return (run.corpus,)
    return (run.corpus, run.spec.validation_fraction, run.spec.test_fraction)


def _nullable(values: Floats) -> list[float | None]:
    return [value if isfinite(value) else None for value in values.tolist()]


def _lists(found: Band) -> dict[str, list[float | None] | list[int]]:
    return {
        "runs": found.runs.tolist(),
        "mean": _nullable(found.mean),
        "low": _nullable(found.low),
        "high": _nullable(found.high),
        "deviation": _nullable(found.deviation),
    }
