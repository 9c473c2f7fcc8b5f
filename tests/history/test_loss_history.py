"""The history of losses: stored completely, and reduced with every extreme."""

import contextlib
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.history import loss_history, summaries
from server.history.loss_history import History, HistoryWriter
from server.history.summaries import smooth_losses
from server.rnn.training.trainer import Trainer, TrainerSettings

FACTOR = 0.97


@contextlib.contextmanager
def connection():
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(loss_history.SCHEMA)
        yield memory


def written(losses, connection, factor=FACTOR):
    writer = HistoryWriter(connection, "run", factor)
    writer.append(1, losses)
    writer.write()
    return History(connection, "run", factor)


def some_losses(count, seed=0):
    return np.random.default_rng(seed).gamma(20.0, 3.0, count)


def check_reduction(reduced, losses, first, last, points):
    """Compare a reduction with the losses."""
    smooth = list(smooth_losses(losses.tolist(), None, FACTOR))
    assert (reduced.first, reduced.last) == (first, last)
    assert 1 <= len(reduced.update) <= points
    starts = list(range(first, last + 1, reduced.bucket))
    assert len(starts) == len(reduced.update)
    for index, start in enumerate(starts):
        end = min(start + reduced.bucket - 1, last)
        inside = losses[start - 1 : end]
        assert reduced.update[index] == end
        assert reduced.low[index] == inside.min()
        assert reduced.high[index] == inside.max()
        assert reduced.smooth[index] == smooth[end - 1]


@given(
    count=st.integers(1, 20_000),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    points=st.sampled_from([1, 2, 3, 10, 77, 1_500]),
)
def test_any_range_at_any_resolution_keeps_every_extreme(count, ends, points):
    losses = some_losses(count)
    first, last = sorted(1 + int(end * (count - 1)) for end in ends)
    with connection() as memory:
        reduced = written(losses, memory).reduce(first, last, points)
    check_reduction(reduced, losses, first, last, points)


@pytest.mark.parametrize("first", [1, 2, 64, 65, 4_096, 4_097, 123_457])
@pytest.mark.parametrize("points", [1, 40, 1_500])
def test_long_histories_keep_every_extreme_too(first, points):
    losses = some_losses(400_001)
    with connection() as memory:
        reduced = written(losses, memory).reduce(first, 400_000, points)
    check_reduction(reduced, losses, first, 400_000, points)


@given(
    first=st.integers(1, 200),
    length=st.integers(600, 60_000),
    points=st.integers(1, 200),
    data=st.data(),
)
def test_extremes_at_the_edges_of_buckets_are_kept(first, length, points, data):
    losses = some_losses(first + length)
    # A reduction by blocks could be wrong next to an edge.
    for _ in range(data.draw(st.integers(0, 30))):
        losses[data.draw(st.integers(0, len(losses) - 1))] = data.draw(st.sampled_from([-1e3, 1e3]))
    with connection() as memory:
        reduced = written(losses, memory).reduce(first, first + length - 1, points)
    check_reduction(reduced, losses, first, first + length - 1, points)


@pytest.mark.parametrize(
    ("first", "points", "most"), [(1, 10, 0), (1, 300, 0), (70, 10, 11), (70, 1, 2), (9_000, 3, 4)]
)
def test_losses_are_read_only_where_an_edge_divides_a_block(first, points, most):
    losses, last = some_losses(102_400), 102_400
    with connection() as memory:
        reader = written(losses, memory)
        ends = reader.reduce(first, last, points).update - 1
        aligned = (first - 1) % summaries.BLOCK_UPDATES == 0
        read = set() if aligned else {at // summaries.CHUNK_UPDATES for at in [first - 1, *ends]}
        assert len(read) <= most
        # The reduction is the same without the losses of all other chunks.
        named = ",".join(map(str, read))
        memory.execute(f"UPDATE losses SET losses = x'' WHERE chunk NOT IN ({named})")
        again = reader.reduce(first, last, points)
    check_reduction(again, losses, first, last, points)


@given(parts=st.lists(st.integers(1, 5_000), min_size=1, max_size=12), data=st.data())
def test_the_history_does_not_depend_on_how_losses_are_divided_into_reports(parts, data):
    losses = some_losses(sum(parts))
    with connection() as memory:
        writer = HistoryWriter(memory, "run", FACTOR)
        done = 0
        for part in parts:
            writer.append(done + 1, losses[done : done + part])
            done += part
            assert writer.last == done
            if data.draw(st.booleans()):
                writer.write()
                if data.draw(st.booleans()):
                    writer = HistoryWriter(memory, "run", FACTOR)
        writer.write()
        whole = np.concatenate([chunk for _, _, chunk in History(memory, "run", FACTOR).chunks()])
        assert whole.tobytes() == losses.tobytes()
        check_reduction(History(memory, "run", FACTOR).reduce(1, done, 50), losses, 1, done, 50)


def test_known_losses_are_skipped_and_a_gap_is_refused():
    losses = some_losses(100)
    with connection() as memory:
        writer = HistoryWriter(memory, "run", FACTOR)
        writer.append(1, losses[:60])
        writer.append(31, losses[30:])
        assert writer.last == 100
        with pytest.raises(ValueError, match="history ends at 100"):
            writer.append(102, losses)


@given(count=st.integers(1, 10_000), keep=st.floats(0, 1))
def test_truncating_deletes_only_the_end(count, keep):
    losses = some_losses(count)
    with connection() as memory:
        kept = int(keep * count)
        reader = written(losses, memory)
        reader.truncate(kept)
        assert reader.last == kept
        if kept:
            check_reduction(reader.reduce(1, count, 20), losses, 1, kept, 20)
        more = HistoryWriter(memory, "run", FACTOR)
        more.append(kept + 1, losses[kept:])
        more.write()
        check_reduction(reader.reduce(1, count, 20), losses, 1, count, 20)


def test_an_empty_history_or_range_gives_an_empty_curve():
    with connection() as memory:
        assert len(History(memory, "run", FACTOR).reduce(1, 100, 10).update) == 0
        assert len(written(some_losses(10), memory).reduce(11, 20, 10).update) == 0


@pytest.mark.parametrize("loss_smoothing", [None, 0.0, 0.9, 0.987])
def test_the_smooth_loss_equals_the_trainers_to_the_last_bit(loss_smoothing):
    text = np.random.default_rng(1).integers(0, 7, 500)
    settings = TrainerSettings(hidden_size=5, sequence_length=4, loss_smoothing=loss_smoothing)
    trainer = Trainer(text, 7, settings)
    losses, smooth = [], []
    for _ in range(300):
        losses.append(trainer.update())
        smooth.append(trainer.smooth_loss)
    with connection() as memory:
        reduced = written(np.array(losses), memory, settings.smoothing).reduce(1, 300, 1_500)
    assert reduced.smooth.tolist() == smooth


def test_losses_that_are_not_finite_are_stored_unchanged():
    losses = np.array([3.0, np.inf, np.nan])
    with connection() as memory:
        reduced = written(losses, memory).reduce(1, 3, 10)
    assert np.array_equal(reduced.high, losses, equal_nan=True)
