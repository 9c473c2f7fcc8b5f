"""Placements: only the newest of a run has a token, and its number grows."""

import pytest

from server.store import placements
from server.store.database import Store
from server.store.placements import Placement

ALICE = Placement("alice", "tcp://10.0.0.2:1", "scheduler", 1)
BOB = Placement("bob", "tcp://10.0.0.3:1", "scheduler", 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hurrah.db"


def test_a_new_placement_ends_the_one_before_also_after_a_crash(path):
    store = Store(path)
    assert placements.begin(store, "run", "a", ALICE) == 1
    assert placements.begin(store, "other", "c", ALICE) == 1
    assert placements.begin(store, "run", "b", BOB) == 2
    # An older one that ends late changes nothing.
    placements.end(store, "run", 1)
    # Everything is durable: a second connection sees it.
    again = Store(path)
    found = {each.run: each for each in placements.live(again)}
    assert (found["run"].number, found["run"].token, found["run"].placement) == (2, "b", BOB)
    placements.end(again, "run", 2)
    assert {each.run for each in placements.live(again)} == {"other"}
    assert placements.begin(again, "run", "d", ALICE) == 3
    placements.end_all(again)
    assert placements.live(again) == []
    again.close()
    store.close()
