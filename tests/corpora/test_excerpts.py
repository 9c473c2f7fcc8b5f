"""Excerpts of a text file."""

import asyncio
import os
import threading

import pytest

from server.corpora import excerpts
from server.corpora.excerpts import (
    BLOCK_BYTES,
    INDEX_CHARACTERS,
    ExcerptReader,
    index_text,
    read_excerpt,
)

TEXT = "aé\u2028😀\n" * 300_000


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_bytes(TEXT.encode())
    assert len(TEXT.encode()) > 3 * BLOCK_BYTES, "characters lie across the blocks"
    return file


@pytest.fixture(scope="module")
def index(path):
    return index_text(path)


@pytest.mark.parametrize(
    "start",
    [
        *(0, 1, 7, INDEX_CHARACTERS - 1, INDEX_CHARACTERS, INDEX_CHARACTERS + 1),
        *(700_003, len(TEXT) - 10, len(TEXT) - 1, len(TEXT), len(TEXT) + 1, 10**9),
    ],
)
@pytest.mark.parametrize("length", [0, 1, INDEX_CHARACTERS, 10_000])
def test_an_excerpt_equals_a_slice(path, index, start, length):
    assert read_excerpt(path, index, start, start + length) == TEXT[start : start + length]


@pytest.mark.parametrize("text", ["", "a", "é" * INDEX_CHARACTERS, "é" * INDEX_CHARACTERS + "a"])
def test_an_excerpt_of_a_short_text(tmp_path, text):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    index = index_text(path)
    for start in (0, 1, INDEX_CHARACTERS - 1, INDEX_CHARACTERS, INDEX_CHARACTERS + 1):
        assert read_excerpt(path, index, start, start + 5) == text[start : start + 5]


def test_an_excerpt_reads_only_its_range(path, monkeypatch):
    """A text is read whole once, however many excerpts of it are requested at once."""
    read_bytes, indexed, pread = [], [], os.pread

    def counting_pread(descriptor, size, offset):
        read_bytes.append(size)
        return pread(descriptor, size, offset)

    def counting_index(path):
        indexed.append(path)
        return index_text(path)

    monkeypatch.setattr(os, "pread", counting_pread)
    monkeypatch.setattr(excerpts, "index_text", counting_index)
    starts = range(0, len(TEXT), 20_011)

    async def read_all():
        reader = ExcerptReader()
        try:
            return await asyncio.gather(*(reader.read(path, each, each + 500) for each in starts))
        finally:
            reader.close()

    found = asyncio.run(read_all())
    assert found == [TEXT[each : each + 500] for each in starts]
    assert indexed == [path]
    assert len(read_bytes) == len(starts)
    assert max(read_bytes) <= 4 * (500 + 2 * INDEX_CHARACTERS)


def test_excerpts_leave_the_threads_of_others_free(path, monkeypatch):
    """A checkpoint needs a thread, too, however many excerpts are being read."""
    read, ends = threading.Event(), threading.Event()

    def blocked(*_):
        read.set()
        ends.wait()
        return ""

    monkeypatch.setattr(excerpts, "read_excerpt", blocked)

    async def scene():
        reader = ExcerptReader()
        waiting = [asyncio.create_task(reader.read(path, 0, 1)) for _ in range(100)]
        assert await asyncio.to_thread(read.wait, 60)
        assert await asyncio.to_thread(lambda: "free") == "free"
        # Those that have not begun are cancelled when the server stops.
        reader.close()
        ends.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert done[0] == ""
        assert all(isinstance(each, asyncio.CancelledError) for each in done[1:])

    asyncio.run(scene())
