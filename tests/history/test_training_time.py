"""The seconds of training: interpolated, in a limited number of points, never descending."""

import json
import sqlite3

import numpy as np
import pytest

from server.history import training_time
from server.history.training_time import MAX_POINTS, add, seconds_at, truncate


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE runs (id TEXT, run TEXT)")
    connection.executescript(training_time.SCHEMA)
    yield connection
    connection.close()


def run_json(update, seconds):
    return json.dumps({"update": update, "seconds": seconds})


def points(connection, run="a"):
    query = "SELECT update_, seconds FROM training_time WHERE run = ? ORDER BY update_"
    return connection.execute(query, (run,)).fetchall()


def test_reports_leave_a_point_a_second_and_the_newest(connection):
    for report in range(101):
        add(connection, "a", run_json(report * 10, report * 0.05))
    stored = points(connection)
    assert stored[0] == (0, 0.0)
    assert stored[-1] == (1_000, 5.0)
    assert 5 <= len(stored) <= 8
    assert seconds_at(connection, "a", [0, 335, 1_000]).tolist() == pytest.approx([0, 1.675, 5])
    # A paused run adds no points.
    for _ in range(10):
        add(connection, "a", run_json(1_000, 5.0))
    assert points(connection) == stored


def test_unknown_times_are_nan(connection):
    assert np.isnan(seconds_at(connection, "a", [1, 2])).all()
    assert len(seconds_at(connection, "a", [])) == 0
    add(connection, "a", "{}")
    assert points(connection) == []
    # A run of an earlier version, which did not store times, is resumed at update 500.
    add(connection, "a", run_json(500, 0.0))
    add(connection, "a", run_json(600, 2.0))
    found = seconds_at(connection, "a", [1, 499, 500, 550, 600, 601])
    assert np.isnan(found[[0, 1, 5]]).all()
    assert found[2:5].tolist() == [0, 1, 2]


def test_a_month_takes_some_thousand_points(connection):
    # An update a second at first, a thousand a second later.
    seconds = np.unique(np.concatenate([np.arange(9_000.0), np.geomspace(9_000, 2.6e6, 9_000)]))
    updates = np.where(seconds < 5_000, seconds, 5_000 + (seconds - 5_000) * 1_000).astype(int)
    for update, second in zip(updates.tolist(), seconds.tolist(), strict=True):
        add(connection, "a", run_json(update, second))
    assert len(points(connection)) <= MAX_POINTS
    found = seconds_at(connection, "a", updates)
    assert (np.diff(found) >= 0).all()
    # The distance of two points: a hundredth of the time until then.
    assert np.abs(found - seconds).max() <= 2.6e6 / 900
    early = seconds < 9_000
    assert (np.abs(found - seconds)[early] <= 1 + seconds[early] / 100).all()


def test_truncating_uses_the_exact_time_of_the_run(connection):
    connection.execute("INSERT INTO runs VALUES ('a', ?)", (run_json(150, 1.25),))
    for update, second in ((0, 0.0), (100, 1.0), (200, 2.0), (300, 3.0)):
        add(connection, "a", run_json(update, second))
    truncate(connection, "a", 150)
    assert points(connection) == [(0, 0.0), (100, 1.0), (150, 1.25)]
    add(connection, "a", run_json(200, 1.5))
    assert seconds_at(connection, "a", [200]).tolist() == [1.5]


def test_truncating_interpolates_the_time_of_a_copy(connection):
    connection.execute("INSERT INTO runs VALUES ('a', ?)", (run_json(0, 0.0),))
    for update, second in ((0, 0.0), (100, 2.0), (200, 3.0)):
        add(connection, "a", run_json(update, second))
    truncate(connection, "a", 150)
    assert points(connection) == [(0, 0.0), (100, 2.0), (150, 2.5)]


def test_the_time_never_descends(connection):
    add(connection, "a", run_json(100, 5.0))
    add(connection, "a", run_json(110, 4.9))
    assert seconds_at(connection, "a", [100, 110]).tolist() == [5.0, 5.0]
