"""Where the loss is greatest."""

from __future__ import annotations

import numpy as np

from server.history.loss_history import History

__all__ = ["highest"]

# Buckets at each step: ten million updates take three.
POINTS = 1_500


def highest(history: History, first: int, last: int) -> int | None:
    """Return the first update of the greatest loss of a range, found by ever finer buckets.

    Parameters
    ----------
    history : History
        The run's losses.
    first, last : int
        The range, both included; cut to what there is.

    Returns
    -------
    int or None
        None if the range is empty. Buckets with a loss that is not finite are passed over where
        there are others.
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
