"""The loss smoothed with other factors than the run's own, for any range of updates.

The run's own smooth loss is part of the history. For
another factor, the smoothed loss at the end of each block is computed when it is first requested,
some chunks at a time, and stored for complete chunks. From the end of the nearest block, any update
is at most 64 losses away.
"""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from server.history.loss_history import History
from server.history.summaries import BLOCK_UPDATES, CHUNK_UPDATES, Floats, continue_smooth

__all__ = ["FACTORS", "SCHEMA", "compute_more", "smoothed_at", "truncate"]

FACTORS = (0.0, 0.9, 0.99, 0.999, 0.9999)
"""The factors that can be requested beside the run's own; 0 means no smoothing."""

# Takes some milliseconds of the database's thread; other calls run in between.
CHUNKS_AT_ONCE = 64
BLOCKS = CHUNK_UPDATES // BLOCK_UPDATES

SCHEMA = """
CREATE TABLE smoothed (
    run TEXT NOT NULL,
    factor REAL NOT NULL,
    chunk INTEGER NOT NULL,
    ends BLOB NOT NULL,
    UNIQUE (run, factor, chunk)
);
"""


def smoothed_at(
    connection: sqlite3.Connection, run: str, factor: float, updates: NDArray[np.int64]
) -> Floats:
    """Return the loss smoothed by `factor` after each of `updates`.

    It starts with the first loss; then smooth = factor * smooth + (1 - factor) * loss.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; `HistoryWriter.write` makes buffered losses visible.
    run : str
        Id of the run.
    factor : float
        In [0, 1).
    updates : ndarray of int64
        Ascending, all in the history.
    """
    if not len(updates):
        return np.empty(0)
    blocks, steps = (updates - 1) // BLOCK_UPDATES, (updates - 1) % BLOCK_UPDATES + 1
    if factor == 0.0:
        return _losses(connection, run, factor, blocks)[np.arange(len(updates)), steps - 1]
    while compute_more(connection, run, factor):
        pass
    first_chunk = max(int(blocks[0]) - 1, 0) // BLOCKS
    ends = _ends(connection, run, factor, first_chunk, int(blocks[-1]) // BLOCKS)
    places = blocks - first_chunk * BLOCKS
    smooth = ends[places]
    cut = steps < BLOCK_UPDATES
    since = np.where(blocks[cut] > 0, ends[np.maximum(places[cut] - 1, 0)], np.nan)
    smooth[cut] = continue_smooth(
        _losses(connection, run, factor, blocks[cut]), steps[cut], since, factor
    )
    return smooth


def compute_more(connection: sqlite3.Connection, run: str, factor: float) -> bool:
    """Store the smoothed loss of the next complete chunks; return whether there were any."""
    newest = connection.execute(
        "SELECT chunk, ends FROM smoothed WHERE run = ? AND factor = ? ORDER BY chunk DESC LIMIT 1",
        (run, factor),
    ).fetchone()
    chunk, ends = newest or (-1, b"")
    rows = connection.execute(
        "SELECT chunk, losses FROM losses WHERE run = ? AND updates = ? AND chunk > ?"
        " ORDER BY chunk LIMIT ?",
        (run, CHUNK_UPDATES, chunk, CHUNKS_AT_ONCE),
    ).fetchall()
    if not rows or factor == 0.0:
        return False
    losses = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float64)
    before = float(np.frombuffer(ends, dtype=np.float64)[-1]) if ends else None
    found = _smooth_ends(losses, before, factor).reshape(len(rows), BLOCKS)
    connection.executemany(
        "INSERT OR REPLACE INTO smoothed VALUES (?, ?, ?, ?)",
        [(run, factor, row[0], part.tobytes()) for row, part in zip(rows, found, strict=True)],
    )
    return True


def truncate(connection: sqlite3.Connection, run: str, last: int) -> None:
    """Delete what was computed from updates after `last`."""
    connection.execute(
        "DELETE FROM smoothed WHERE run = ? AND chunk >= ?", (run, last // CHUNK_UPDATES)
    )


def _smooth_ends(losses: Floats, before: float | None, factor: float) -> Floats:
    """Return the smoothed loss at the end of each complete block of `losses`."""
    whole = losses[: len(losses) // BLOCK_UPDATES * BLOCK_UPDATES].reshape(-1, BLOCK_UPDATES)
    weights = (1.0 - factor) * factor ** np.arange(BLOCK_UPDATES - 1, -1, -1)
    fade, smooth = factor**BLOCK_UPDATES, before
    ends = []
    for first, added in zip(whole[:, 0].tolist(), (whole @ weights).tolist(), strict=True):
        smooth = fade * (first if smooth is None else smooth) + added
        ends.append(smooth)
    return np.array(ends)


def _ends(
    connection: sqlite3.Connection, run: str, factor: float, first_chunk: int, last_chunk: int
) -> Floats:
    """Return the smoothed loss at the end of each block of some chunks; NaN for incomplete blocks.

    It must have been computed for all complete chunks.
    """
    rows = connection.execute(
        "SELECT ends FROM smoothed WHERE run = ? AND factor = ? AND chunk BETWEEN ? AND ?"
        " ORDER BY chunk",
        (run, factor, max(first_chunk - 1, 0), last_chunk),
    ).fetchall()
    known = np.frombuffer(b"".join(row[0] for row in rows), dtype=np.float64)
    before = float(known[-1]) if len(known) else None
    skipped = BLOCKS if first_chunk else 0
    ends = np.full((last_chunk - first_chunk + 1) * BLOCKS, np.nan)
    ends[: max(len(known) - skipped, 0)] = known[skipped:]
    if len(known) - skipped < len(ends):
        unfilled = History(connection, run, factor).losses(
            last_chunk * CHUNK_UPDATES + 1, (last_chunk + 1) * CHUNK_UPDATES
        )
        found = _smooth_ends(unfilled, before, factor)
        start = (last_chunk - first_chunk) * BLOCKS
        ends[start : start + len(found)] = found
    return ends


def _losses(
    connection: sqlite3.Connection, run: str, factor: float, blocks: NDArray[np.int64]
) -> Floats:
    """Return the losses of each block, a row each; blocks may repeat."""
    wanted, inverse = np.unique(blocks, return_inverse=True)
    return History(connection, run, factor).block_losses(wanted)[inverse]
