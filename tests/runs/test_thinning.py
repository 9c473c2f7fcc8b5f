"""Of many samples, few that tell the whole."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from server.runs.thinning import thinned

ranges = st.lists(st.integers(0, 10_000), unique=True, max_size=300).map(sorted)


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
