import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.training.batches import BatchIterator, BatchLayout, TextTooShortError


@given(n=st.integers(1, 300), B=st.integers(1, 12), T=st.integers(1, 40), steps=st.integers(1, 60))
def test_streams_are_equal_contiguous_parts_of_the_text(n, B, T, steps):
    text = np.arange(n)
    if n < B * (T + 1):
        with pytest.raises(TextTooShortError) as caught:
            BatchIterator(text, B, T)
        assert caught.value.needed == B * (T + 1)
        BatchIterator(np.arange(caught.value.needed), B, T)
        return
    batches = BatchIterator(text, B, T)
    length = n // B
    assert batches.stream_length == length
    assert batches.sequences == (length - 1) // T >= 1
    read = []
    for made in range(steps):
        x, y = batches.peek()
        assert x.shape == y.shape == (T, B)
        assert np.array_equal(y, x + 1)
        expected = (made % batches.sequences) * T + np.arange(T)[:, None] + length * np.arange(B)
        assert np.array_equal(x, expected)
        assert batches.position == expected[0, 0] == batches.next_index
        assert x.flags.c_contiguous
        read.extend(x.ravel())
        starts_epoch = batches.advance()
        assert starts_epoch == (batches.position == 0) == ((made + 1) % batches.sequences == 0)
        if starts_epoch:
            break
    assert len(set(read)) == len(read)


@given(n=st.integers(2, 300), B=st.integers(1, 30), T=st.integers(1, 100))
def test_the_suggested_value_is_the_largest_that_works(n, B, T):
    if n >= B * (T + 1):
        return
    with pytest.raises(TextTooShortError) as caught:
        BatchIterator(np.arange(n), B, T)
    found = re.search(
        r"a (batch_size|sequence_length) of at most ([\d,]+) is possible", str(caught.value)
    )
    if found is None:
        assert n < 2 * B
        return
    value = int(found[2].replace(",", ""))
    assert value >= 1
    if found[1] == "batch_size":
        BatchIterator(np.arange(n), value, T)
        with pytest.raises(TextTooShortError):
            BatchIterator(np.arange(n), value + 1, T)
    else:
        BatchIterator(np.arange(n), B, value)
        with pytest.raises(TextTooShortError):
            BatchIterator(np.arange(n), B, value + 1)


@given(n=st.integers(2, 300), B=st.integers(1, 12), T=st.integers(1, 40), steps=st.integers(1, 60))
def test_the_layout_locates_each_batch(n, B, T, steps):
    if n < B * (T + 1):
        return
    batches, layout = BatchIterator(np.arange(n), B, T), BatchLayout(n, B, T)
    assert (layout.stream_length, layout.sequences) == (batches.stream_length, batches.sequences)
    epoch = 1
    for update in range(1, steps + 1):
        assert layout.locate(update) == (epoch, batches.position)
        x, _ = batches.peek()
        assert layout.text_positions(batches.position) == x[0].tolist()
        epoch += batches.advance()


@given(n=st.integers(9, 150), B=st.integers(1, 4), T=st.integers(1, 9), epochs=st.integers(1, 3))
def test_a_shuffled_epoch_reads_each_sequence_once(n, B, T, epochs):
    if n < B * (T + 1):
        return
    text, layout = np.arange(n), BatchLayout(n, B, T, "shuffled")
    batches, resumed = (BatchIterator(text, B, T, "shuffled") for _ in range(2))
    update, orders = 0, []
    for epoch in range(1, epochs + 1):
        batches.begin_epoch(epoch)
        positions, ended, previous = [], False, None
        while not ended:
            update += 1
            x, y = batches.peek()
            assert np.array_equal(y, x + 1)
            assert x[0].tolist() == layout.text_positions(batches.position)
            assert layout.locate(update) == (epoch, batches.position)
            assert layout.find_update(epoch, batches.position + T - 1) == update
            follows = previous is not None and batches.position == previous + T
            assert layout.starts_from_zero(update) == (not follows)
            assert batches.jumped == (previous is not None and not follows)
            resumed.seek(epoch, batches.position)
            assert np.array_equal(resumed.peek()[0], x)
            previous = batches.position
            positions.append(previous)
            ended = batches.advance()
        assert sorted(positions) == [T * k for k in range(batches.sequences)]
        orders.append(positions)
    if batches.sequences > 20:
        assert len(set(map(tuple, orders))) == epochs


def test_the_order_of_an_epoch_never_changes():
    # It must not: the positions of a stored history are computed from it.
    order = BatchLayout(11, 1, 1, "shuffled").sequence_order
    assert order(1).tolist() == np.random.RandomState(1).permutation(10).tolist()
    assert order(1).tolist() == [2, 9, 6, 4, 0, 3, 1, 7, 8, 5]
    assert order(2**32 + 1).tolist() == order(1).tolist() != order(2).tolist()
