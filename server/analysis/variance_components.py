"""Whether the loss goes up and down with the pages of the book, or with the start of each epoch.

Let ``x_ek`` be the loss of update k of epoch e, of E whole epochs of one and the same walk. Each
epoch learns, so its own trend is taken out first: the least-squares fit of ``a + b k + c log u``,
u counting all updates, to all but the epoch's first R updates (R: see `Excess`). What is left,
``r_ek``, is made of what the place in the book brings, which comes back in every epoch, and of the
rest, which does not. So the covariance of two different epochs over the places is the variance
that the place brings, and the share of it is::

    share = mean over e != f of cov(r_e, r_f)  /  mean over e of var(r_e)

This is the intraclass correlation ICC(3,1) of Shrout and Fleiss (1979), Intraclass correlations:
uses in assessing rater reliability, Psychological Bulletin 86, 420-428, the places being what is
rated and the epochs the raters, ``(MS_places - MS_rest) / (MS_places + (E - 1) MS_rest)``. Chance
alone gives 0 on average, however few epochs there are, unlike the bare share of the sum of squares.
The first R updates are left out of it, since they come back in every epoch too, wherever the book
begins. Its standard error is the jackknife's over 20 stretches of the book (Efron 1982).

The start of an epoch costs the mean of ``r_ek`` over its first R updates and all epochs but the
first, which begins no epoch anew but learning itself. Every epoch begins with the same pages, so
more epochs would not tell a hard page from a cleared state: what tells is how much other stretches
of R updates stray. With s for their standard deviation, the standard error is that of a prediction
at the edge of the trend, ``s sqrt(1 + R z^T (Z^T Z)^-1 z)``, Z being the rows ``1, k, log u`` that
the trend was fitted to and z their mean over the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_UPDATES_PER_EPOCH", "Excess", "Explained", "explain", "updates_at_start"]

START_UPDATES = 100
# Of an epoch, at least so many stretches as long as its start are needed to compare it with.
MIN_BLOCKS = 20
MIN_UPDATES_PER_EPOCH = 2 * MIN_BLOCKS
JACKKNIFE_BLOCKS = 20
TINY = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Excess:
    """What the start of an epoch costs, in the unit of the loss.

    Attributes
    ----------
    updates : int
        R, how many updates count as the start: 100, or in a short epoch a twentieth of it.
    loss, error : float
        How much more each of them costs than the epoch's trend says; the standard error of that.
    """

    updates: int
    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class Explained:
    """What comes back in every epoch.

    Attributes
    ----------
    share, error : float
        The share of the variance that the place in the book explains, 0 to 1; the standard error
        of that.
    start : Excess
        What the start of an epoch costs.
    """

    share: float
    error: float
    start: Excess


def updates_at_start(updates_per_epoch: int) -> int:
    """Return R for epochs of so many updates."""
    return max(1, min(START_UPDATES, updates_per_epoch // MIN_BLOCKS))


def explain(
    losses: Floats, epochs: NDArray[np.int64], places: NDArray[np.int64], updates_per_epoch: int
) -> Explained:
    """Tell what the place in the book explains, and what the start of an epoch costs.

    Parameters
    ----------
    losses : ndarray of float64, shape (E, n)
        Of E >= 2 whole epochs the losses at the same n places; all finite.
    epochs : ndarray of int64, shape (E,)
        Which epochs, from 1; at least one of them is not the first.
    places : ndarray of int64, shape (n,)
        How many updates into the epoch, from 0, ascending: all, or some stretches of them, of
        which the first begins with 0.
    updates_per_epoch : int
        At least `MIN_UPDATES_PER_EPOCH`.
    """
    start = updates_at_start(updates_per_epoch)
    inside = places >= start
    residuals = np.empty_like(losses)
    for row, epoch, left in zip(losses, epochs.tolist(), residuals, strict=True):
        basis = _trends(places, (epoch - 1) * updates_per_epoch + 1)
        fit, *_ = np.linalg.lstsq(basis[inside], row[inside], rcond=None)
        left[:] = row - basis @ fit
    # What rounding leaves of losses that never change has no share in anything.
    residuals[np.abs(residuals) < TINY * np.abs(losses).max()] = 0.0
    share, error = _share(residuals[:, inside])
    later = residuals[epochs > 1].mean(axis=0)
    return Explained(
        share=float(np.clip(share, 0.0, 1.0)),
        error=error,
        start=Excess(
            updates=start,
            loss=float(later[~inside].mean()),
            error=_error_at_start(later, places, start, basis),
        ),
    )


def _trends(places: NDArray[np.int64], first: int) -> Floats:
    """Return 1, k and log u of an epoch that begins with the update `first`, centred."""
    updates = (first + places).astype(np.float64)
    centred = (places - places.mean()) / max(1, int(places[-1]))
    return np.stack([np.ones_like(updates), centred, np.log(updates / updates.mean())], axis=1)


def _error_at_start(later: Floats, places: NDArray[np.int64], start: int, basis: Floats) -> float:
    """Return the standard error of what the start costs."""
    others = _stretches(later, places, start)
    free = max(1, len(others) - basis.shape[1])
    spread = np.sqrt(((others - others.mean()) ** 2).sum() / free)
    inside, edge = basis[places >= start], basis[places < start].mean(axis=0)
    leverage = edge @ np.linalg.pinv(inside.T @ inside) @ edge
    return float(spread * np.sqrt(1.0 + start * leverage))


def _share(residuals: Floats) -> tuple[float, float]:
    """Return the share of variance that epochs have in common, and its standard error."""
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    parts = np.array_split(centred, JACKKNIFE_BLOCKS, axis=1)
    products = np.stack([part @ part.T for part in parts])
    whole = products.sum(axis=0)
    n = len(parts)
    without = np.array([_common(whole - part) for part in products])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return _common(whole), float(error)


def _common(products: Floats) -> float:
    """Return the mean covariance of two epochs over the mean variance of one."""
    epochs = len(products)
    own = products.trace()
    if own <= 0.0:
        return 0.0
    between = (products.sum() - own) / (epochs * (epochs - 1))
    return float(between / (own / epochs))


def _stretches(values: Floats, places: NDArray[np.int64], length: int) -> Floats:
    """Return the means of the stretches of `length` updates in a row, but for the first."""
    # Where the stretch begins that each place belongs to; what is cut short is left out.
    runs = np.split(np.arange(len(places)), np.flatnonzero(np.diff(places) != 1) + 1)
    means = [values[run[: len(run) // length * length]].reshape(-1, length) for run in runs]
    return np.asarray(np.concatenate(means).mean(axis=1)[1:])
