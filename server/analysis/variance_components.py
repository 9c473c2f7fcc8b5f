"""Components of the variance of the loss: the position in the corpus, and the start of an epoch.

Let ``x_ek`` be the loss of update k of epoch e, for E complete epochs of the same text. The network
learns during an epoch, so the trend of each epoch is removed first: the least-squares fit of
``a + b k + c log u``, where u counts all updates, to all updates of the epoch except the first R
(see `Excess`). The residual ``r_ek`` is the sum of the effect of the position in the corpus, which
recurs in every epoch, and of the rest, which does not. So the covariance of two different epochs
over k is the variance that the position explains, and its share is::

    share = mean over e != f of cov(r_e, r_f)  /  mean over e of var(r_e)

This is the intraclass correlation ICC(3,1) of Shrout and Fleiss (1979), Intraclass correlations:
uses in assessing rater reliability, Psychological Bulletin 86, 420-428, with positions as targets
and epochs as raters: ``(MS_positions - MS_rest) / (MS_positions + (E - 1) MS_rest)``. Without an
effect its mean is 0, however few epochs there are, unlike the share of the sum of squares. The
first R updates are excluded, since the effect of starting an epoch recurs too, whatever the text.
The standard error is the jackknife's over 20 blocks of the corpus (Efron 1982).

The cost of starting an epoch is the mean of ``r_ek`` over its first R updates and all epochs except
the first, in which training itself starts. Every epoch starts with the same text, so more epochs
cannot separate a difficult passage from the reset state. The measure of chance is how much other
blocks of R updates vary. With s for their standard deviation, the standard error is that of a
prediction at the edge of the trend, ``s sqrt(1 + R z^T (Z^T Z)^-1 z)``, where Z has the rows
``1, k, log u`` that the trend was fitted to, and z is their mean over the first R updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_UPDATES_PER_EPOCH", "Excess", "Explained", "explain", "updates_at_start"]

START_UPDATES = 100
# An epoch must have at least this many blocks of R updates to compare the first one with.
MIN_BLOCKS = 20
MIN_UPDATES_PER_EPOCH = 2 * MIN_BLOCKS
JACKKNIFE_BLOCKS = 20
TINY = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Excess:
    """The cost of starting an epoch, in the unit of the loss.

    Attributes
    ----------
    updates : int
        R, the number of updates that count as the start: 100, or a twentieth of a short epoch.
    loss, error : float
        The mean excess of their losses over the epoch's trend, and its standard error.
    """

    updates: int
    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class Explained:
    """The effects that recur in every epoch.

    Attributes
    ----------
    share, error : float
        The share of the variance that the position explains, 0 to 1, and its standard error.
    start : Excess
        The cost of starting an epoch.
    """

    share: float
    error: float
    start: Excess


def updates_at_start(updates_per_epoch: int) -> int:
    """Return R for epochs of this many updates."""
    return max(1, min(START_UPDATES, updates_per_epoch // MIN_BLOCKS))


def explain(
    losses: Floats, epochs: NDArray[np.int64], offsets: NDArray[np.int64], updates_per_epoch: int
) -> Explained:
    """Compute the variance that the position explains, and the cost of starting an epoch.

    Parameters
    ----------
    losses : ndarray of float64, shape (E, n)
        The losses of E >= 2 complete epochs at the same n offsets; all finite.
    epochs : ndarray of int64, shape (E,)
        The epochs, from 1; at least one of them is not the first.
    offsets : ndarray of int64, shape (n,)
        k, the updates since the start of the epoch, ascending: all of them, or some contiguous
        blocks, the first of which starts with 0.
    updates_per_epoch : int
        At least `MIN_UPDATES_PER_EPOCH`.
    """
    start = updates_at_start(updates_per_epoch)
    inside = offsets >= start
    residuals = np.empty_like(losses)
    for row, epoch, left in zip(losses, epochs.tolist(), residuals, strict=True):
        basis = _trends(offsets, (epoch - 1) * updates_per_epoch + 1)
        fit, *_ = np.linalg.lstsq(basis[inside], row[inside], rcond=None)
        left[:] = row - basis @ fit
    # Rounding errors of constant losses are not variance.
    residuals[np.abs(residuals) < TINY * np.abs(losses).max()] = 0.0
    share, error = _share(residuals[:, inside])
    later = residuals[epochs > 1].mean(axis=0)
    return Explained(
        share=float(np.clip(share, 0.0, 1.0)),
        error=error,
        start=Excess(
            updates=start,
            loss=float(later[~inside].mean()),
            error=_error_at_start(later, offsets, start, basis),
        ),
    )


def _trends(offsets: NDArray[np.int64], first: int) -> Floats:
    """Return the centred rows 1, k, log u of an epoch that starts with the update `first`."""
    updates = (first + offsets).astype(np.float64)
    centred = (offsets - offsets.mean()) / max(1, int(offsets[-1]))
    return np.stack([np.ones_like(updates), centred, np.log(updates / updates.mean())], axis=1)


def _error_at_start(later: Floats, offsets: NDArray[np.int64], start: int, basis: Floats) -> float:
    """Return the standard error of the cost of starting an epoch."""
    others = _block_means(later, offsets, start)
    free = max(1, len(others) - basis.shape[1])
    spread = np.sqrt(((others - others.mean()) ** 2).sum() / free)
    inside, edge = basis[offsets >= start], basis[offsets < start].mean(axis=0)
    leverage = edge @ np.linalg.pinv(inside.T @ inside) @ edge
    return float(spread * np.sqrt(1.0 + start * leverage))


def _share(residuals: Floats) -> tuple[float, float]:
    """Return the share of the variance that the epochs have in common, and its standard error."""
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


def _block_means(values: Floats, offsets: NDArray[np.int64], length: int) -> Floats:
    """Return the means of blocks of `length` consecutive updates, except the first block."""
    # Contiguous runs of offsets; an incomplete block at the end of one is dropped.
    runs = np.split(np.arange(len(offsets)), np.flatnonzero(np.diff(offsets) != 1) + 1)
    means = [values[run[: len(run) // length * length]].reshape(-1, length) for run in runs]
    return np.asarray(np.concatenate(means).mean(axis=1)[1:])
