"""The greatest loss of a range of updates."""

from __future__ import annotations

import numpy as np

from server.history.loss_history import History

__all__ = ["highest"]

# Buckets in each step; ten million updates take three steps.
POINTS = 1_500


def highest(history: History, first: int, last: int) -> int | None:
    """Return the first update with the greatest loss, found in ever smaller buckets.

    Parameters
    ----------
    history : History
        The run's losses.
    first, last : int
        Range of updates, both included; cut to the history.

    Returns
    -------
    int or None
        None if the range is empty. Buckets with a loss that is not finite are skipped, unless all
        are such.
    """
    while True:
        found = history.reduce(first, last, POINTS)
        if not len(found.update):
            return None
        high = np.where(np.isfinite(found.high), found.high, -np.inf)
        end = int(found.update[np.argmax(high)])
        if found.bucket == 1:
            return end
        first, last = max(found.first, end - found.bucket + 1), end
