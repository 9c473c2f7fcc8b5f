"""The snapshots that a curve over the training is computed from."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.checkpoints.snapshots import dense_updates
from server.inspection.snapshots import spread_over_training


@given(
    st.lists(st.integers(0, 10**6), min_size=1, unique=True).map(sorted),
    st.integers(2, 60),
)
def test_the_last_is_always_chosen_and_never_too_many(updates, most):
    chosen = spread_over_training(updates, most)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(updates)
    assert chosen[-1] == updates[-1]
    assert len(chosen) == min(most, len(updates))


def test_the_first_ones_and_evenly_many_others_are_chosen():
    dense = list(dense_updates(2_000))
    chosen = spread_over_training([*dense, *range(4_000, 302_000, 2_000)])
    assert chosen[: len(dense)] == dense
    gaps = {after - before for before, after in pairwise(chosen)}
    assert max(gaps) <= 8_000
