"""Files that are written whole or not at all, and never trusted."""

import numpy as np
import pytest

from server.runs.archive import DamagedArchiveError, read_archive, read_meta, write_archive


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b.c": np.array([1, 2], dtype=np.int8)}
META = {"vocabulary": "aé\u0301😀\n", "update": 3, "nothing": None}


def test_what_is_written_is_read_back(path):
    size = write_archive(path, ARRAYS, META)
    assert path.stat().st_size == size
    arrays, meta = read_archive(path)
    assert meta == META == read_meta(path)
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_it_loads_without_pickle(path):
    write_archive(path, ARRAYS, META)
    with np.load(path, allow_pickle=False) as archive:
        assert sorted(archive.files) == ["a", "b.c", "meta"]


def test_every_byte_that_is_changed_or_lost_is_noticed_or_harmless(path):
    write_archive(path, ARRAYS, META)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            arrays, meta = read_archive(path)
        except DamagedArchiveError:
            continue
        # Only what zip does not need (a time, an attribute) may be changed unnoticed.
        assert meta == META
        assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedArchiveError):
            read_archive(path)


def test_objects_are_refused_on_both_sides(path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_archive(path, {"o": np.array([{}], dtype=object)}, {})
    assert not list(path.parent.iterdir())
    np.savez(path, meta=np.array("{}"), o=np.array([{}], dtype=object))
    with pytest.raises(DamagedArchiveError):
        read_archive(path)


def test_a_failed_write_leaves_the_old_file(path):
    write_archive(path, ARRAYS, META)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_archive(path, ARRAYS, {"not json": object()})
    assert path.read_bytes() == before
