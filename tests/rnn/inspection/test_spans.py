import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from server.rnn.inspection import spans as spans_module
from server.rnn.inspection.spans import active_throughout, find_spans

matrices = st.tuples(st.integers(1, 25), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def all_spans(active, least):
    """By definition: the span of each character, in order, without those that overlap."""
    found = set()
    for t, row in enumerate(active):
        units = [unit for unit, is_active in enumerate(row) if is_active]
        if len(units) < least:
            continue
        start, end = t, t + 1
        while start > 0 and all(active[start - 1, unit] for unit in units):
            start -= 1
        while end < len(active) and all(active[end, unit] for unit in units):
            end += 1
        found.add((-len(units), start - end, start, end, tuple(units)))
    kept = []
    for _, _, start, end, units in sorted(found):
        if all(end <= other[0] or other[1] <= start for other in kept):
            kept.append((start, end, units))
    return kept


@given(matrices, st.integers(1, 4), st.integers(1, 6), st.integers(1, 7))
def test_spans_are_those_of_the_definition(active, least, limit, part):
    before, spans_module.PART = spans_module.PART, part
    try:
        found = find_spans(active, limit, least)
    finally:
        spans_module.PART = before
    expected = all_spans(active, least)[:limit]
    assert [(span.start, span.end, span.units) for span in found] == expected


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            arrays(np.float32, (n, 4), elements=st.sampled_from([-0.9, -0.3, 0.0, 0.3, 0.9])),
            st.integers(0, n - 1),
            st.integers(1, n),
        )
    ),
    st.sampled_from([0.0, 0.3, 0.5, 0.95]),
    st.booleans(),
)
def test_active_units_are_those_of_the_definition(stretch, threshold, edges):
    h, start, length = stretch
    end = min(start + length, len(h))
    signs = active_throughout(h, start, end, threshold, edges=edges)
    for unit, sign in enumerate(signs):
        expected = 0
        for candidate in (1, -1):
            on = [bool(candidate * value > np.float32(threshold)) for value in h[:, unit]]
            ends_there = not edges or not (
                (start > 0 and on[start - 1]) or (end < len(h) and on[end])
            )
            if all(on[start:end]) and ends_there:
                expected = candidate
        assert sign == expected


def test_most_units_come_first_then_the_longest():
    active = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 1], [0, 1]], dtype=bool)
    found = find_spans(active, limit=5)
    assert [(span.start, span.end, span.units) for span in found] == [
        (1, 2, (0, 1)),
        (3, 6, (1,)),
    ]
