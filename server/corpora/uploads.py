"""Texts that people bring: one after the other, and no more than may be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.concurrency.capacity import CapacityLimit
from server.corpora.library import Corpus, CorpusLibrary
from server.files.storage_quota import StorageQuota

__all__ = ["Uploads"]


class Uploads:
    """Adds texts to the library.

    One at a time, since to decode and describe a large one takes more than ten times its size.

    Parameters
    ----------
    library : CorpusLibrary
        Where they are kept.
    room : Room
        How much may be stored.
    most : int
        How many texts there may be, the shipped ones among them.
    """

    def __init__(self, library: CorpusLibrary, room: StorageQuota, most: int) -> None:
        self._library = library
        self._room = room
        refusal = f"The limit is {most:,} texts: delete one to add another."
        self._places = CapacityLimit(most, lambda: len(library.list()), refusal)
        self._adding = asyncio.Lock()

    async def add(self, read: Callable[[], Awaitable[bytes]], name: str | None) -> Corpus:
        """Add a text; its encoding is found out.

        Parameters
        ----------
        read : callable
            Returns the file as it came, once it is its turn: those that wait are not in memory.
        name : str or None
            What to call it.

        Raises
        ------
        LimitReachedError
            There are as many texts, or as much is stored, as may be.
        NotTextError, CorpusTooShortError
            It is nothing to learn from.
        """
        with self._places.reserve():
            async with self._adding:
                data = await read()
                await self._room.check(len(data))
                return await asyncio.to_thread(self._library.add, data, name)
