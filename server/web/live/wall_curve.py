"""A loss curve that stays short while a run trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from server.history.loss_history import ReducedLoss
from server.spec.live_messages import Curve
from server.web.live.wall_messages import WallCurve

__all__ = ["MAX_POINTS", "ShortCurve"]

MAX_POINTS = 48
# Significant digits: a chart of some hundred pixels shows no difference.
DIGITS = 4


class _Point(NamedTuple):
    smooth: float | None
    low: float | None
    high: float | None


class ShortCurve:
    """The loss of all updates of a run, in at most `MAX_POINTS` buckets of equal length.

    When there would be more buckets, each two become one. A bucket keeps the least and the greatest
    loss of its updates. A report of the worker that spans two buckets counts to the second, so that
    an extreme may be in the bucket after its own, but none is lost.

    Attributes
    ----------
    last : int
        The last update.
    """

    def __init__(self, reduced: ReducedLoss) -> None:
        columns = (reduced.smooth, reduced.low, reduced.high)
        self._points = [
            _Point(*(_rounded(float(value)) for value in values))
            for values in zip(*columns, strict=True)
        ]
        self._bucket = reduced.bucket
        self.last = max(reduced.last, 0)
        self._changed_from = 0

    def add(self, piece: Curve) -> None:
        """Add the part of a piece of the curve that is after the last update."""
        values = zip(piece["update"], piece["smooth"], piece["low"], piece["high"], strict=True)
        for update, *numbers in values:
            if update <= self.last:
                continue
            point = _Point(*(None if value is None else _rounded(value) for value in numbers))
            index = (update - 1) // self._bucket
            while index >= MAX_POINTS:
                self._halve()
                index = (update - 1) // self._bucket
            self._changed_from = min(self._changed_from, index)
            # A report may be longer than a bucket.
            missing = index - len(self._points)
            self._points += [point] * missing
            if index < len(self._points):
                self._points[index] = _joined(self._points[index], point)
            else:
                self._points.append(point)
            self._changed_from = min(self._changed_from, index - max(missing, 0))
            self.last = update

    def _halve(self) -> None:
        pairs = zip(self._points[::2], [*self._points[1::2], None], strict=False)
        self._points = [one if two is None else _joined(one, two) for one, two in pairs]
        self._bucket *= 2
        self._changed_from = 0

    def whole(self) -> WallCurve:
        """Return the curve."""
        return self._from(0)

    @property
    def changed(self) -> bool:
        """Whether there are changes to take."""
        return self._changed_from < len(self._points)

    def take_changes(self) -> WallCurve:
        """Return the end of the curve that has changed since the last call."""
        changed = self._from(self._changed_from)
        self._changed_from = len(self._points)
        return changed

    def _from(self, start: int) -> WallCurve:
        points = self._points[start:]
        return WallCurve(
            bucket=self._bucket,
            start=start,
            smooth=[point.smooth for point in points],
            low=[point.low for point in points],
            high=[point.high for point in points],
        )


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _joined(one: _Point, two: _Point) -> _Point:
    return _Point(two.smooth, _extreme(min, one.low, two.low), _extreme(max, one.high, two.high))


def _extreme(
    extreme: Callable[[float, float], float], one: float | None, two: float | None
) -> float | None:
    if one is None or two is None:
        return two if one is None else one
    return extreme(one, two)
