"""Everything that is recorded at the updates of a run: its losses and its metrics."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.history.chunks import Floats
from server.history.loss_history import HistoryWriter
from server.history.metric_history import MetricWriter
from server.rnn.metrics import measured_updates

__all__ = ["Records", "RunHistoryWriter"]


@dataclass(frozen=True, slots=True)
class Records:
    """What is recorded at consecutive updates.

    Attributes
    ----------
    first : int
        The first update.
    losses : ndarray of float64, shape (n,)
        The loss of each update.
    metrics : dict of str to ndarray of float64
        By the names of the metrics: their values at those of the updates that are measured.
    """

    first: int
    losses: Floats
    metrics: Mapping[str, Floats] = field(default_factory=dict)


class RunHistoryWriter:
    """Appends to the history of one run.

    Parameters
    ----------
    connection, run, factor
        As for `HistoryWriter`.
    """

    def __init__(self, connection: sqlite3.Connection, run: str, factor: float) -> None:
        self._connection = connection
        self._run = run
        self._losses = HistoryWriter(connection, run, factor)
        self._metrics: dict[str, MetricWriter] = {}

    @property
    def last(self) -> int:
        """The last update in the history, 0 when it is empty."""
        return self._losses.last

    def append(self, records: Records) -> bool:
        """Append records, without those of updates that the history has.

        Returns
        -------
        bool
            Whether some were written to the open transaction.

        Raises
        ------
        ValueError
            There is a gap between the history and the records.
        """
        written = self._losses.append(records.first, records.losses)
        measured = measured_updates(records.first, self.last)
        for name, values in records.metrics.items():
            if name not in self._metrics:
                self._metrics[name] = MetricWriter(self._connection, self._run, name)
            written |= self._metrics[name].append(measured.start // measured.step, values)
        return written

    def write(self) -> None:
        """Write everything to the open transaction."""
        for writer in (self._losses, *self._metrics.values()):
            writer.write()
