"""Archives are written atomically and validated when they are read."""

import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from server.checkpoints.npz import DamagedArchiveError, read_archive, read_meta, write_archive


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.npz"


ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b.c": np.array([1, 2], dtype=np.int8)}
META = {"vocabulary": "aé\u0301😀\n", "update": 3, "nothing": None}


def test_a_file_is_read_as_written(path):
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
    with np.load(path, allow_pickle=False) as opened:
        assert sorted(opened.files) == ["a", "b.c", "meta"]


def test_every_changed_or_lost_byte_is_detected_or_harmless(path):
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
        # Only fields that zip ignores (a time, an attribute) may change without an error.
        assert meta == META
        assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedArchiveError):
            read_archive(path)


def test_every_changed_bit_of_the_directory_is_detected_or_harmless(path):
    """The directory has no checksum: with one wrong bit, parts may be missing from it."""
    write_archive(path, ARRAYS, META)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as opened:
        start = opened.start_dir
    unlisted = 0
    for bit in range(8 * start, 8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            with zipfile.ZipFile(path) as opened:
                unlisted += len(opened.namelist()) <= len(ARRAYS)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error):
            pass
        try:
            arrays, meta = read_archive(path)
        except DamagedArchiveError:
            continue
        assert meta == META
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in ARRAYS.items()
        }
    assert unlisted


@pytest.mark.parametrize("change", ["lacks", "another", "more"])
def test_the_description_lists_the_parts(path, change):
    """Each part is valid, but they were not written together."""
    write_archive(path, ARRAYS, META)
    with np.load(path, allow_pickle=False) as opened:
        parts = dict(opened)
    if change == "lacks":
        del parts["a"]
    elif change == "another":
        parts["a"] = parts["a"] + 1
    else:
        parts["d"] = parts["a"]
    np.savez(path, **parts)
    for read in (read_archive, read_meta):
        with pytest.raises(DamagedArchiveError, match="those that were written"):
            read(path)


def test_an_archive_of_an_early_version_can_be_read(path):
    """It does not list its parts, and the description comes first."""
    np.savez(path, meta=np.array(json.dumps(META)), **ARRAYS)
    arrays, meta = read_archive(path)
    assert meta == META == read_meta(path)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }


# Address space for everything except the array.
SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from server.checkpoints import npz
from server.checkpoints.npz import DamagedArchiveError, read_archive
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**24, resource.RLIM_INFINITY))
try:
    read_archive(Path(sys.argv[1]))
except MemoryError:
    print("short of memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its limit")
def test_a_memory_error_is_not_reported_as_damage(path):
    write_archive(path, {"a": np.zeros(2**26, dtype=np.int8)}, META)
    said = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(path)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == "short of memory\n"


def test_an_input_output_error_is_not_reported_as_damage(path):
    path.symlink_to(path.name)
    for read in (read_archive, read_meta):
        with pytest.raises(OSError, match="symbolic links"):
            read(path)


def test_objects_are_neither_written_nor_read(path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_archive(path, {"o": np.array([{}], dtype=object)}, {})
    assert not list(path.parent.iterdir())
    np.savez(path, meta=np.array("{}"), o=np.array([{}], dtype=object))
    with pytest.raises(DamagedArchiveError):
        read_archive(path)


def test_a_failed_write_keeps_the_old_file(path):
    write_archive(path, ARRAYS, META)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_archive(path, ARRAYS, {"not json": object()})
    assert path.read_bytes() == before
