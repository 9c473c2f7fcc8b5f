"""Of many samples, few that tell the whole."""

import itertools
import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.sample_selection import measured
from server.store.sample_selection import thinned as thinned_in
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


def thinned(updates, limit, *, hurrahs, replayed, first=0, last=2**62):
    connection = database(updates, hurrahs, replayed)
    try:
        return thinned_in(connection, "a", first, last, limit)
    finally:
        connection.close()


def by_list(updates, limit, *, hurrahs, replayed):
    """The rule, applied to a list of all that there are: evenly by their numbers in it."""
    if len(updates) <= limit:
        return list(updates)
    newest = max(1, limit // 4)
    chosen, older = set(updates[-newest:]), updates[:-newest]
    for wanted in (
        [update for update in older if update in hurrahs],
        older[:1],
        [update for update in older if update in replayed],
        older,
    ):
        left = [update for update in wanted if update not in chosen]
        if (room := limit - len(chosen)) > 0:
            chosen.update(left[:: max(1, -(-len(left) // room))])
    return sorted(chosen)


@given(updates=ranges, limit=st.integers(1, 60), data=st.data())
def test_never_too_many_and_the_newest_always(updates, limit, data):
    some = st.sets(st.sampled_from(updates)) if updates else st.just(set())
    hurrahs, replayed = data.draw(some), data.draw(some)
    chosen = thinned(updates, limit, hurrahs=hurrahs, replayed=replayed)
    assert len(chosen) == min(len(updates), limit) or len(chosen) > limit // 2
    assert len(chosen) <= limit
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(updates)
    assert chosen[-1:] == updates[-1:]


def test_hurrahs_stay_and_replays_before_others():
    hurrahs = {13, 377}
    replayed = set(range(0, 1_000, 2))
    chosen = thinned(range(1_000), 100, hurrahs=hurrahs, replayed=replayed)
    assert hurrahs <= set(chosen)
    assert chosen[0] == 0
    assert chosen[-25:] == list(range(975, 1_000))
    older = [update for update in chosen if update < 975 and update in replayed]
    assert len(older) >= 70
    assert {later - earlier for earlier, later in itertools.pairwise(older[1:])} == {14}


@given(count=st.integers(0, 300), limit=st.integers(1, 60), data=st.data())
def test_of_every_update_the_database_chooses_as_a_list_of_all_would(count, limit, data):
    some = st.sets(st.sampled_from(range(count))) if count else st.just(set())
    marks = {"hurrahs": data.draw(some)} | {"replayed": set()}
    chosen = thinned(range(count), limit, **marks)
    of_list = by_list(range(count), limit, **marks)
    # Hurrahs that are too many are thinned by where they are, and what there is room for follows.
    if len(marks["hurrahs"]) < limit - limit // 4:
        assert chosen == of_list


@given(updates=ranges, limit=st.integers(1, 60), data=st.data())
def test_the_same_matters_as_in_a_list_of_all(updates, limit, data):
    some = st.sets(st.sampled_from(updates)) if updates else st.just(set())
    hurrahs, replayed = data.draw(some), data.draw(some)
    chosen = thinned(updates, limit, hurrahs=hurrahs, replayed=replayed)
    of_list = by_list(updates, limit, hurrahs=hurrahs, replayed=replayed)
    newest = max(1, limit // 4)
    assert chosen[-newest:] == of_list[-newest:]
    for these in (hurrahs, hurrahs | replayed | set(updates[:1])):
        if len(set(of_list) & these) == len(these):
            assert these <= set(chosen)


def test_a_range_is_kept_to_and_so_is_the_run():
    connection = database(range(0, 1_000, 5), hurrahs={100, 600})
    add(connection, range(1_000), hurrahs=set(range(1_000)), run="another")
    chosen = thinned_in(connection, "a", 200, 700, 20)
    assert len(chosen) > 10
    assert all(update % 5 == 0 for update in chosen)
    assert (chosen[0], chosen[-1]) == (200, 700)
    assert 600 in chosen
    assert thinned_in(connection, "a", 201, 204, 20) == []
    assert thinned_in(connection, "a", 201, 219, 20) == [205, 210, 215]


@pytest.mark.parametrize("dense_from", [0, 9_990_000])
def test_where_samples_lie_close_in_one_place_there_are_many_nevertheless(dense_from):
    dense = range(dense_from, dense_from + 10_000)
    updates = sorted({*dense, *range(0, 10_000_001, 1_000_000)})
    chosen = thinned(updates, 1_000, hurrahs={dense[5_000]}, replayed=set())
    assert 500 < len(chosen) <= 1_000
    assert {0, dense[5_000], 1_000_000, 5_000_000} <= set(chosen)


def test_what_is_read_does_not_grow_with_the_samples():
    """Counted in SQLite's own steps, some ten of which are needed for each probe."""

    def steps(count, limit):
        connection = database(
            range(count), hurrahs=set(range(0, count, 997)), replayed=set(range(0, count, 9))
        )
        taken = itertools.count()
        connection.set_progress_handler(lambda: next(taken) and None, 10)
        assert len(thinned_in(connection, "a", 0, 2**62, limit)) > limit // 2
        connection.close()
        return 10 * next(taken)

    few, many = steps(2_000, 100), steps(100_000, 100)
    assert many < 1.5 * few
    assert many < 20_000


@given(updates=ranges, limit=st.integers(1, 60))
def test_of_validation_losses_the_last_is_there_and_others_evenly(updates, limit):
    connection = database(updates)
    rows = [("a", update + 20_000, '{"validation_loss": 1.5}') for update in updates]
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
    chosen = measured(connection, "a", 0, 40_000, limit)
    connection.close()
    assert set(chosen) <= {row[1] for row in rows}
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(len(updates), limit) or limit // 2 <= len(chosen) <= limit
    assert chosen[-1:] == [update + 20_000 for update in updates[-1:]]


def test_every_probe_goes_by_an_index():
    connection = database(range(2_000), hurrahs={7}, replayed=set(range(0, 2_000, 3)))
    asked = []
    connection.set_trace_callback(asked.append)
    thinned_in(connection, "a", 0, 2**62, 100)
    measured(connection, "a", 0, 2**62, 100)
    connection.set_trace_callback(None)
    plans = {row[3] for query in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")}
    read = {plan for plan in plans if "samples" in plan}
    assert read
    assert all(
        plan.startswith("SEARCH samples USING") and "(run=? AND update_>? AND update_<?)" in plan
        for plan in read
    )
    assert not any("TEMP B-TREE" in plan for plan in plans)
