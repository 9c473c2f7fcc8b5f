"""How many seconds a run had trained by each update, pauses not counted.

Kept as marks, (update, seconds) about a second apart, between which the time is interpolated. Marks
are thinned in proportion to how long ago they are, and to the run's length: some thousands do for
any run, and both a linear and a logarithmic axis of seconds find the detail they can show.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCHEMA", "keep_mark", "seconds_at", "shorten"]

BETWEEN_MARKS_S = 1.0
LIMIT_MARKS = 4_096
# How far thinning lets two neighbours be apart: a share of the time until then, and of all time.
SHARE_SO_FAR = 1 / 150
SHARE_OF_ALL = 1 / 1_000

SCHEMA = """
CREATE TABLE training_time (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, update_)
) WITHOUT ROWID;
"""

Floats = NDArray[np.float64]


def keep_mark(connection: sqlite3.Connection, run: str, text: str) -> None:
    """Mark where a run stands; the newest mark is always kept, the one before may give way to it.

    Parameters
    ----------
    connection : sqlite3.Connection
        The store's; transactions are the caller's business.
    run : str
        Id of the run.
    text : str
        The run's JSON; without `seconds` nothing is marked.
    """
    stands = json.loads(text)
    update, seconds = stands.get("update"), stands.get("seconds")
    if update is None or seconds is None:
        return
    last_two = connection.execute(
        "SELECT update_, seconds FROM training_time WHERE run = ? AND update_ < ?"
        " ORDER BY update_ DESC LIMIT 2",
        (run, update),
    ).fetchall()
    if last_two:
        # A clock that went on from an older checkpoint may stand behind by less than a mark.
        seconds = max(seconds, last_two[0][1])
    if len(last_two) == 2 and last_two[0][1] - last_two[1][1] < BETWEEN_MARKS_S:
        connection.execute(
            "DELETE FROM training_time WHERE run = ? AND update_ = ?", (run, last_two[0][0])
        )
    else:
        _thin(connection, run)
    _mark(connection, run, update, seconds)


def seconds_at(
    connection: sqlite3.Connection, run: str, updates: Sequence[int] | NDArray[np.int64]
) -> Floats:
    """Return the seconds of training at each of `updates`, NaN where they are not known.

    Parameters
    ----------
    connection : sqlite3.Connection
        The store's.
    run : str
        Id of the run.
    updates : sequence of int
        Ascending.

    Returns
    -------
    seconds : ndarray of float64
        One for each update; it never falls.
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
    marks = np.array(rows, dtype=np.float64)
    return np.interp(updates, marks[:, 0], marks[:, 1], left=np.nan, right=np.nan)


def shorten(connection: sqlite3.Connection, run: str, update: int) -> None:
    """Forget the time after `update`, and mark it."""
    (seconds,) = seconds_at(connection, run, [update]).tolist()
    connection.execute("DELETE FROM training_time WHERE run = ? AND update_ > ?", (run, update))
    row = connection.execute("SELECT run FROM runs WHERE id = ?", (run,)).fetchone()
    if row is not None and json.loads(row[0]).get("update") == update:
        # The run says it to the last bit.
        keep_mark(connection, run, row[0])
    elif not np.isnan(seconds):
        _mark(connection, run, update, seconds)


def _mark(connection: sqlite3.Connection, run: str, update: int, seconds: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO training_time VALUES (?, ?, ?)", (run, update, seconds)
    )


def _thin(connection: sqlite3.Connection, run: str) -> None:
    """Leave out marks that stand closer together than they need to, once there are too many."""
    (count,) = connection.execute(
        "SELECT count(*) FROM training_time WHERE run = ?", (run,)
    ).fetchone()
    if count < LIMIT_MARKS:
        return
    marks = connection.execute(
        "SELECT update_, seconds FROM training_time WHERE run = ? ORDER BY update_", (run,)
    ).fetchall()
    all_s = marks[-1][1]
    kept_s = marks[0][1]
    superfluous = []
    for (update, seconds), (_, next_s) in pairwise(marks[1:]):
        if next_s - kept_s < min(seconds * SHARE_SO_FAR, all_s * SHARE_OF_ALL):
            superfluous.append((run, update))
        else:
            kept_s = seconds
    connection.executemany("DELETE FROM training_time WHERE run = ? AND update_ = ?", superfluous)
