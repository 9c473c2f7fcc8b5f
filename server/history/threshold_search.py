"""The first update with a smooth loss below a threshold, and the lowest up to an update.

Inside a block the smooth loss may be lower than at both ends, so the summaries of blocks are not
enough. Therefore the least smooth loss of each complete chunk is computed when it is first needed,
some chunks at a time, and stored. Only the losses of the chunk with the result are read.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from server.history.loss_history import smooth_before
from server.history.summaries import BLOCK_UPDATES, CHUNK_UPDATES, Floats, smooth_losses, smoothed

__all__ = ["Search", "compute_more", "first_below", "lowest", "truncate"]

# Takes some milliseconds of the database's thread; other calls run in between.
CHUNKS_AT_ONCE = 32

SCHEMA = """
CREATE TABLE least_smooth (
    run TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    least REAL,
    UNIQUE (run, chunk)
);
"""


@dataclass(frozen=True, slots=True)
class Search:
    """The state of a search.

    Attributes
    ----------
    done : bool
        Whether it is complete; if not, call `first_below` again.
    update : int or None
        The first update whose smooth loss is below the threshold; None: there is none yet.
    """

    done: bool
    update: int | None = None


def first_below(
    connection: sqlite3.Connection, run: str, smooth_loss: float, factor: float
) -> Search:
    """Search for the first update of a run whose smooth loss is below `smooth_loss`.

    A call reads a few dozen chunks at most; the next call continues.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; `HistoryWriter.write` makes buffered losses visible.
    run : str
        Id of the run.
    smooth_loss : float
        The threshold, in nats per sequence.
    factor : float
        Factor of the run's smooth loss.
    """
    known = connection.execute(
        "SELECT chunk FROM least_smooth WHERE run = ? AND least < ? ORDER BY chunk LIMIT 1",
        (run, smooth_loss),
    ).fetchone()
    if known is not None:
        return Search(done=True, update=_within(connection, run, known[0], smooth_loss, factor))
    if compute_more(connection, run, factor):
        return Search(done=False)
    (incomplete,) = connection.execute(
        "SELECT coalesce(max(chunk) + 1, 0) FROM least_smooth WHERE run = ?", (run,)
    ).fetchone()
    return Search(done=True, update=_within(connection, run, incomplete, smooth_loss, factor))


def lowest(connection: sqlite3.Connection, run: str, last: int, factor: float) -> float | None:
    """Return the lowest smooth loss up to the update `last`; None if it is not in the history.

    `compute_more` must have been called until it returned False.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; `HistoryWriter.write` makes buffered losses visible.
    run : str
        Id of the run.
    last : int
        The last update, 1 or more.
    factor : float
        Factor of the run's smooth loss.
    """
    chunk, offset = divmod(last - 1, CHUNK_UPDATES)
    (least,) = connection.execute(
        "SELECT min(least) FROM least_smooth WHERE run = ? AND chunk < ?", (run, chunk)
    ).fetchone()
    row = connection.execute(
        "SELECT losses FROM losses WHERE run = ? AND chunk = ?", (run, chunk)
    ).fetchone()
    losses = np.empty(0) if row is None else np.frombuffer(row[0], dtype=np.float64)
    if len(losses) <= offset:
        return None
    curve = smooth_losses(
        losses[: offset + 1].tolist(), smooth_before(connection, run, chunk), factor
    )
    found = min(curve)
    return found if least is None else min(least, found)


def truncate(connection: sqlite3.Connection, run: str, last: int) -> None:
    """Delete what was computed from updates after `last`."""
    connection.execute(
        "DELETE FROM least_smooth WHERE run = ? AND chunk >= ?", (run, last // CHUNK_UPDATES)
    )


def _within(
    connection: sqlite3.Connection, run: str, chunk: int, smooth_loss: float, factor: float
) -> int | None:
    """Return the first update of a chunk with a lower smooth loss; None if there is none."""
    row = connection.execute(
        "SELECT losses FROM losses WHERE run = ? AND chunk = ?", (run, chunk)
    ).fetchone()
    if row is None:
        return None
    losses = np.frombuffer(row[0], dtype=np.float64).tolist()
    curve = smooth_losses(losses, smooth_before(connection, run, chunk), factor)
    first = chunk * CHUNK_UPDATES + 1
    return next(
        (update for update, smooth in enumerate(curve, first) if smooth < smooth_loss), None
    )


def compute_more(connection: sqlite3.Connection, run: str, factor: float) -> bool:
    """Store the least smooth loss of the next complete chunks; return whether there were any."""
    rows = connection.execute(
        "SELECT chunk, blocks, losses FROM losses WHERE run = ? AND updates = ? AND chunk >"
        " (SELECT coalesce(max(chunk), -1) FROM least_smooth WHERE run = ?)"
        " ORDER BY chunk LIMIT ?",
        (run, CHUNK_UPDATES, run, CHUNKS_AT_ONCE),
    ).fetchall()
    if not rows:
        return False
    before = smooth_before(connection, run, rows[0][0])
    ends = np.concatenate([np.frombuffer(row[1], dtype=np.float64)[2::3] for row in rows])
    losses = np.concatenate([np.frombuffer(row[2], dtype=np.float64) for row in rows])
    starts = np.concatenate([[np.nan if before is None else before], ends[:-1]])
    least = _least_of_blocks(losses.reshape(-1, BLOCK_UPDATES), starts, factor)
    of_chunks = np.fmin.reduce(least.reshape(len(rows), -1), axis=1)
    connection.executemany(
        "INSERT OR REPLACE INTO least_smooth VALUES (?, ?, ?)",
        [(run, row[0], value) for row, value in zip(rows, of_chunks.tolist(), strict=True)],
    )
    return True


def _least_of_blocks(losses: Floats, smooth: Floats, factor: float) -> Floats:
    """Return the least smooth loss of each block.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, 64)
    smooth : ndarray of float64, shape (n,)
        Before each block; NaN at the start of the run.
    factor : float
        Factor of the run's smooth loss.
    """
    least = np.full(len(losses), np.inf)
    for column in losses.T:
        smooth = smoothed(smooth, column, factor)
        least = np.fmin(least, smooth)
    return least
