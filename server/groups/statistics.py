"""Statistics of several seeds: the band of their curves, and the difference of two groups.

The difference of two means has a confidence interval by Welch (1947), which does not assume that
both groups spread alike. The degrees of freedom are those of Welch and Satterthwaite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_SEEDS", "Band", "Interval", "band", "t_quantile", "t_tail", "welch_interval"]

Floats = NDArray[np.float64]

MIN_SEEDS = 3
"""Fewer values tell too little about their spread."""

# The continued fraction of the incomplete beta function ends at this relative change.
PRECISION = 1e-13
MAX_TERMS = 500
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Band:
    """What several curves have in common at some updates; arrays of equal length.

    Attributes
    ----------
    runs : ndarray of int64
        How many curves have a value there.
    mean, low, high : ndarray of float64
        Their mean, the least and the greatest; NaN without a curve.
    deviation : ndarray of float64
        Their standard deviation, with n - 1 in the denominator; NaN with less than two curves.
    """

    runs: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    deviation: Floats


def band(curves: Sequence[Floats], length: int) -> Band:
    """Return the band of curves, each with the values at the first of `length` updates.

    A value that is not finite is missing.
    """
    values = np.full((len(curves), length), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve
    present = np.isfinite(values)
    runs = present.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, values, 0.0).sum(axis=0) / runs
        squares = np.where(present, values - mean, 0.0) ** 2
        deviation = np.sqrt(squares.sum(axis=0) / np.where(runs > 1, runs - 1, np.nan))
    low = np.where(present, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(present, values, -np.inf).max(axis=0, initial=-np.inf)
    some = runs > 0
    return Band(runs, mean, np.where(some, low, np.nan), np.where(some, high, np.nan), deviation)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of the difference of two means: `difference` +- `margin`.

    `p` is the probability, if there were no difference, of one at least as large as that found.
    """

    difference: float
    margin: float
    p: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval does not contain zero."""
        return abs(self.difference) > self.margin


def welch_interval(a: Sequence[float], b: Sequence[float], alpha: float) -> Interval:
    """Return the interval of mean(a) - mean(b) that misses the true one with probability `alpha`.

    Parameters
    ----------
    a, b : sequence of float
        At least two independent values each.
    alpha : float
        In (0, 1); 0.05 for a 95% interval.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    difference = float(first.mean() - second.mean())
    parts = [float(each.var(ddof=1)) / len(each) for each in (first, second)]
    variance = sum(parts)
    if variance == 0.0:
        return Interval(difference, 0.0, 1.0 if difference == 0.0 else 0.0)
    freedom = variance**2 / sum(
        part**2 / (len(each) - 1) for part, each in zip(parts, (first, second), strict=True)
    )
    error = math.sqrt(variance)
    margin = t_quantile(1.0 - alpha / 2.0, freedom) * error
    return Interval(difference, margin, 2.0 * t_tail(abs(difference) / error, freedom))


def t_tail(t: float, freedom: float) -> float:
    """Return the probability that a t-distributed number is greater than `t`, which is >= 0."""
    return 0.5 * _incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)


def t_quantile(probability: float, freedom: float) -> float:
    """Return the number that a t-distributed one is below with a probability in [0.5, 1)."""
    tail = 1.0 - probability
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > tail:
        low, high = high, 2.0 * high
    while high - low > 1e-9 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if t_tail(middle, freedom) > tail else (low, middle)
    return high


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for x in [0, 1].

    By its continued fraction (DLMF 8.17.22) with the method of Lentz.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        # Where the fraction converges fast.
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _nonzero(1.0 + term * d)
            c = _nonzero(1.0 + term / c)
            fraction *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return front * fraction / a


def _nonzero(value: float) -> float:
    return value if abs(value) > TINY else TINY
