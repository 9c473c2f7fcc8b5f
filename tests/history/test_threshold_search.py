"""The first update with a smooth loss below a threshold."""

import numpy as np
import pytest

from server.history import threshold_search
from server.history.run_history import Records
from server.history.summaries import CHUNK_UPDATES, smooth_losses
from server.spec.schemas import Checkpoint
from server.store import queries
from server.store.database import Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "hurrah.db")
    yield opened
    opened.close()


def add(store, losses, run="run"):
    store.add_report(run, "{}", Records(1, losses), [])


def falling(count, seed=0):
    """Return losses that fall and then stay constant, with noise: minima lie inside blocks."""
    noise = np.random.default_rng(seed).gamma(9.0, 3.0, count)
    return noise + 80.0 * np.exp(-np.arange(count) / 3_000)


def search(store, smooth_loss, run="run"):
    """Call until the search is complete; return its result and the number of calls."""
    for calls in range(1, 1_000):
        found = queries.first_below(store, run, smooth_loss)
        if found.done:
            return found.update, calls
    raise AssertionError("the search does not end")


def linear_search(losses, smooth_loss, factor=0.999):
    curve = smooth_losses(losses.tolist(), None, factor)
    return next((update for update, smooth in enumerate(curve, 1) if smooth < smooth_loss), None)


def thresholds(losses, factor=0.999):
    """Return thresholds reached early, late, only inside a block, by the last update, or never."""
    curve = np.fromiter(smooth_losses(losses.tolist(), None, factor), np.float64)
    least = np.minimum.accumulate(curve)
    between = np.quantile(least, [0.9, 0.5, 0.1, 0.02]) + 1e-9
    return [curve[0] + 1, *between, least[-1] + 1e-9, least[-1]]


@pytest.mark.parametrize("count", [1, 64, 4_095, 4_096, 4_097, 30_000])
def test_the_exact_update_is_found(store, count):
    losses = falling(count)
    add(store, losses)
    for threshold in thresholds(losses):
        assert search(store, threshold)[0] == linear_search(losses, threshold)


def test_the_runs_own_smoothing_is_searched(store):
    losses = falling(9_000)
    store.add_run("run", '{"spec":{"loss_smoothing":null,"sequence_length":50,"batch_size":30}}')
    add(store, losses)
    for threshold in thresholds(losses, 0.94):
        assert search(store, threshold)[0] == linear_search(losses, threshold, 0.94)


def test_new_losses_are_searched_too(store):
    losses = falling(20_000)
    add(store, losses[:9_000])
    late = thresholds(losses)[4]
    assert linear_search(losses, late) > 9_000
    assert search(store, late)[0] is None
    store.add_report("run", "{}", Records(9_001, losses[9_000:]), [])
    assert search(store, late)[0] == linear_search(losses, late)


def test_the_lowest_smooth_loss_up_to_an_update(store):
    losses = falling(9_000)
    losses[5_000:] += 10.0
    add(store, losses)
    least = np.minimum.accumulate(np.fromiter(smooth_losses(losses.tolist(), None, 0.999), float))
    while queries.precompute_lowest(store, "run"):
        pass
    for update in (1, 64, 4_095, 4_096, 4_097, 5_000, 8_192, 8_193, 9_000):
        assert queries.lowest_smooth(store, "run", update) == pytest.approx(least[update - 1])
    assert queries.lowest_smooth(store, "run", 9_001) is None


def test_a_search_after_a_rewind_ignores_the_deleted_losses(store):
    losses, others = falling(20_000), falling(20_000, seed=1) + 5.0
    add(store, losses)
    threshold = thresholds(losses)[5]
    assert search(store, threshold)[0] == linear_search(losses, threshold)
    store.rewind("run", "{}", Records(20_001, np.empty(0)), [], update=6_000)
    assert search(store, threshold)[0] is None
    store.add_report("run", "{}", Records(6_001, others[6_000:]), [])
    whole = np.concatenate([losses[:6_000], others[6_000:]])
    for each in [*thresholds(losses), *thresholds(whole)]:
        assert search(store, each)[0] == linear_search(whole, each)


def test_a_fork_has_the_history_of_its_parent(store):
    losses = falling(20_000)
    add(store, losses)
    search(store, 0.5)
    made = Checkpoint(id="x", update=10_000, smooth_loss=None, note=None, bytes=1, created_at="now")
    store.add_fork("fork", "{}", parent="run", update=10_000, checkpoint=made)
    for threshold in thresholds(losses):
        first = linear_search(losses[:10_000], threshold)
        assert search(store, threshold, "fork")[0] == first
    store.delete_run("fork")
    assert search(store, 1_000.0, "fork")[0] is None


def test_a_long_history_is_read_once_and_later_searches_read_one_chunk(store):
    chunks = threshold_search.CHUNKS_AT_ONCE * 2 + 1
    losses = falling(chunks * CHUNK_UPDATES + 5)
    add(store, losses)
    assert search(store, 0.5) == (None, 4)
    threshold = thresholds(losses)[4]
    assert search(store, threshold) == (linear_search(losses, threshold), 1)
    assert search(store, 0.5) == (None, 1)
