"""The seconds of training: interpolated, bounded, never falling."""

import json
import sqlite3

import numpy as np
import pytest

from server.history import training_time
from server.history.training_time import LIMIT_MARKS, keep_mark, seconds_at, shorten


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE runs (id TEXT, run TEXT)")
    connection.executescript(training_time.SCHEMA)
    yield connection
    connection.close()


def stands(update, seconds):
    return json.dumps({"update": update, "seconds": seconds})


def marks(connection, run="a"):
    query = "SELECT update_, seconds FROM training_time WHERE run = ? ORDER BY update_"
    return connection.execute(query, (run,)).fetchall()


def test_reports_leave_a_mark_a_second_and_the_newest(connection):
    for report in range(101):
        keep_mark(connection, "a", stands(report * 10, report * 0.05))
    kept = marks(connection)
    assert kept[0] == (0, 0.0)
    assert kept[-1] == (1_000, 5.0)
    assert 5 <= len(kept) <= 8
    assert seconds_at(connection, "a", [0, 335, 1_000]).tolist() == pytest.approx([0, 1.675, 5])
    # Who stands still leaves no more marks.
    for _ in range(10):
        keep_mark(connection, "a", stands(1_000, 5.0))
    assert marks(connection) == kept


def test_what_is_not_known_is_not_made_up(connection):
    assert np.isnan(seconds_at(connection, "a", [1, 2])).all()
    assert len(seconds_at(connection, "a", [])) == 0
    keep_mark(connection, "a", "{}")
    assert marks(connection) == []
    # A run of an earlier version is taken up at update 500.
    keep_mark(connection, "a", stands(500, 0.0))
    keep_mark(connection, "a", stands(600, 2.0))
    found = seconds_at(connection, "a", [1, 499, 500, 550, 600, 601])
    assert np.isnan(found[[0, 1, 5]]).all()
    assert found[2:5].tolist() == [0, 1, 2]


def test_a_month_is_kept_in_some_thousand_marks(connection):
    # An update a second at first, a thousand a second later.
    seconds = np.unique(np.concatenate([np.arange(9_000.0), np.geomspace(9_000, 2.6e6, 9_000)]))
    updates = np.where(seconds < 5_000, seconds, 5_000 + (seconds - 5_000) * 1_000).astype(int)
    for update, second in zip(updates.tolist(), seconds.tolist(), strict=True):
        keep_mark(connection, "a", stands(update, second))
    assert len(marks(connection)) <= LIMIT_MARKS
    found = seconds_at(connection, "a", updates)
    assert (np.diff(found) >= 0).all()
    # Within what two marks may be apart: a hundredth of the time until then.
    assert np.abs(found - seconds).max() <= 2.6e6 / 900
    early = seconds < 9_000
    assert (np.abs(found - seconds)[early] <= 1 + seconds[early] / 100).all()


def test_going_back_stands_exactly_where_the_run_stands(connection):
    connection.execute("INSERT INTO runs VALUES ('a', ?)", (stands(150, 1.25),))
    for update, second in ((0, 0.0), (100, 1.0), (200, 2.0), (300, 3.0)):
        keep_mark(connection, "a", stands(update, second))
    shorten(connection, "a", 150)
    assert marks(connection) == [(0, 0.0), (100, 1.0), (150, 1.25)]
    keep_mark(connection, "a", stands(200, 1.5))
    assert seconds_at(connection, "a", [200]).tolist() == [1.5]


def test_a_copy_ends_where_it_is_cut(connection):
    connection.execute("INSERT INTO runs VALUES ('a', ?)", (stands(0, 0.0),))
    for update, second in ((0, 0.0), (100, 2.0), (200, 3.0)):
        keep_mark(connection, "a", stands(update, second))
    shorten(connection, "a", 150)
    assert marks(connection) == [(0, 0.0), (100, 2.0), (150, 2.5)]


def test_it_never_falls(connection):
    keep_mark(connection, "a", stands(100, 5.0))
    keep_mark(connection, "a", stands(110, 4.9))
    assert seconds_at(connection, "a", [100, 110]).tolist() == [5.0, 5.0]
