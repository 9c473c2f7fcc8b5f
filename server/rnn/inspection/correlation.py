"""The correlation of units with features of the text that a network reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Correlations",
    "Followed",
    "correlate",
    "correlations",
    "find_followed",
    "standardise",
    "untrained_scale",
]

Floats: TypeAlias = NDArray[np.floating]

CHANCE = 0.01
"""The probability that any unit of a network is said to follow a feature by chance."""

RELATIVE_NOISE = 1e-6
"""A series whose standard deviation is less than this, relative to its mean, counts as constant: in
float32 it is rounding."""


ROWS_AT_ONCE = 8
"""Series that are computed at once, in float64: 50,000 characters take 0.4 MB each."""

Numbers: TypeAlias = NDArray[np.floating | np.integer]


def standardise(series: Numbers, out: Floats | None = None) -> Floats:
    """Return series with mean 0 and norm 1, so that correlations are products.

    Parameters
    ----------
    series : ndarray of shape (rows, n)
    out : ndarray of shape (rows, n), optional
        Where the result is written; may be `series` itself.

    Returns
    -------
    ndarray of float32, shape (rows, n)
        Or `out`. Constant series, and those that are not finite, become 0.
    """
    result = np.empty(series.shape, dtype=np.float32) if out is None else out
    for rows in _row_blocks(len(series)):
        result[rows] = _standardised(series[rows])
    return result


def _standardised(series: Numbers) -> Floats:
    with np.errstate(all="ignore"):
        mean = series.mean(axis=1, keepdims=True)
        centred = series - mean
        norm = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        least = RELATIVE_NOISE * np.sqrt(series.shape[1]) * np.abs(mean)
        usable = np.isfinite(norm) & (norm > least)
        return np.where(usable, centred / norm, 0.0)


def _row_blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE))


def correlations(units: Floats, features: Numbers) -> Floats:
    """Return Pearson's correlation coefficient of every unit with every feature.

    Parameters
    ----------
    units : ndarray of shape (units, n)
        From `standardise`.
    features : ndarray of shape (features, n)

    Returns
    -------
    ndarray of shape (units, features)
    """
    found = np.empty((len(units), len(features)), dtype=units.dtype)
    for rows in _row_blocks(len(features)):
        found[:, rows] = units @ standardise(features[rows]).T
    return found


@dataclass(frozen=True, slots=True)
class Correlations:
    """The correlations of units with features, and how large they are by chance.

    Attributes
    ----------
    r : ndarray of shape (units, features)
        Pearson's correlation coefficients.
    chance : ndarray of shape (units, features)
        The root mean square of the correlation with the feature at all n circular shifts.
    """

    r: Floats
    chance: Floats


def correlate(units: Floats, features: Numbers) -> Correlations:
    r"""Return the correlation of every unit with every feature, and its size by chance.

    With u and f of mean 0 and norm 1, ``r = sum_t u_t f_t``. Shifted against each other in a
    circle, the two keep their autocorrelation but lose their relation, which shows how large r
    becomes by chance. With U and F for the discrete Fourier transforms, Parseval's theorem gives
    the mean over all n shifts at once::

        r(s) = sum_t u_t f_{t+s}        mean_s r(s)^2 = (1 / n^2) sum_k |U_k|^2 |F_k|^2

    Parameters
    ----------
    units : ndarray of shape (units, n)
        From `standardise`.
    features : ndarray of shape (features, n)
        They are standardised a few at a time, as all together would take much memory.
    """
    n = units.shape[1]
    power_u = np.empty((len(units), n // 2 + 1), dtype=np.float32)
    for rows in _row_blocks(len(units)):
        power_u[rows] = _power(units[rows])
    # In a real transform, each frequency but the first (and for even n the last) stands for two.
    power_u[:, 1 : (n + 1) // 2] *= 2.0
    r = np.empty((len(units), len(features)), dtype=units.dtype)
    chance = np.empty_like(r)
    for rows in _row_blocks(len(features)):
        standardised = standardise(features[rows])
        r[:, rows] = units @ standardised.T
        chance[:, rows] = np.sqrt(power_u @ _power(standardised).T) / n
    return Correlations(r, chance)


def _power(series: Floats) -> Floats:
    transformed = np.fft.rfft(series, axis=1)
    return np.asarray(transformed.real**2 + transformed.imag**2, dtype=np.float32)


def untrained_scale(r: Floats) -> Floats:
    """Return how large the correlations of untrained networks with each feature are.

    The units of an untrained network are random functions of the last few characters, so they
    happen to correlate with features of these characters, on every text. The correlations with
    features of one character are large, those with features that need a memory are not. So each
    feature has its own scale, the root mean square of ``z = artanh(r)``, which is about normally
    distributed [1]_.

    Parameters
    ----------
    r : ndarray of shape (units, features)
        The correlations of the units of untrained networks, some hundreds.

    Returns
    -------
    ndarray of shape (features,)

    References
    ----------
    .. [1] R. A. Fisher, "On the 'probable error' of a coefficient of correlation deduced from a
       small sample", Metron 1, 1921.
    """
    z = np.arctanh(np.clip(r.astype(np.float64), -0.999999, 0.999999))
    return np.asarray(np.sqrt((z**2).mean(axis=0)))


@dataclass(frozen=True, slots=True)
class Followed:
    """The feature that each unit follows.

    Attributes
    ----------
    feature : ndarray of int, shape (units,)
        The index of the feature; -1 if the unit follows none.
    r : ndarray of float, shape (units,)
        The correlation on the second stretch, which had no part in choosing the feature.
    limit : ndarray of float, shape (units,)
        What the correlation must exceed.
    """

    feature: NDArray[np.intp]
    r: Floats
    limit: Floats


def find_followed(first: Correlations, second: Correlations, untrained: Floats) -> Followed:
    """Return the feature that each unit follows, if the correlation is not due to chance.

    A correlation counts if it has the same sign on both stretches and exceeds two limits on each:
    that of text that is shifted against the network, and that of untrained networks. Each is the
    scale of such correlations times a quantile of the normal distribution: one at which the
    probability that any pair of a unit and a feature exceeds it is `CHANCE`, by Bonferroni's
    correction. Of the features that count, the unit follows that with the greatest correlation on
    the first stretch.

    Parameters
    ----------
    first, second : Correlations
        On two stretches of the text that do not overlap.
    untrained : ndarray of shape (units, features) or (features,)
        See `untrained_scale`.
    """
    units = len(first.r)
    if not first.r.size:
        return Followed(np.full(units, -1), np.zeros(units), np.ones(units))
    quantile = NormalDist().inv_cdf(1.0 - CHANCE / (2 * first.r.size))
    shifted = quantile * np.maximum(first.chance, second.chance)
    limit = np.maximum(shifted, np.tanh(quantile * untrained))
    weaker = np.minimum(np.abs(first.r), np.abs(second.r))
    counts = (weaker > limit) & (np.sign(first.r) == np.sign(second.r))
    best = np.where(counts, np.abs(first.r), 0.0).argmax(axis=1)
    rows = np.arange(units)
    follows = counts[rows, best]
    return Followed(np.where(follows, best, -1), second.r[rows, best], limit[rows, best])
