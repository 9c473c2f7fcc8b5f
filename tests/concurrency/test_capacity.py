"""A limit that counts things being created, too."""

import pytest

from server.concurrency.capacity import CapacityLimit
from server.errors import LimitReachedError


@pytest.fixture
def existing():
    return []


@pytest.fixture
def limit(existing):
    return CapacityLimit(2, lambda: len(existing), "The limit is 2.")


def test_things_being_created_count_against_the_limit(limit, existing):
    with limit.reserve():
        existing.append("one")
    with limit.reserve():
        with pytest.raises(LimitReachedError, match="The limit is 2"), limit.reserve():
            raise AssertionError
        existing.append("two")
    with pytest.raises(LimitReachedError), limit.reserve():
        raise AssertionError
    existing.pop()
    with limit.reserve():
        pass


def test_a_failed_or_refused_creation_frees_its_place(limit):
    for _ in range(5):
        with pytest.raises(ValueError, match="no such luck"), limit.reserve():
            raise ValueError("no such luck")
    with limit.reserve(), limit.reserve():
        for _ in range(5):
            with pytest.raises(LimitReachedError), limit.reserve():
                raise AssertionError
    with limit.reserve(), limit.reserve():
        pass
