"""When the smooth loss first fell below a figure: exactly, and without reading the whole history.

Within a block of updates the smooth loss may dip below what it is at both ends, so that the blocks'
figures can't tell. The least smooth loss of each full chunk can: it is worked out once, when
somebody first asks, some chunks at a time, and kept. The one chunk in which it happened is then
read loss by loss.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from server.history.loss_history import smooth_before
from server.history.summaries import BLOCK_UPDATES, CHUNK_UPDATES, Floats, smooth_losses, smoothed

__all__ = ["Search", "first_below", "forget_least"]

# Some milliseconds of the store's one thread; whoever else waits for it comes in between.
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
    """How far a search has come.

    Attributes
    ----------
    done : bool
        Whether it is over; if not, the same question is to be asked again.
    update : int or None
        The first update after which the smooth loss was below the figure; None: none is (yet).
    """

    done: bool
    update: int | None = None


def first_below(connection: sqlite3.Connection, run: str, smooth_loss: float) -> Search:
    """Look for the first update after which a run's smooth loss was below `smooth_loss`.

    A call reads some dozens of chunks at the most, and the next one goes on from there.

    Parameters
    ----------
    connection : sqlite3.Connection
        The store's; what `HistoryWriter.write` has written is seen.
    run : str
        Id of the run.
    smooth_loss : float
        In nats a sequence.
    """
    known = connection.execute(
        "SELECT chunk FROM least_smooth WHERE run = ? AND least < ? ORDER BY chunk LIMIT 1",
        (run, smooth_loss),
    ).fetchone()
    if known is not None:
        return Search(done=True, update=_within(connection, run, known[0], smooth_loss))
    if _work_out_more(connection, run):
        return Search(done=False)
    (unfilled,) = connection.execute(
        "SELECT coalesce(max(chunk) + 1, 0) FROM least_smooth WHERE run = ?", (run,)
    ).fetchone()
    return Search(done=True, update=_within(connection, run, unfilled, smooth_loss))


def forget_least(connection: sqlite3.Connection, run: str, last: int = 0) -> None:
    """Forget what was worked out from updates after `last`, which may come to be others."""
    connection.execute(
        "DELETE FROM least_smooth WHERE run = ? AND chunk >= ?", (run, last // CHUNK_UPDATES)
    )


def _within(connection: sqlite3.Connection, run: str, chunk: int, smooth_loss: float) -> int | None:
    """Return the first update of a chunk whose smooth loss is below, None if there is none."""
    row = connection.execute(
        "SELECT losses FROM losses WHERE run = ? AND chunk = ?", (run, chunk)
    ).fetchone()
    if row is None:
        return None
    losses = np.frombuffer(row[0], dtype=np.float64).tolist()
    curve = smooth_losses(losses, smooth_before(connection, run, chunk))
    first = chunk * CHUNK_UPDATES + 1
    return next(
        (update for update, smooth in enumerate(curve, first) if smooth < smooth_loss), None
    )


def _work_out_more(connection: sqlite3.Connection, run: str) -> bool:
    """Keep the least smooth loss of the next full chunks; return whether there were any."""
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
    least = _least_of_blocks(losses.reshape(-1, BLOCK_UPDATES), starts)
    of_chunks = np.fmin.reduce(least.reshape(len(rows), -1), axis=1)
    connection.executemany(
        "INSERT OR REPLACE INTO least_smooth VALUES (?, ?, ?)",
        [(run, row[0], value) for row, value in zip(rows, of_chunks.tolist(), strict=True)],
    )
    return True


def _least_of_blocks(losses: Floats, smooth: Floats) -> Floats:
    """Return the least smooth loss of each block.

    Parameters
    ----------
    losses : ndarray of float64, shape (n, 64)
    smooth : ndarray of float64, shape (n,)
        Before each block; NaN at the start of the run.
    """
    least = np.full(len(losses), np.inf)
    for column in losses.T:
        smooth = smoothed(smooth, column)
        least = np.fmin(least, smooth)
    return least
