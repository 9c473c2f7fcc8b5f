"""Excerpts of a text file."""

import tracemalloc

import pytest

from server.corpora.excerpts import CHUNK_CHARACTERS, read_excerpt

TEXT = "aé\u2028😀\n" * 100_000


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_bytes(TEXT.encode())
    return file


@pytest.mark.parametrize("start", [0, 1, 7, CHUNK_CHARACTERS - 1, CHUNK_CHARACTERS, 499_990, 10**9])
@pytest.mark.parametrize("length", [0, 1, 10_000])
def test_an_excerpt_equals_a_slice(path, start, length):
    assert read_excerpt(path, start, start + length) == TEXT[start : start + length]


def test_an_excerpt_takes_little_memory(path):
    tracemalloc.start()
    read_excerpt(path, 490_000, 500_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000 < len(TEXT.encode())
