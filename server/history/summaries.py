"""What a history is made of: blocks of 64 updates and chunks of 4,096, and the smooth loss.

The smooth loss is continued by the same float64 operations as the trainer's, hence bit for bit the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from server.rnn.training.trainer import SMOOTHING

__all__ = [
    "BLOCK_UPDATES",
    "CHUNK_UPDATES",
    "Floats",
    "continue_smooth",
    "smooth_losses",
    "smoothed",
    "summarise",
]

BLOCK_UPDATES = 64
CHUNK_UPDATES = 4_096

Floats = NDArray[np.float64]


def smoothed(smooth: Floats, loss: Floats, factor: float = SMOOTHING) -> Floats:
    """Continue smooth losses by one loss each, where NaN stands for the start of the run."""
    return np.where(np.isnan(smooth), loss, factor * smooth + (1.0 - factor) * loss)


def smooth_losses(losses: Iterable[float], smooth: float | None) -> Iterator[float]:
    """Yield the smooth loss after each of `losses`, from `smooth` on (None: the run's start)."""
    for loss in losses:
        smooth = loss if smooth is None else SMOOTHING * smooth + (1.0 - SMOOTHING) * loss
        yield smooth


def summarise(losses: Floats, smooth: float | None) -> tuple[Floats, float]:
    """Return the figures of each block of a chunk, and the smooth loss at its end.

    Parameters
    ----------
    losses : ndarray of float64, shape (n,), 1 <= n <= 4,096
        The chunk's losses.
    smooth : float or None
        Smooth loss before the chunk; None at the start of the run.

    Returns
    -------
    blocks : ndarray of float64, shape (ceil(n / 64), 3)
        Least loss, greatest loss, smooth loss at the end, of each block.
    smooth : float
        Smooth loss after the chunk.
    """
    starts = np.arange(0, len(losses), BLOCK_UPDATES)
    blocks = np.empty((len(starts), 3))
    blocks[:, 0] = np.minimum.reduceat(losses, starts)
    blocks[:, 1] = np.maximum.reduceat(losses, starts)
    curve = np.fromiter(smooth_losses(losses.tolist(), smooth), np.float64, len(losses))
    ends = np.minimum(starts + BLOCK_UPDATES, len(losses)) - 1
    blocks[:, 2] = curve[ends]
    return blocks, float(curve[-1])


def continue_smooth(
    losses: Floats, steps: NDArray[np.int64], smooth: Floats, factor: float = SMOOTHING
) -> Floats:
    """Continue each row's smooth loss over its first `steps` losses.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, k)
    steps : ndarray of int64, shape (n,)
    smooth : ndarray of float64, shape (n,)
        Before the first; NaN at the start of the run.
    factor : float
        How much of it an update leaves.
    """
    smooth = smooth.copy()
    for column in range(losses.shape[1]):
        going = column < steps
        smooth = np.where(going, smoothed(smooth, losses[:, column], factor), smooth)
    return smooth
