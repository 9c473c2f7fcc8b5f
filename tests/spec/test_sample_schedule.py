"""The updates at which samples are written, and the epochs that become milestones."""

from hypothesis import given
from hypothesis import strategies as st

from server.spec.sample_schedule import epoch_is_marked, next_sample


def schedule(every, last):
    updates, update = [], 0
    while (update := next_sample(update, every)) <= last:
        updates.append(update)
    return updates


def test_early_samples_are_dense_and_later_ones_regular():
    assert schedule(10_000, 30_000) == [
        *(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
        *(10_000, 20_000, 30_000),
    ]
    assert schedule(300, 900) == [1, 2, 5, 10, 20, 50, 100, 200, 300, 600, 900]
    assert schedule(3, 9) == [1, 2, 3, 6, 9]
    assert schedule(1, 4) == [1, 2, 3, 4]


@given(every=st.integers(1, 10**6), update=st.integers(0, 10**9))
def test_the_next_sample_is_at_the_regular_distance_at_most(every, update):
    following = next_sample(update, every)
    assert update < following <= (update // every + 1) * every


def test_the_first_hundred_epochs_are_marked_and_then_fewer():
    marked = [epoch for epoch in range(1, 20_001) if epoch_is_marked(epoch)]
    assert marked == [
        *range(1, 100),
        *range(100, 1_000, 10),
        *range(1_000, 10_000, 100),
        *range(10_000, 20_001, 1_000),
    ]
