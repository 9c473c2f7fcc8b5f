"""Smoothing with other factors: equal to smoothing all losses one by one."""

import sqlite3

import numpy as np
import pytest

from server.history import loss_history, smoothing
from server.history.loss_history import History, HistoryWriter
from server.history.smoothing import FACTORS, compute_more, smoothed_at, truncate

UPDATES = 3 * 4_096 + 777
OWN = 0.99


@pytest.fixture(scope="module")
def losses():
    return np.random.default_rng(7).gamma(9.0, 6.0, UPDATES)


@pytest.fixture
def connection(losses):
    connection = sqlite3.connect(":memory:")
    connection.executescript(loss_history.SCHEMA + smoothing.SCHEMA)
    writer = HistoryWriter(connection, "a", OWN)
    writer.append(1, losses)
    writer.write()
    yield connection
    connection.close()


def one_by_one(losses, factor):
    smooth, found = losses[0], []
    for loss in losses.tolist():
        smooth = factor * smooth + (1 - factor) * loss
        found.append(smooth)
    return np.array(found)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    ("first", "last", "points"),
    [(1, UPDATES, 1_500), (1, UPDATES, 17), (4_097, 8_192, 64), (5_000, UPDATES, 40), (63, 65, 9)],
)
def test_any_range_is_smoothed_as_one_by_one(connection, losses, factor, first, last, points):
    updates = History(connection, "a", OWN).reduce(first, last, points).update
    expected = one_by_one(losses, factor)[updates - 1]
    found = smoothed_at(connection, "a", factor, updates)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_computing_continues_after_stored_chunks_and_after_truncation(connection, losses):
    assert compute_more(connection, "a", 0.9)
    assert not compute_more(connection, "a", 0.9)
    other = np.concatenate([losses[:5_000], np.arange(9_000.0)])
    History(connection, "a", OWN).truncate(5_000)
    truncate(connection, "a", 5_000)
    writer = HistoryWriter(connection, "a", OWN)
    writer.append(5_001, other[5_000:])
    writer.write()
    updates = np.arange(1, len(other) + 1)
    np.testing.assert_allclose(
        smoothed_at(connection, "a", 0.9, updates), one_by_one(other, 0.9), rtol=1e-12
    )


def test_a_run_without_updates_gives_an_empty_curve(connection):
    assert len(smoothed_at(connection, "b", 0.9, np.empty(0, np.int64))) == 0
