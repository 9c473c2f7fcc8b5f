"""The loss of every update, stored completely and reduced for display.

The history of a run consists of chunks of 4,096 updates. A chunk contains its losses (float64) and,
for each block of 64 updates, the least and the greatest loss and the smooth loss at the block's
end. Any range of ten million updates is reduced to a curve by reading the figures of the blocks;
losses themselves are read only where the edge of a bucket lies inside a block.

The smooth loss of each update is not stored. It is computed from the end of the nearest block by
the same float64 operations as in the trainer, and therefore equal to the last bit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.history.chunks import ChunkWriter, chunk_of
from server.history.summaries import (
    BLOCK_UPDATES,
    CHUNK_UPDATES,
    Floats,
    continue_smooth,
    summarise,
)

__all__ = ["History", "HistoryWriter", "ReducedLoss", "bucket_size"]

# Up to so many updates in a bucket, reading every loss takes no longer than reading blocks.
WHOLE_BUCKET_UPDATES = 256

SCHEMA = """
CREATE TABLE losses (
    run TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    blocks BLOB NOT NULL,
    losses BLOB NOT NULL,
    UNIQUE (run, chunk)
);
"""


@dataclass(frozen=True, slots=True)
class ReducedLoss:
    """A curve with `bucket` updates a point; arrays of equal length, `update` in int64."""

    first: int
    last: int
    bucket: int
    update: NDArray[np.int64]
    smooth: Floats
    low: Floats
    high: Floats


def bucket_size(first: int, last: int, points: int) -> int:
    """Return how many updates a bucket has if a range is reduced to at most `points` of them."""
    bucket = -(-(last - first + 1) // points)
    if bucket > WHOLE_BUCKET_UPDATES:
        # Whole blocks, so that a curve from the first update reads no single losses.
        bucket = -(-bucket // BLOCK_UPDATES) * BLOCK_UPDATES
    return bucket


class HistoryWriter(ChunkWriter):
    """Appends to the losses of one run; buffers the last, incomplete chunk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; the caller commits.
    run : str
        Id of the run.
    factor : float
        Factor of the run's smooth loss, in [0, 1).
    """

    def __init__(self, connection: sqlite3.Connection, run: str, factor: float) -> None:
        self._factor = factor
        self._connection = connection
        self._run = run
        row = connection.execute(
            "SELECT chunk, losses FROM losses WHERE run = ? ORDER BY chunk DESC LIMIT 1", (run,)
        ).fetchone()
        chunk, losses = row or (0, b"")
        super().__init__(chunk, losses)
        self._smooth = smooth_before(connection, run, chunk)
        # Of the chunk's first blocks, which are complete: a chunk is written many times.
        self._complete_blocks = np.empty((0, 3))

    def _write_chunk(self, chunk: int, numbers: Floats) -> None:
        complete = self._complete_blocks
        smooth = float(complete[-1, 2]) if len(complete) else self._smooth
        more, smooth = summarise(numbers[len(complete) * BLOCK_UPDATES :], smooth, self._factor)
        blocks = np.concatenate([complete, more])
        self._complete_blocks = blocks[: len(numbers) // BLOCK_UPDATES]
        self._connection.execute(
            # Unlike INSERT OR REPLACE, this writes nothing to the index.
            "INSERT INTO losses VALUES (?, ?, ?, ?, ?) ON CONFLICT (run, chunk)"
            " DO UPDATE SET updates = excluded.updates, blocks = excluded.blocks,"
            " losses = excluded.losses",
            (self._run, chunk, len(numbers), blocks.tobytes(), numbers.tobytes()),
        )
        if len(numbers) == CHUNK_UPDATES:
            self._smooth, self._complete_blocks = smooth, np.empty((0, 3))


def smooth_before(connection: sqlite3.Connection, run: str, chunk: int) -> float | None:
    """Return the smooth loss before the first update of a chunk; None for the first chunk."""
    if chunk == 0:
        return None
    (blocks,) = connection.execute(
        "SELECT blocks FROM losses WHERE run = ? AND chunk = ?", (run, chunk - 1)
    ).fetchone()
    return float(np.frombuffer(blocks, dtype=np.float64)[-1])


class History:
    """The history of one run, for reading.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; `HistoryWriter.write` makes buffered losses visible.
    run : str
        Id of the run.
    factor : float
        Factor of the run's smooth loss, in [0, 1).
    """

    def __init__(self, connection: sqlite3.Connection, run: str, factor: float) -> None:
        self._factor = factor
        self._connection = connection
        self._run = run

    @property
    def last(self) -> int:
        """The last update in the history, 0 when it is empty."""
        row = self._connection.execute(
            "SELECT chunk, updates FROM losses WHERE run = ? ORDER BY chunk DESC LIMIT 1",
            (self._run,),
        ).fetchone()
        return 0 if row is None else row[0] * CHUNK_UPDATES + row[1]

    def truncate(self, last: int) -> None:
        """Delete everything after the update `last`."""
        writer_chunk, count = divmod(last, CHUNK_UPDATES)
        row = self._connection.execute(
            "SELECT losses FROM losses WHERE run = ? AND chunk = ?", (self._run, writer_chunk)
        ).fetchone()
        self._connection.execute(
            "DELETE FROM losses WHERE run = ? AND chunk >= ?", (self._run, writer_chunk)
        )
        if row is not None and count:
            writer = HistoryWriter(self._connection, self._run, self._factor)
            first = writer_chunk * CHUNK_UPDATES + 1
            writer.append(first, np.frombuffer(row[0], dtype=np.float64)[:count])
            writer.write()

    def chunks(self, after: int = -1) -> Iterator[tuple[int, Floats, Floats]]:
        """Yield number, blocks and losses of each chunk after chunk `after`."""
        while True:
            row = self._connection.execute(
                "SELECT chunk, blocks, losses FROM losses WHERE run = ? AND chunk > ?"
                " ORDER BY chunk LIMIT 1",
                (self._run, after),
            ).fetchone()
            if row is None:
                return
            after = row[0]
            yield after, _blocks(row[1]), np.frombuffer(row[2], dtype=np.float64)

    def losses(self, first: int, last: int) -> Floats:
        """Return the losses from `first` (1 or more) to `last`, or to the end of the history."""
        rows = self._connection.execute(
            "SELECT losses FROM losses WHERE run = ? AND chunk BETWEEN ? AND ? ORDER BY chunk",
            (self._run, chunk_of(first), chunk_of(last)),
        )
        found = np.frombuffer(b"".join(row[0] for row in rows), dtype=np.float64)
        before = chunk_of(first) * CHUNK_UPDATES
        return found[first - 1 - before : max(last - before, 0)]

    def reduce(self, first: int, last: int, points: int) -> ReducedLoss:
        """Reduce a range of updates to at most `points` buckets; only the last may be smaller.

        Parameters
        ----------
        first, last : int
            Range of updates, both included; cut to the history.
        points : int
            Buckets at most, 1 or more.
        """
        first, last = max(first, 1), min(last, self.last)
        if first > last:
            none = np.empty(0)
            return ReducedLoss(first, last, 1, np.empty(0, np.int64), none, none, none)
        bucket = bucket_size(first, last, points)
        starts = np.arange(first, last + 1, bucket, dtype=np.int64)
        ends = np.minimum(starts + bucket - 1, last)
        if bucket <= WHOLE_BUCKET_UPDATES:
            low, high, smooth = self._from_losses(starts, ends)
        else:
            low, high, smooth = self._from_blocks(starts, ends)
        return ReducedLoss(first, last, bucket, ends, smooth, low, high)

    def smooth_at(self, updates: NDArray[np.int64]) -> Floats:
        """Return the smooth loss after each of `updates`, which ascend and are in the history."""
        return self._from_blocks(updates, updates)[2]

    def _from_losses(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats]:
        first_chunk, last_chunk = chunk_of(int(starts[0])), chunk_of(int(ends[-1]))
        rows = self._connection.execute(
            "SELECT blocks, losses FROM losses WHERE run = ? AND chunk BETWEEN ? AND ?"
            " ORDER BY chunk",
            (self._run, first_chunk, last_chunk),
        ).fetchall()
        losses = np.concatenate([np.frombuffer(row[1], dtype=np.float64) for row in rows])
        blocks = np.concatenate([_blocks(row[0]) for row in rows])
        offset = first_chunk * CHUNK_UPDATES + 1
        inside = losses[: ends[-1] - offset + 1]
        low = np.minimum.reduceat(inside, starts - offset)
        high = np.maximum.reduceat(inside, starts - offset)
        before = smooth_before(self._connection, self._run, first_chunk)
        end_blocks = (ends - offset) // BLOCK_UPDATES
        positions = end_blocks[:, None] * BLOCK_UPDATES + np.arange(BLOCK_UPDATES)
        gathered = losses[np.minimum(positions, len(losses) - 1)]
        steps = (ends - offset) % BLOCK_UPDATES + 1
        return (
            low,
            high,
            continue_smooth(
                gathered, steps, _smooth_starts(end_blocks, blocks, before), self._factor
            ),
        )

    def _from_blocks(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats]:
        """Reduce from the figures of blocks; read the losses of blocks that an edge divides."""
        first_chunk, last_chunk = chunk_of(int(starts[0])), chunk_of(int(ends[-1]))
        blocks = np.concatenate(
            [
                _blocks(row[0])
                for row in self._connection.execute(
                    "SELECT blocks FROM losses WHERE run = ? AND chunk BETWEEN ? AND ?"
                    " ORDER BY chunk",
                    (self._run, first_chunk, last_chunk),
                )
            ]
        )
        offset = first_chunk * CHUNK_UPDATES + 1
        before = smooth_before(self._connection, self._run, first_chunk)
        # Whole blocks inside each bucket: from `inner` up to, not including, `outer`.
        inner = -(-(starts - offset) // BLOCK_UPDATES)
        outer = (ends - offset + 1) // BLOCK_UPDATES
        edges = np.stack([inner, np.maximum(outer, inner + 1)], axis=1).ravel()
        padded = np.concatenate([blocks, [[np.inf, -np.inf, 0.0]] * 2])
        whole = outer > inner
        low = np.where(whole, np.minimum.reduceat(padded[:, 0], edges)[::2], np.inf)
        high = np.where(whole, np.maximum.reduceat(padded[:, 1], edges)[::2], -np.inf)
        cut = ((starts - offset) % BLOCK_UPDATES != 0) | ((ends - offset + 1) % BLOCK_UPDATES != 0)
        cut_low, cut_high, tails = self._at_edges(starts[cut] - 1, ends[cut] - 1)
        low[cut] = np.minimum(low[cut], cut_low)
        high[cut] = np.maximum(high[cut], cut_high)
        end_blocks = (ends - offset) // BLOCK_UPDATES
        smooth = blocks[end_blocks, 2].copy()
        since = _smooth_starts(end_blocks, blocks, before)
        smooth[cut] = continue_smooth(
            tails, (ends[cut] - 1) % BLOCK_UPDATES + 1, since[cut], self._factor
        )
        return low, high, smooth

    def _at_edges(
        self, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[Floats, Floats, Floats]:
        """Read the losses of the blocks in which buckets begin and end.

        Parameters
        ----------
        first, last : ndarray of int64, shape (n,)
            Offset (update - 1) of the first and the last update of each bucket.

        Returns
        -------
        low, high : ndarray of float64, shape (n,)
            Extremes of the losses in these blocks that are in the bucket.
        tails : ndarray of float64, shape (n, 64)
            Losses of the block of the last update.
        """
        first_block, last_block = first // BLOCK_UPDATES, last // BLOCK_UPDATES
        wanted = np.unique([first_block, last_block])
        losses = self.block_losses(wanted)
        heads = losses[np.searchsorted(wanted, first_block)]
        tails = losses[np.searchsorted(wanted, last_block)]
        place = np.arange(BLOCK_UPDATES)
        in_tail = place <= (last % BLOCK_UPDATES)[:, None]
        in_head = place >= (first % BLOCK_UPDATES)[:, None]
        same = (first_block == last_block)[:, None]
        # If both are the same block, an update is in the bucket if it is in head and tail.
        in_tail &= in_head | ~same
        in_head &= in_tail | ~same
        low, high = np.full(len(first), np.inf), np.full(len(first), -np.inf)
        for part, inside in ((heads, in_head), (tails, in_tail)):
            low = np.minimum(low, np.where(inside, part, np.inf).min(axis=1))
            high = np.maximum(high, np.where(inside, part, -np.inf).max(axis=1))
        return low, high, tails

    def block_losses(self, blocks: NDArray[np.int64]) -> Floats:
        """Return the losses of ascending blocks, a row each; NaN after the history's end."""
        per_chunk = CHUNK_UPDATES // BLOCK_UPDATES
        chunks, first, counts = np.unique(
            blocks // per_chunk, return_index=True, return_counts=True
        )
        rows = self._connection.execute(
            "SELECT losses FROM losses WHERE run = ?"
            " AND chunk IN (SELECT value FROM json_each(?)) ORDER BY chunk",
            (self._run, json.dumps(chunks.tolist())),
        )
        # Slicing and joining bytes is several times as fast as with short arrays.
        block_bytes = BLOCK_UPDATES * np.dtype(np.float64).itemsize
        places = (blocks % per_chunk * block_bytes).tolist()
        parts = []
        for (losses,), start, count in zip(rows, first.tolist(), counts.tolist(), strict=True):
            parts += [losses[at : at + block_bytes] for at in places[start : start + count]]
        whole = np.full((len(blocks), BLOCK_UPDATES), np.nan)
        found = np.frombuffer(b"".join(parts), dtype=np.float64)
        whole.ravel()[: len(found)] = found
        return whole


def _blocks(data: bytes) -> Floats:
    return np.frombuffer(data, dtype=np.float64).reshape(-1, 3)


def _smooth_starts(end_blocks: NDArray[np.int64], blocks: Floats, before: float | None) -> Floats:
    """Return the smooth loss before each of `end_blocks`; NaN at the start of the run."""
    first = np.nan if before is None else before
    return np.where(end_blocks > 0, blocks[np.maximum(end_blocks - 1, 0), 2], first)
