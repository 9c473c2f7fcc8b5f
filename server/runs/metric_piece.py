"""The metrics of a report, reduced to a few points for the viewers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from server.history.chunks import Floats
from server.history.metric_history import reduce_values
from server.rnn.metrics import measured_updates
from server.spec.live_messages import MetricPiece
from server.spec.schemas import MetricBuckets

__all__ = ["metric_piece"]

MAX_POINTS = 10


def metric_piece(first: int, last: int, metrics: Mapping[str, Floats]) -> MetricPiece:
    """Reduce the metrics of the updates from `first` to `last` to at most ten points.

    Parameters
    ----------
    first, last : int
        The updates, both included.
    metrics : mapping of str to ndarray of float64
        The values of each metric at those of the updates that are measured.
    """
    measured = measured_updates(first, last)
    size = max(1, -(-len(measured) // MAX_POINTS))
    starts = np.arange(0, len(measured), size)
    ends = np.minimum(starts + size, len(measured))
    return MetricPiece(
        update=[measured[end - 1] for end in ends.tolist()],
        count=(ends - starts).tolist(),
        metrics={
            name: MetricBuckets.of(*reduce_values(values, starts))
            for name, values in metrics.items()
        },
    )
