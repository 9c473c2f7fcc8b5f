"""When the smooth loss first fell below a figure."""

import numpy as np
import pytest

from server.history import threshold_search
from server.history.summaries import CHUNK_UPDATES, smooth_losses
from server.spec.schemas import Checkpoint
from server.store.database import Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "hurrah.db")
    yield opened
    opened.close()


def keep(store, losses, run="run"):
    store.add_report(run, "{}", 1, losses, [])


def falling(count, seed=0):
    """Losses that fall and then stay, with noise; the smooth loss dips within blocks."""
    noise = np.random.default_rng(seed).gamma(9.0, 3.0, count)
    return noise + 80.0 * np.exp(-np.arange(count) / 3_000)


def asked(store, smooth_loss, run="run"):
    """Ask until the search is over; return what it found, and in how many calls."""
    for calls in range(1, 1_000):
        search = store.first_below(run, smooth_loss)
        if search.done:
            return search.update, calls
    raise AssertionError("it never ends")


def by_hand(losses, smooth_loss):
    curve = smooth_losses(losses.tolist(), None)
    return next((update for update, smooth in enumerate(curve, 1) if smooth < smooth_loss), None)


def figures(losses):
    """Figures that are reached early, late, within a block only, by the very last, or never."""
    curve = np.fromiter(smooth_losses(losses.tolist(), None), np.float64)
    least = np.minimum.accumulate(curve)
    between = np.quantile(least, [0.9, 0.5, 0.1, 0.02]) + 1e-9
    return [curve[0] + 1, *between, least[-1] + 1e-9, least[-1]]


@pytest.mark.parametrize("count", [1, 64, 4_095, 4_096, 4_097, 30_000])
def test_it_is_the_very_update(store, count):
    losses = falling(count)
    keep(store, losses)
    for figure in figures(losses):
        assert asked(store, figure)[0] == by_hand(losses, figure)


def test_what_comes_later_is_found_later(store):
    losses = falling(20_000)
    keep(store, losses[:9_000])
    late = figures(losses)[4]
    assert by_hand(losses, late) > 9_000
    assert asked(store, late)[0] is None
    store.add_report("run", "{}", 9_001, losses[9_000:], [])
    assert asked(store, late)[0] == by_hand(losses, late)


def test_what_is_undone_is_forgotten(store):
    losses, others = falling(20_000), falling(20_000, seed=1) + 5.0
    keep(store, losses)
    figure = figures(losses)[5]
    assert asked(store, figure)[0] == by_hand(losses, figure)
    store.go_back("run", "{}", 20_001, np.empty(0), [], update=6_000)
    assert asked(store, figure)[0] is None
    store.add_report("run", "{}", 6_001, others[6_000:], [])
    whole = np.concatenate([losses[:6_000], others[6_000:]])
    for each in [*figures(losses), *figures(whole)]:
        assert asked(store, each)[0] == by_hand(whole, each)


def test_a_fork_has_its_trunks_past_and_its_own_future(store):
    losses = falling(20_000)
    keep(store, losses)
    asked(store, 0.5)
    made = Checkpoint(id="x", update=10_000, smooth_loss=None, note=None, bytes=1, created_at="now")
    store.add_fork("fork", "{}", parent="run", update=10_000, checkpoint=made)
    for figure in figures(losses):
        first = by_hand(losses[:10_000], figure)
        assert asked(store, figure, "fork")[0] == first
    store.delete_run("fork")
    assert asked(store, 1_000.0, "fork")[0] is None


def test_a_long_history_is_read_once_and_then_a_chunk_at_a_time(store):
    chunks = threshold_search.CHUNKS_AT_ONCE * 2 + 1
    losses = falling(chunks * CHUNK_UPDATES + 5)
    keep(store, losses)
    assert asked(store, 0.5) == (None, 4)
    figure = figures(losses)[4]
    assert asked(store, figure) == (by_hand(losses, figure), 1)
    assert asked(store, 0.5) == (None, 1)
