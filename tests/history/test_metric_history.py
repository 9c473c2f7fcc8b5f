"""The history of metrics: stored completely, and reduced with every extreme."""

import contextlib
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.history import metric_history
from server.history.metric_history import MetricHistory, MetricWriter, reduce_values, truncate
from server.rnn.metrics import MEASURED_EVERY

N = MEASURED_EVERY


@contextlib.contextmanager
def connection():
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(metric_history.SCHEMA)
        yield memory


def write(connection, values, first=1, metric="norm"):
    writer = MetricWriter(connection, "run", metric)
    writer.append(first, values)
    writer.write()


def some_values(count, seed=0):
    """Values, of which some are unknown and a few infinite."""
    random = np.random.default_rng(seed)
    values = random.gamma(2.0, 3.0, count)
    values[random.random(count) < 0.02] = np.nan
    values[random.random(count) < 0.001] = np.inf
    values[count // 3 : count // 3 + 150] = np.nan
    return values


def check_reduction(reduced, values, first, last, points):
    """Compare a reduction with the values; `values[n - 1]` is that of update n N."""
    assert (reduced.first, reduced.last) == (first, last)
    measured = [n for n in range(1, len(values) + 1) if first <= n * N <= last]
    assert len(reduced.update) <= points
    assert reduced.bucket % N == 0
    if not measured:
        assert not len(reduced.update)
        return
    assert reduced.update[-1] == measured[-1] * N
    assert (np.diff(reduced.update)[:-1] == reduced.bucket).all()
    begin = measured[0]
    mean, low, high = reduced.metrics["norm"]
    assert len(mean) == len(low) == len(high) == len(reduced.update)
    for index, update in enumerate(reduced.update.tolist()):
        assert (update - (begin - 1) * N) <= reduced.bucket
        inside = values[begin - 1 : update // N]
        begin = update // N + 1
        known = inside[~np.isnan(inside)]
        if not len(known):
            assert np.isnan([mean[index], low[index], high[index]]).all()
            continue
        assert (low[index], high[index]) == (known.min(), known.max())
        if low[index] == -np.inf and high[index] == np.inf:
            assert np.isnan(mean[index])
            continue
        assert low[index] <= mean[index] <= high[index]
        # Values of both signs may nearly cancel.
        finite = np.abs(known[np.isfinite(known)])
        rounding = 1e-12 * (finite.max() if len(finite) else 1.0)
        assert mean[index] == pytest.approx(known.mean(), rel=1e-12, abs=rounding)


@given(
    count=st.integers(1, 20_000),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    points=st.sampled_from([1, 2, 3, 10, 77, 500]),
)
def test_any_range_at_any_resolution_keeps_every_extreme(count, ends, points):
    values = some_values(count)
    first, last = sorted(1 + int(end * (count * N + N - 2)) for end in ends)
    with connection() as memory:
        write(memory, values)
        reduced = MetricHistory(memory, "run").reduce(["norm"], first, last, points)
    check_reduction(reduced, values, first, last, points)


@given(parts=st.lists(st.integers(1, 5_000), min_size=1, max_size=8), data=st.data())
@settings(max_examples=25, deadline=None)
def test_values_are_stored_whatever_the_parts_and_cut_where_the_run_goes_back(parts, data):
    values = some_values(sum(parts))
    with connection() as memory:
        first = 1
        writer = MetricWriter(memory, "run", "norm")
        for length in parts:
            # What was sent before comes again.
            again = min(first - 1, 7)
            writer.append(first - again, values[first - 1 - again : first - 1 + length])
            first += length
            if data.draw(st.booleans()):
                writer.write()
                writer = MetricWriter(memory, "run", "norm")
        writer.write()
        history = MetricHistory(memory, "run")
        assert np.array_equal(history.values("norm", 1, len(values)), values, equal_nan=True)
        update = data.draw(st.integers(0, len(values) * N))
        truncate(memory, "run", update)
        kept = update // N
        found = history.values("norm", 1, len(values))
        assert np.array_equal(found[:kept], values[:kept], equal_nan=True)
        assert np.isnan(found[kept:]).all()
        others = -some_values(len(values) - kept, seed=1)
        write(memory, others, first=kept + 1)
        joined = np.concatenate([values[:kept], others])
        assert np.array_equal(history.values("norm", 1, len(values)), joined, equal_nan=True)
        reduced = history.reduce(["norm"], 1, len(values) * N, 20)
    check_reduction(reduced, joined, 1, len(values) * N, 20)


@pytest.mark.parametrize("start", [2, 70, 5_000, 13_000])
def test_a_metric_that_was_added_later_has_no_values_before(start):
    values, older = some_values(14_000), some_values(100, seed=2)
    with connection() as memory:
        write(memory, values[start - 1 :], first=start)
        # After another gap, too.
        write(memory, older, metric="other")
        write(memory, values[start - 1 :], first=start + 200, metric="other")
        values[: start - 1] = np.nan
        history = MetricHistory(memory, "run")
        for points in (3, 500):
            reduced = history.reduce(["norm"], 1, 14_000 * N, points)
            check_reduction(reduced, values, 1, 14_000 * N, points)
        other = history.values("other", 1, start + 199)
        assert np.array_equal(other[:100], older, equal_nan=True)
        assert np.isnan(other[100:]).all()
        assert history.names == ["norm", "other"]
        assert MetricHistory(memory, "another").names == []


def test_equal_values_have_exactly_this_mean():
    reduced = reduce_values(np.full(1_000, 0.1), np.array([0, 333]))
    assert (reduced.mean.tolist(), reduced.low.tolist()) == ([0.1, 0.1], [0.1, 0.1])
