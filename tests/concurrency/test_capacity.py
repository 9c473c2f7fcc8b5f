"""Places for what is being made."""

import pytest

from server.concurrency.capacity import CapacityLimit
from server.errors import LimitReachedError


@pytest.fixture
def there():
    return []


@pytest.fixture
def places(there):
    return CapacityLimit(2, lambda: len(there), "The limit is 2.")


def test_a_place_is_taken_while_something_is_made(places, there):
    with places.reserve():
        there.append("one")
    with places.reserve():
        with pytest.raises(LimitReachedError, match="The limit is 2"), places.reserve():
            raise AssertionError
        there.append("two")
    with pytest.raises(LimitReachedError), places.reserve():
        raise AssertionError
    there.pop()
    with places.reserve():
        pass


def test_what_fails_or_is_refused_gives_its_place_back(places):
    for _ in range(5):
        with pytest.raises(ValueError, match="no such luck"), places.reserve():
            raise ValueError("no such luck")
    with places.reserve(), places.reserve():
        for _ in range(5):
            with pytest.raises(LimitReachedError), places.reserve():
                raise AssertionError
    with places.reserve(), places.reserve():
        pass
