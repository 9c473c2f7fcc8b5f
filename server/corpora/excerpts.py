"""Excerpts of a text file, read without the text before them."""

from __future__ import annotations

import asyncio
import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from server.concurrency.single_flight import SingleFlightCache

__all__ = ["ExcerptReader", "index_text", "read_excerpt"]

INDEX_CHARACTERS = 4_096
"""Distance in characters of the byte offsets in an index."""

BLOCK_BYTES = 1 << 20
"""Size of the parts in which a file is read to index it."""

CACHE_SIZE = 200
"""Indexes in memory at most; that of a text of 20 MB has 40 kB."""

CONTINUATION = 0b1000_0000
"""The two highest bits of each byte of a character in UTF-8 but its first."""


class ExcerptReader:
    """Reads excerpts of texts that never change; each text is indexed at its first excerpt.

    It has a thread of its own, so that many excerpts delay nothing else that needs a thread.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="excerpts")
        self._indexes: SingleFlightCache[array[int]] = SingleFlightCache(CACHE_SIZE)

    async def read(self, path: Path, start: int, end: int) -> str:
        """Return the characters of a text from `start` up to, not including, `end`.

        Parameters
        ----------
        path : pathlib.Path
            A file in UTF-8.
        start, end : int
            In code points; beyond the end of the text there is nothing.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        loop = asyncio.get_running_loop()
        index = await self._indexes.get(
            path, lambda: loop.run_in_executor(self._thread, index_text, path)
        )
        return await loop.run_in_executor(self._thread, read_excerpt, path, index, start, end)

    def close(self) -> None:
        """End the thread after the excerpt that it reads; the others are cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def index_text(path: Path) -> array[int]:
    """Return the byte offset of each character whose index is a multiple of `INDEX_CHARACTERS`.

    Parameters
    ----------
    path : pathlib.Path
        A file in UTF-8. It is read once, in parts.
    """
    offsets, characters, place = array("q"), 0, 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            is_first = (np.frombuffer(block, np.uint8) & 0b1100_0000) != CONTINUATION
            firsts = np.flatnonzero(is_first)
            offsets.extend(firsts[-characters % INDEX_CHARACTERS :: INDEX_CHARACTERS] + place)
            characters += len(firsts)
            place += len(block)
    return offsets


def read_excerpt(path: Path, index: array[int], start: int, end: int) -> str:
    """Return the characters of a text from `start` up to, not including, `end`.

    It reads at most two times `INDEX_CHARACTERS` characters more.

    Parameters
    ----------
    path : pathlib.Path
        A file in UTF-8.
    index : array of int
        Its index; see `index_text`.
    start, end : int
        In code points; beyond the end of the text there is nothing.
    """
    first, last = start // INDEX_CHARACTERS, -(-end // INDEX_CHARACTERS)
    if first >= len(index) or end <= start:
        return ""
    with path.open("rb") as file:
        stop = index[last] if last < len(index) else os.fstat(file.fileno()).st_size
        text = os.pread(file.fileno(), stop - index[first], index[first]).decode()
    before = first * INDEX_CHARACTERS
    return text[start - before : end - before]
