"""The metrics of a run as CSV: a row for each measured update, a column for each metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

__all__ = ["metric_header", "metric_row"]


def metric_header(names: Iterable[str]) -> str:
    """Return the first line, with the names of the metrics."""
    return ",".join(["update", "epoch", "position", *names]) + "\n"


def metric_row(update: int, epoch: int, position: int, values: Sequence[float]) -> str:
    """Return the line of an update; a cell without a value (NaN) is empty."""
    cells = ("" if isnan(value) else repr(value) for value in values)
    return ",".join([str(update), str(epoch), str(position), *cells]) + "\n"
