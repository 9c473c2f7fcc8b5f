"""The threads that compute the parts of a task."""

import threading

import numpy as np
import pytest

from server.rnn.thread_team import ThreadTeam, divide


def test_the_parts_are_computed_at_the_same_time_and_returned_in_order():
    together = threading.Barrier(3, timeout=30)

    def square(number):
        together.wait()
        return number**2

    team = ThreadTeam(3)
    for _ in range(3):
        assert team.run(square, [3, 1, 2]) == [9, 1, 4]


def test_an_error_is_raised_when_no_part_is_computed_any_more():
    failed, ended = threading.Event(), []

    def compute(part):
        if part == "fails":
            failed.set()
            raise ValueError("no such part")
        assert failed.wait(30)
        ended.append(part)

    team = ThreadTeam(2)
    for parts in (["fails", "works"], ["works", "fails"]):
        failed.clear()
        with pytest.raises(ValueError, match="no such part"):
            team.run(compute, parts)
        assert ended.pop() == "works"


def test_the_parts_have_the_callers_treatment_of_numbers_that_are_not_finite():
    def divide_by_zero(part):
        return np.float32(part) / np.float32(0.0)

    team = ThreadTeam(2)
    with np.errstate(all="ignore"):
        assert team.run(divide_by_zero, [1, 2]) == [np.inf, np.inf]
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        team.run(divide_by_zero, [1, 2])


@pytest.mark.parametrize(
    ("size", "parts", "lengths"), [(4, 2, [2, 2]), (5, 3, [2, 2, 1]), (2, 3, [1, 1, 0])]
)
def test_a_range_is_divided_into_parts_of_about_the_same_length(size, parts, lengths):
    pieces = [range(size)[piece] for piece in divide(size, parts)]
    assert [len(piece) for piece in pieces] == lengths
    assert [index for piece in pieces for index in piece] == list(range(size))
