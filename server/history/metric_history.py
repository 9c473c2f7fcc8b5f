"""The metrics of every measured update, stored completely and reduced for display.

Measurements are numbered from 1: measurement n is update n `MEASURED_EVERY`. Each metric of a run
has chunks of 4,096 measurements with its values (float64) and, for each block of 64, their least,
their greatest, their sum and their number. NaN stands for an update without a value. Chunks that a
metric lacks, because it was added to the program after the run began, are read as NaN.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.history.chunks import BLOCK, CHUNK, ChunkWriter, Floats, chunk_of
from server.rnn.metrics import MEASURED_EVERY

__all__ = [
    "CHUNK_UPDATES",
    "SCHEMA",
    "Buckets",
    "MetricHistory",
    "MetricWriter",
    "ReducedMetrics",
    "reduce_values",
    "truncate",
]

CHUNK_UPDATES = CHUNK * MEASURED_EVERY
"""The updates of a chunk."""

SCHEMA = """
CREATE TABLE metrics (
    run TEXT NOT NULL,
    metric TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    length INTEGER NOT NULL,
    blocks BLOB NOT NULL,
    numbers BLOB NOT NULL,
    UNIQUE (run, metric, chunk)
);
"""


class Buckets(NamedTuple):
    """The mean, the least and the greatest value of each bucket; NaN where there is none."""

    mean: Floats
    low: Floats
    high: Floats


NO_BUCKETS = Buckets(np.empty(0), np.empty(0), np.empty(0))
# The summary of a block without values: least, greatest, sum and number.
NO_VALUES = (np.nan, np.nan, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ReducedMetrics:
    """Curves of metrics with a point for each bucket of `bucket` updates.

    Attributes
    ----------
    first, last : int
        The range of updates.
    bucket : int
        The updates of a bucket, a multiple of `MEASURED_EVERY`. The first and the last may have
        fewer.
    update : ndarray of int64, shape (n,)
        The last measured update of each bucket.
    metrics : dict of str to Buckets
        By the metrics' names; arrays of shape (n,).
    """

    first: int
    last: int
    bucket: int
    update: NDArray[np.int64]
    metrics: dict[str, Buckets]


class MetricWriter(ChunkWriter):
    """Appends to one metric of one run; buffers the last, incomplete chunk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; the caller commits.
    run, metric : str
        Id of the run and name of the metric.
    """

    def __init__(self, connection: sqlite3.Connection, run: str, metric: str) -> None:
        self._connection = connection
        self._run = run
        self._metric = metric
        row = connection.execute(
            "SELECT chunk, numbers FROM metrics WHERE run = ? AND metric = ?"
            " ORDER BY chunk DESC LIMIT 1",
            (run, metric),
        ).fetchone()
        super().__init__(*(row or (0, b"")))
        # Summaries of the chunk's first blocks, which are complete: a chunk is written many times.
        self._complete_blocks = np.empty((0, len(NO_VALUES)))

    def append(self, first: int, numbers: Floats) -> bool:
        """Append the values of the measurements from `first` on; a gap before them is NaN.

        Values that are in the history are skipped.

        Returns
        -------
        bool
            Whether a chunk was written to the open transaction.
        """
        if not len(numbers):
            return False
        gap = first > self.last + 1
        if gap:
            self.write()
            if chunk_of(first) > self._chunk:
                self._start(chunk_of(first), np.empty(0))
                self._complete_blocks = np.empty((0, len(NO_VALUES)))
            numbers = np.concatenate([np.full(first - 1 - self.last, np.nan), numbers])
            first = self.last + 1
        return super().append(first, numbers) or gap

    def _write_chunk(self, chunk: int, numbers: Floats) -> None:
        complete = self._complete_blocks
        rest = numbers[len(complete) * BLOCK :]
        more = _summaries(rest, np.arange(0, len(rest), BLOCK))
        blocks = np.concatenate([complete, more]) if len(complete) else more
        whole = 0 if len(numbers) == CHUNK else len(numbers) // BLOCK
        self._complete_blocks = blocks[:whole]
        self._connection.execute(
            # Unlike INSERT OR REPLACE, this writes nothing to the index.
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, metric, chunk)"
            " DO UPDATE SET length = excluded.length, blocks = excluded.blocks,"
            " numbers = excluded.numbers",
            (
                *(self._run, self._metric, chunk, len(numbers)),
                *(blocks.tobytes(), numbers.tobytes()),
            ),
        )


class MetricHistory:
    """The metrics of one run, for reading.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database.
    run : str
        Id of the run.
    """

    def __init__(self, connection: sqlite3.Connection, run: str) -> None:
        self._connection = connection
        self._run = run

    @property
    def names(self) -> list[str]:
        """The names of the metrics that the run has, in alphabetical order."""
        rows = self._connection.execute(
            "SELECT DISTINCT metric FROM metrics WHERE run = ? ORDER BY metric", (self._run,)
        )
        return [row[0] for row in rows]

    def values(self, metric: str, first: int, last: int) -> Floats:
        """Return the values of a metric at the measurements from `first` (1 or more) to `last`."""
        first_chunk, last_chunk = chunk_of(first), chunk_of(last)
        found = np.full((last_chunk - first_chunk + 1, CHUNK), np.nan)
        for chunk, numbers in self._rows("numbers", metric, first_chunk, last_chunk):
            found[chunk - first_chunk, : len(numbers)] = numbers
        start = (first - 1) % CHUNK
        return found.ravel()[start : start + last - first + 1]

    def reduce(self, metrics: Sequence[str], first: int, last: int, points: int) -> ReducedMetrics:
        """Reduce a range of updates to at most `points` buckets.

        Parameters
        ----------
        metrics : sequence of str
            Names of metrics.
        first, last : int
            Range of updates, both included. There are no values beyond the end of the run.
        points : int
            Buckets at most, 1 or more.
        """
        begin, end = -(-first // MEASURED_EVERY), last // MEASURED_EVERY
        size = max(1, -(-(end - begin + 1) // points))
        if size <= BLOCK:
            starts = np.arange(begin, end + 1, size, dtype=np.int64)
            ends = np.minimum(starts + size - 1, end)
        else:
            # Whole blocks of measurements. One block more may be cut than the range is long.
            first_block, last_block = (begin - 1) // BLOCK, (end - 1) // BLOCK
            per_bucket = -(-(last_block - first_block + 1) // points)
            size = per_bucket * BLOCK
            starts = np.arange(first_block, last_block + 1, per_bucket, dtype=np.int64)
            ends = np.minimum((starts + per_bucket) * BLOCK, end)
        found = dict.fromkeys(metrics, NO_BUCKETS)
        for metric in metrics if len(starts) else ():
            if size <= BLOCK:
                found[metric] = reduce_values(self.values(metric, begin, end), starts - begin)
            else:
                blocks = self._blocks(metric, begin, end)
                found[metric] = _buckets(_joined(blocks, starts - starts[0]))
        bucket = size * MEASURED_EVERY
        return ReducedMetrics(first, last, bucket, ends * MEASURED_EVERY, found)

    def _blocks(self, metric: str, begin: int, end: int) -> Floats:
        """Return the summaries of the blocks of a range, of the first and the last only its part.

        They are two blocks at least.
        """
        first_chunk, last_chunk = chunk_of(begin), chunk_of(end)
        whole = np.empty((last_chunk - first_chunk + 1, CHUNK // BLOCK, 4))
        whole[:] = NO_VALUES
        for chunk, numbers in self._rows("blocks", metric, first_chunk, last_chunk):
            blocks = numbers.reshape(-1, 4)
            whole[chunk - first_chunk, : len(blocks)] = blocks
        offset = first_chunk * (CHUNK // BLOCK)
        first_block, last_block = (begin - 1) // BLOCK, (end - 1) // BLOCK
        blocks = whole.reshape(-1, 4)[first_block - offset : last_block - offset + 1]
        only = np.zeros(1, np.int64)
        blocks[0] = _summaries(self.values(metric, begin, (first_block + 1) * BLOCK), only)
        blocks[-1] = _summaries(self.values(metric, last_block * BLOCK + 1, end), only)
        return blocks

    def _rows(
        self, column: str, metric: str, first_chunk: int, last_chunk: int
    ) -> Iterator[tuple[int, Floats]]:
        for chunk, data in self._connection.execute(
            f"SELECT chunk, {column} FROM metrics WHERE run = ? AND metric = ?"  # noqa: S608
            " AND chunk BETWEEN ? AND ?",
            (self._run, metric, first_chunk, last_chunk),
        ):
            yield chunk, np.frombuffer(data, dtype=np.float64)


def truncate(connection: sqlite3.Connection, run: str, last: int) -> None:
    """Delete the metrics of a run after the update `last`."""
    chunk, count = divmod(last // MEASURED_EVERY, CHUNK)
    cut = connection.execute(
        "SELECT metric, numbers FROM metrics WHERE run = ? AND chunk = ?", (run, chunk)
    ).fetchall()
    connection.execute("DELETE FROM metrics WHERE run = ? AND chunk >= ?", (run, chunk))
    for metric, numbers in cut if count else ():
        writer = MetricWriter(connection, run, metric)
        writer.append(chunk * CHUNK + 1, np.frombuffer(numbers, dtype=np.float64)[:count])
        writer.write()


def reduce_values(values: Floats, starts: NDArray[np.int64]) -> Buckets:
    """Reduce values to buckets.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN is left out.
    starts : ndarray of int64
        The index of the first value of each bucket, ascending from 0.
    """
    return _buckets(_summaries(values, starts)) if len(starts) else NO_BUCKETS


def _summaries(values: Floats, starts: NDArray[np.int64]) -> Floats:
    """Return the least, the greatest, the sum and the number of the values of each bucket."""
    known = ~np.isnan(values)
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    with np.errstate(invalid="ignore"):  # infinities of both signs
        total = np.add.reduceat(np.where(known, values, 0.0), starts)
    count = np.add.reduceat(known, starts, dtype=np.float64)
    return np.stack([low, high, total, count], axis=1)


def _joined(summaries: Floats, starts: NDArray[np.int64]) -> Floats:
    """Return the summaries of groups of blocks that begin at `starts`."""
    low, high, total, count = summaries.T
    low, high = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
    with np.errstate(invalid="ignore"):
        total = np.add.reduceat(total, starts)
    return np.stack([low, high, total, np.add.reduceat(count, starts)], axis=1)


def _buckets(summaries: Floats) -> Buckets:
    low, high, total, count = summaries.T
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    # The mean of equal numbers may differ from them by rounding.
    return Buckets(np.clip(mean, low, high), low, high)
