"""The selection of samples to show."""

import itertools
import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.sample_selection import select_samples, select_validated
from server.store.schema import SCHEMA

ranges = st.lists(st.integers(0, 10_000), unique=True, max_size=300).map(sorted)


def database(updates, hurrahs=(), replayed=(), run="a"):
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    add(connection, updates, hurrahs, replayed, run)
    return connection


def add(connection, updates, hurrahs=(), replayed=(), run="a"):
    rows = ((run, update, text(update in hurrahs, replay=update in replayed)) for update in updates)
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)


def text(hurrah, *, replay):
    return json.dumps({"hurrahs": ["Orla"] * hurrah, "replay": {"text": ""} if replay else None})


def select(updates, limit, *, hurrahs, replayed, first=0, last=2**62):
    connection = database(updates, hurrahs, replayed)
    try:
        return select_samples(connection, "a", first, last, limit)
    finally:
        connection.close()


def select_from_list(updates, limit, *, hurrahs, replayed):
    """Apply the rule to a list of all samples: evenly spaced by position in the list."""
    if len(updates) <= limit:
        return list(updates)
    newest = max(1, limit // 4)
    selected, older = set(updates[-newest:]), updates[:-newest]
    for wanted in (
        [update for update in older if update in hurrahs],
        older[:1],
        [update for update in older if update in replayed],
        older,
    ):
        left = [update for update in wanted if update not in selected]
        if (remaining := limit - len(selected)) > 0:
            selected.update(left[:: max(1, -(-len(left) // remaining))])
    return sorted(selected)


@given(updates=ranges, limit=st.integers(1, 60), data=st.data())
def test_the_limit_is_respected_and_the_newest_is_selected(updates, limit, data):
    some = st.sets(st.sampled_from(updates)) if updates else st.just(set())
    hurrahs, replayed = data.draw(some), data.draw(some)
    selected = select(updates, limit, hurrahs=hurrahs, replayed=replayed)
    assert len(selected) == min(len(updates), limit) or len(selected) > limit // 2
    assert len(selected) <= limit
    assert selected == sorted(set(selected))
    assert set(selected) <= set(updates)
    assert selected[-1:] == updates[-1:]


def test_hurrahs_are_selected_first_and_then_replays():
    hurrahs = {13, 377}
    replayed = set(range(0, 1_000, 2))
    selected = select(range(1_000), 100, hurrahs=hurrahs, replayed=replayed)
    assert hurrahs <= set(selected)
    assert selected[0] == 0
    assert selected[-25:] == list(range(975, 1_000))
    older = [update for update in selected if update < 975 and update in replayed]
    assert len(older) >= 70
    assert {later - earlier for earlier, later in itertools.pairwise(older[1:])} == {14}


@given(count=st.integers(0, 300), limit=st.integers(1, 60), data=st.data())
def test_dense_samples_are_selected_as_from_a_list(count, limit, data):
    some = st.sets(st.sampled_from(range(count))) if count else st.just(set())
    kinds = {"hurrahs": data.draw(some)} | {"replayed": set()}
    selected = select(range(count), limit, **kinds)
    expected = select_from_list(range(count), limit, **kinds)
    # With too many hurrahs, their spacing is measured in updates, and the rest differs.
    if len(kinds["hurrahs"]) < limit - limit // 4:
        assert selected == expected


@given(updates=ranges, limit=st.integers(1, 60), data=st.data())
def test_important_samples_are_selected_as_from_a_list(updates, limit, data):
    some = st.sets(st.sampled_from(updates)) if updates else st.just(set())
    hurrahs, replayed = data.draw(some), data.draw(some)
    selected = select(updates, limit, hurrahs=hurrahs, replayed=replayed)
    expected = select_from_list(updates, limit, hurrahs=hurrahs, replayed=replayed)
    newest = max(1, limit // 4)
    assert selected[-newest:] == expected[-newest:]
    for these in (hurrahs, hurrahs | replayed | set(updates[:1])):
        if len(set(expected) & these) == len(these):
            assert these <= set(selected)


def test_only_samples_of_the_range_and_of_the_run_are_selected():
    connection = database(range(0, 1_000, 5), hurrahs={100, 600})
    add(connection, range(1_000), hurrahs=set(range(1_000)), run="another")
    selected = select_samples(connection, "a", 200, 700, 20)
    assert len(selected) > 10
    assert all(update % 5 == 0 for update in selected)
    assert (selected[0], selected[-1]) == (200, 700)
    assert 600 in selected
    assert select_samples(connection, "a", 201, 204, 20) == []
    assert select_samples(connection, "a", 201, 219, 20) == [205, 210, 215]


@pytest.mark.parametrize("dense_from", [0, 9_990_000])
def test_most_of_the_limit_is_used_where_samples_are_unevenly_spaced(dense_from):
    dense = range(dense_from, dense_from + 10_000)
    updates = sorted({*dense, *range(0, 10_000_001, 1_000_000)})
    selected = select(updates, 1_000, hurrahs={dense[5_000]}, replayed=set())
    assert 500 < len(selected) <= 1_000
    assert {0, dense[5_000], 1_000_000, 5_000_000} <= set(selected)


def test_the_cost_does_not_grow_with_the_number_of_samples():
    """In steps of SQLite's virtual machine; a point query takes about ten."""

    def steps(count, limit):
        connection = database(
            range(count), hurrahs=set(range(0, count, 997)), replayed=set(range(0, count, 9))
        )
        taken = itertools.count()
        connection.set_progress_handler(lambda: next(taken) and None, 10)
        assert len(select_samples(connection, "a", 0, 2**62, limit)) > limit // 2
        connection.close()
        return 10 * next(taken)

    few, many = steps(2_000, 100), steps(100_000, 100)
    assert many < 1.5 * few
    assert many < 20_000


@given(updates=ranges, limit=st.integers(1, 60))
def test_the_last_validation_loss_and_others_are_selected(updates, limit):
    connection = database(updates)
    rows = [("a", update + 20_000, '{"validation_loss": 1.5}') for update in updates]
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
    selected = select_validated(connection, "a", 0, 40_000, limit)
    connection.close()
    assert set(selected) <= {row[1] for row in rows}
    assert selected == sorted(set(selected))
    assert len(selected) == min(len(updates), limit) or limit // 2 <= len(selected) <= limit
    assert selected[-1:] == [update + 20_000 for update in updates[-1:]]


def test_every_query_uses_an_index():
    connection = database(range(2_000), hurrahs={7}, replayed=set(range(0, 2_000, 3)))
    executed = []
    connection.set_trace_callback(executed.append)
    select_samples(connection, "a", 0, 2**62, 100)
    select_validated(connection, "a", 0, 2**62, 100)
    connection.set_trace_callback(None)
    plans = {
        row[3] for query in executed for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")
    }
    read = {plan for plan in plans if "samples" in plan}
    assert read
    assert all(
        plan.startswith("SEARCH samples USING") and "(run=? AND update_>? AND update_<?)" in plan
        for plan in read
    )
    assert not any("TEMP B-TREE" in plan for plan in plans)
