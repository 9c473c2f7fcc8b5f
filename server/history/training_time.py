"""Seconds of training at each update, without pauses.

Stored as points (update, seconds) about a second apart; between two points the time is
interpolated. Old points are removed so that their distance stays in proportion to the time until
then and to the length of the run: some thousand points are enough for any run, on a linear and on a
logarithmic axis of seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pydantic_core
from numpy.typing import NDArray

__all__ = ["SCHEMA", "add", "seconds_at", "truncate"]

POINT_DISTANCE_S = 1.0
MAX_POINTS = 4_096
# Greatest distance of points after downsampling: a share of the time until then, and of all time.
SHARE_OF_ELAPSED = 1 / 150
SHARE_OF_TOTAL = 1 / 1_000

SCHEMA = """
CREATE TABLE training_time (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, update_)
) WITHOUT ROWID;
"""

Floats = NDArray[np.float64]


def add(connection: sqlite3.Connection, run: str, text: str) -> None:
    """Add a point for the current update of a run; it may replace the newest one before.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database; the caller commits.
    run : str
        Id of the run.
    text : str
        The JSON of the run; without `seconds` no point is added.
    """
    fields = pydantic_core.from_json(text)
    update, seconds = fields.get("update"), fields.get("seconds")
    if update is None or seconds is None:
        return
    last_two = connection.execute(
        "SELECT update_, seconds FROM training_time WHERE run = ? AND update_ < ?"
        " ORDER BY update_ DESC LIMIT 2",
        (run, update),
    ).fetchall()
    if last_two:
        # After resuming from a checkpoint, the clock may be slow by less than the distance.
        seconds = max(seconds, last_two[0][1])
    if len(last_two) == 2 and last_two[0][1] - last_two[1][1] < POINT_DISTANCE_S:
        connection.execute(
            "DELETE FROM training_time WHERE run = ? AND update_ = ?", (run, last_two[0][0])
        )
    else:
        _thin(connection, run)
    _insert(connection, run, update, seconds)


def seconds_at(
    connection: sqlite3.Connection, run: str, updates: Sequence[int] | NDArray[np.int64]
) -> Floats:
    """Return the seconds of training at each of `updates`, NaN where unknown.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the database.
    run : str
        Id of the run.
    updates : sequence of int
        Ascending.

    Returns
    -------
    seconds : ndarray of float64
        One for each update, not descending.
    """
    if not len(updates):
        return np.empty(0)
    rows = connection.execute(
        "SELECT update_, seconds FROM training_time WHERE run = :run AND update_ BETWEEN"
        " coalesce((SELECT max(update_) FROM training_time WHERE run = :run AND update_ <= :first),"
        " :first) AND coalesce((SELECT min(update_) FROM training_time WHERE run = :run"
        " AND update_ >= :last), :last) ORDER BY update_",
        {"run": run, "first": int(updates[0]), "last": int(updates[-1])},
    ).fetchall()
    if not rows:
        return np.full(len(updates), np.nan)
    points = np.array(rows, dtype=np.float64)
    return np.interp(updates, points[:, 0], points[:, 1], left=np.nan, right=np.nan)


def truncate(connection: sqlite3.Connection, run: str, update: int) -> None:
    """Delete the points after `update`, and add one for `update`."""
    (seconds,) = seconds_at(connection, run, [update]).tolist()
    connection.execute("DELETE FROM training_time WHERE run = ? AND update_ > ?", (run, update))
    row = connection.execute("SELECT run FROM runs WHERE id = ?", (run,)).fetchone()
    if row is not None and pydantic_core.from_json(row[0]).get("update") == update:
        # The run has the exact value, without interpolation.
        add(connection, run, row[0])
    elif not np.isnan(seconds):
        _insert(connection, run, update, seconds)


def _insert(connection: sqlite3.Connection, run: str, update: int, seconds: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO training_time VALUES (?, ?, ?)", (run, update, seconds)
    )


def _thin(connection: sqlite3.Connection, run: str) -> None:
    """Remove points that are closer together than necessary, if there are too many."""
    (count,) = connection.execute(
        "SELECT count(*) FROM training_time WHERE run = ?", (run,)
    ).fetchone()
    if count < MAX_POINTS:
        return
    points = connection.execute(
        "SELECT update_, seconds FROM training_time WHERE run = ? ORDER BY update_", (run,)
    ).fetchall()
    total_s = points[-1][1]
    previous_s = points[0][1]
    removed = []
    for (update, seconds), (_, next_s) in pairwise(points[1:]):
        if next_s - previous_s < min(seconds * SHARE_OF_ELAPSED, total_s * SHARE_OF_TOTAL):
            removed.append((run, update))
        else:
            previous_s = seconds
    connection.executemany("DELETE FROM training_time WHERE run = ? AND update_ = ?", removed)
