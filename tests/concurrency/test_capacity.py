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
    with places.held():
        there.append("one")
    with places.held():
        with pytest.raises(LimitReachedError, match="The limit is 2"), places.held():
            raise AssertionError
        there.append("two")
    with pytest.raises(LimitReachedError), places.held():
        raise AssertionError
    there.pop()
    with places.held():
        pass


def test_what_fails_or_is_refused_gives_its_place_back(places):
    for _ in range(5):
        with pytest.raises(ValueError, match="no such luck"), places.held():
            raise ValueError("no such luck")
    with places.held(), places.held():
        for _ in range(5):
            with pytest.raises(LimitReachedError), places.held():
                raise AssertionError
    with places.held(), places.held():
        pass
