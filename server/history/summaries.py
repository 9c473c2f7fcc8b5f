"""Summaries of losses: blocks of 64 updates in chunks of 4,096, and the smooth loss.

The smooth loss is computed by the same float64 operations as in the trainer, and therefore equal to
the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from server.history.chunks import BLOCK, CHUNK, Floats

__all__ = [
    "BLOCK_UPDATES",
    "CHUNK_UPDATES",
    "Floats",
    "continue_smooth",
    "smooth_losses",
    "smoothed",
    "summarise",
]

BLOCK_UPDATES = BLOCK
CHUNK_UPDATES = CHUNK


def smoothed(smooth: Floats, loss: Floats, factor: float) -> Floats:
    """Return smooth losses after one more loss each; NaN means the start of the run."""
    return np.where(np.isnan(smooth), loss, factor * smooth + (1.0 - factor) * loss)


def smooth_losses(losses: Iterable[float], smooth: float | None, factor: float) -> Iterator[float]:
    """Yield the smooth loss after each of `losses`; `smooth` is the one before (None: none)."""
    for loss in losses:
        smooth = loss if smooth is None else factor * smooth + (1.0 - factor) * loss
        yield smooth


def summarise(losses: Floats, smooth: float | None, factor: float) -> tuple[Floats, float]:
    """Return the summary of each block of a chunk, and the smooth loss at the chunk's end.

    Parameters
    ----------
    losses : ndarray of float64, shape (n,), 1 <= n <= 4,096
        The chunk's losses.
    smooth : float or None
        Smooth loss before the chunk; None at the start of the run.
    factor : float
        Smoothing factor s: smooth = s * smooth + (1 - s) * loss.

    Returns
    -------
    blocks : ndarray of float64, shape (ceil(n / 64), 3)
        Least loss, greatest loss and smooth loss at the end of each block.
    smooth : float
        Smooth loss after the chunk.
    """
    starts = np.arange(0, len(losses), BLOCK_UPDATES)
    blocks = np.empty((len(starts), 3))
    blocks[:, 0] = np.minimum.reduceat(losses, starts)
    blocks[:, 1] = np.maximum.reduceat(losses, starts)
    curve = np.fromiter(smooth_losses(losses.tolist(), smooth, factor), np.float64, len(losses))
    ends = np.minimum(starts + BLOCK_UPDATES, len(losses)) - 1
    blocks[:, 2] = curve[ends]
    return blocks, float(curve[-1])


def continue_smooth(
    losses: Floats, steps: NDArray[np.int64], smooth: Floats, factor: float
) -> Floats:
    """Return the smooth loss of each row after its first `steps` losses.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, k)
    steps : ndarray of int64, shape (n,)
    smooth : ndarray of float64, shape (n,)
        Smooth loss before the row; NaN at the start of the run.
    factor : float
        Smoothing factor s: smooth = s * smooth + (1 - s) * loss.
    """
    smooth = smooth.copy()
    for column in range(losses.shape[1]):
        going = column < steps
        smooth = np.where(going, smoothed(smooth, losses[:, column], factor), smooth)
    return smooth
