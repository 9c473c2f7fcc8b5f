"""The snapshots that a curve over the training is computed from."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.inspection.snapshots import spread_over_training

MOST = 40


@given(
    st.lists(st.integers(0, 10**15), min_size=1, unique=True).map(sorted),
    st.integers(2, 60),
)
def test_the_last_is_always_chosen_and_never_too_many(updates, most):
    chosen = spread_over_training(updates, most)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(updates)
    assert chosen[-1] == updates[-1]
    assert len(chosen) <= most


@pytest.mark.parametrize("last", [0, 9, 100, 1_400, 50_000, 10_000_000])
def test_they_are_spread_over_the_training_and_stay_the_same(last):
    every = max(1, last // 150)
    dense = [d * 10**k for k in range(4) for d in (1, 2, 5)]
    stored = sorted({0, *(u for u in dense if u < min(last, every)), *range(0, last + 1, every)})
    chosen = spread_over_training(stored, MOST)
    assert (chosen[0], chosen[-1]) == (0, stored[-1])
    assert len(chosen) >= min(len(stored), MOST // 2)
    assert all(after - before <= max(1, last / 10) for before, after in pairwise(chosen))
    # Another snapshot changes little.
    assert set(spread_over_training(stored[:-1], MOST)[:-1]) <= set(chosen)


def test_without_snapshots_there_are_none():
    assert spread_over_training([], MOST) == []
