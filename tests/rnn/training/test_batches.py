import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.training.batches import BatchIterator, BatchLayout, TextTooShortError


@given(n=st.integers(1, 300), B=st.integers(1, 12), T=st.integers(1, 40), steps=st.integers(1, 60))
def test_streams_read_equal_contiguous_parts_side_by_side(n, B, T, steps):
    text = np.arange(n)
    if n < B * (T + 1):
        with pytest.raises(TextTooShortError) as caught:
            BatchIterator(text, B, T)
        assert caught.value.needed == B * (T + 1)
        BatchIterator(np.arange(caught.value.needed), B, T)
        return
    walk = BatchIterator(text, B, T)
    length = n // B
    assert walk.part_length == length
    assert walk.sequences == (length - 1) // T >= 1
    read = []
    for made in range(steps):
        x, y = walk.read()
        assert x.shape == y.shape == (T, B)
        assert np.array_equal(y, x + 1)
        expected = (made % walk.sequences) * T + np.arange(T)[:, None] + length * np.arange(B)
        assert np.array_equal(x, expected)
        assert walk.position == expected[0, 0] == walk.next_index
        assert x.flags.c_contiguous
        read.extend(x.ravel())
        began = walk.advance()
        assert began == (walk.position == 0) == ((made + 1) % walk.sequences == 0)
        if began:
            break
    assert len(set(read)) == len(read)


@given(n=st.integers(2, 300), B=st.integers(1, 30), T=st.integers(1, 100))
def test_the_figure_that_would_do_does(n, B, T):
    if n >= B * (T + 1):
        return
    with pytest.raises(TextTooShortError) as caught:
        BatchIterator(np.arange(n), B, T)
    found = re.search(
        r"a (batch_size|sequence_length) of at most ([\d,]+) would do", str(caught.value)
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
def test_the_route_is_where_the_walk_goes(n, B, T, steps):
    if n < B * (T + 1):
        return
    walk, route = BatchIterator(np.arange(n), B, T), BatchLayout(n, B, T)
    assert (route.part_length, route.sequences) == (walk.part_length, walk.sequences)
    epoch = 1
    for update in range(1, steps + 1):
        assert route.place(update) == (epoch, walk.position)
        x, _ = walk.read()
        assert route.starts(walk.position) == x[0].tolist()
        epoch += walk.advance()
