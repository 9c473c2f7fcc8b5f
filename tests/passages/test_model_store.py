import os

import pytest

from server.passages.model_store import ModelStore


@pytest.fixture
def store(tmp_path):
    # The directory of a run that was deleted is not created again.
    for run in ("r", "one", "other"):
        (tmp_path / run).mkdir()
    return ModelStore(tmp_path, max_models=2, max_bytes=100)


def draft(store, run, fingerprint, size_bytes=10):
    path = store.draft_directory(run) / f"{fingerprint}.npz"
    path.write_bytes(bytes(size_bytes))
    return path


def add(store, fingerprint, at_s, required=frozenset(), size_bytes=10):
    """Store a model as if it were stored at a time."""
    added = store.store("r", fingerprint, draft(store, "r", fingerprint, size_bytes), required)
    if added:
        os.utime(store.path("r", fingerprint), (at_s, at_s))
    return added


def exists(store, *fingerprints):
    return [store.path("r", fingerprint).exists() for fingerprint in fingerprints]


def test_drafts_are_found_until_they_are_deleted(store):
    path = draft(store, "r", "a")
    incomplete = path.parent.parent / ".b.npz"
    incomplete.touch()
    assert store.find("r", "a") == path
    assert store.find("other", "a") is None
    store.delete_drafts()
    assert store.find("r", "a") is None
    assert not incomplete.exists()


def test_a_stored_model_does_not_need_its_draft(store):
    assert add(store, "a", 1)
    store.delete_drafts()
    assert store.find("r", "a") == store.path("r", "a")


def test_the_oldest_model_is_deleted_first(store):
    assert add(store, "a", 1)
    assert add(store, "b", 2)
    assert add(store, "a", 3)  # Storing it again makes it the newest.
    assert add(store, "c", 4)
    assert exists(store, "a", "b", "c") == [True, False, True]


def test_required_models_are_never_deleted(store):
    assert add(store, "a", 1)
    assert add(store, "b", 2)
    assert add(store, "c", 3, required={("r", "a")})
    assert exists(store, "a", "b", "c") == [True, False, True]
    assert not add(store, "d", 4, required={("r", "a"), ("r", "c")})
    assert exists(store, "a", "c", "d") == [True, True, False]


def test_nothing_is_deleted_for_a_model_that_does_not_fit(store):
    assert add(store, "a", 1, size_bytes=60)
    assert not store.fits(101)
    assert not add(store, "b", 2, size_bytes=101)
    assert exists(store, "a", "b") == [True, False]
    assert add(store, "c", 3, size_bytes=60)
    assert exists(store, "a", "c") == [False, True]


def test_a_source_that_was_deleted(store, tmp_path):
    assert not store.store("r", "a", tmp_path / "none.npz", set())


def test_the_oldest_drafts_and_the_expired_ones_are_deleted(store):
    newest, middle, oldest, expired, other = (
        draft(store, "r", fingerprint, 45) for fingerprint in "abcde"
    )
    store.retain_drafts([("r", "a"), ("r", "b"), ("r", "c")], [("r", "d"), ("r", "gone")])
    assert [path.exists() for path in (newest, middle, oldest, expired, other)] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_only_known_drafts_of_a_run_stay(tmp_path):
    store = ModelStore(tmp_path, 5, 10**6)
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        for fingerprint in ("a", "b", "c"):
            (store.draft_directory(run) / f"{fingerprint}.npz").write_bytes(b"model")
    store.delete_drafts_except("one", {"b"})
    store.delete_drafts_except("three", set())
    assert [store.find("one", each) is not None for each in "abc"] == [False, True, False]
    assert all(store.find("two", each) for each in "abc")
