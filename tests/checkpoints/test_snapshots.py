"""Snapshots are bounded in number and evenly spaced."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.checkpoints.npz import write_archive
from server.checkpoints.snapshots import Snapshots, spacing
from server.spec.sample_schedule import next_sample


def run(directory, every, last):
    """Take snapshots as a worker does."""
    snapshots = Snapshots(directory)
    update = 0
    while update <= last:
        if snapshots.is_due(update, every):
            snapshots.path(update).touch()
            snapshots.thin(update, every)
        update = next_sample(update, every)
    return snapshots


@given(every=st.sampled_from([1, 7, 100, 10_000]), samples=st.integers(0, 1_500))
@settings(max_examples=12, deadline=None)
def test_snapshots_are_few_and_evenly_spaced(tmp_path_factory, every, samples):
    last = every * samples
    snapshots = run(tmp_path_factory.mktemp("snapshots"), every, last)
    kept = snapshots.updates()
    assert len(kept) <= 200
    regular = [update for update in kept if update >= every]
    # They are thinned when the next one is due, which may be a sample or two later.
    even = spacing(kept[-1], every)
    assert regular == list(range(even, kept[-1] + 1, even))
    assert last - kept[-1] < 2 * even
    dense = [update for update in kept if update < every]
    assert dense[0] == 0
    # All of the first, dense ones remain.
    update = 0
    while (update := next_sample(update, every)) < min(every, last + 1):
        assert update in dense


@given(
    changes=st.lists(
        st.tuples(st.sampled_from([1, 30, 100, 700, 10_000]), st.integers(1, 250)),
        min_size=2,
        max_size=4,
    )
)
@settings(max_examples=12, deadline=None)
def test_spacing_after_a_change_of_the_sample_interval(tmp_path_factory, changes):
    snapshots = Snapshots(tmp_path_factory.mktemp("snapshots"))
    update, taken = 0, []
    for every, samples in changes:
        for _ in range(samples):
            if snapshots.is_due(update, every):
                snapshots.path(update).touch()
                snapshots.thin(update, every)
                taken.append(update)
            update = next_sample(update, every)
    kept = snapshots.updates()
    assert len(kept) <= 200
    assert kept[0] == 0
    assert set(kept) <= set(taken)
    # No deleted snapshot is farther from a remaining one than the widest gap between them.
    widest = max((after - before for before, after in pairwise(kept)), default=0)
    average = (kept[-1] - kept[0]) / max(len(kept) - 1, 1)
    natural = max((after - before for before, after in pairwise(taken)), default=0)
    assert widest <= max(2 * natural, 8 * average)


def test_nearest_and_rewind(tmp_path):
    snapshots = run(tmp_path, 10, 100)
    assert snapshots.nearest(43) == 40
    assert snapshots.nearest(45) == 40
    assert snapshots.nearest(10**9) == 100
    snapshots.rewind(55)
    assert snapshots.updates() == [0, 1, 2, 5, 10, 20, 30, 40, 50]
    assert Snapshots(tmp_path / "none").nearest(5) is None
    (tmp_path / ".half-written.npz").touch()
    assert snapshots.nearest(0) == 0
    snapshots.rewind(55)
    assert not (tmp_path / ".half-written.npz").exists()


def test_a_damaged_snapshot_is_replaced_by_the_nearest_valid_one(tmp_path):
    snapshots = Snapshots(tmp_path)
    for update in (0, 100, 200):
        write_archive(snapshots.path(update), {"a": np.arange(50.0)}, {}, durable=False)
    for update in (200, 300):
        snapshots.path(update).write_bytes(snapshots.path(0).read_bytes()[:-100])
    assert snapshots.nearest_valid(290) == 100
    assert snapshots.updates() == [0, 100]
    # A snapshot that cannot be read now is not deleted.
    snapshots.path(400).symlink_to(snapshots.path(400))
    with pytest.raises(OSError, match="symbolic links"):
        snapshots.nearest_valid(390)
    assert snapshots.updates() == [0, 100, 400]
