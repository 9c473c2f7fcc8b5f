"""Uploads of corpora: one at a time, and within the limits."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.concurrency.capacity import CapacityLimit
from server.corpora.library import Corpus, CorpusLibrary
from server.files.storage_quota import StorageQuota

__all__ = ["Uploads"]


def _return_freed_memory() -> None:
    """Return to the system what the C library keeps; only glibc can, and keeps much."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class Uploads:
    """Adds texts to the library.

    Texts are added one at a time, because decoding and describing one takes up to nine times its
    size in memory.

    Parameters
    ----------
    library : CorpusLibrary
        The library.
    quota : StorageQuota
        The limit of the data directory.
    max_corpora : int
        Maximum number of corpora, including the shipped ones.
    """

    def __init__(self, library: CorpusLibrary, quota: StorageQuota, max_corpora: int) -> None:
        self._library = library
        self._quota = quota
        refusal = f"The limit is {max_corpora:,} texts: delete one to add another."
        self._capacity = CapacityLimit(max_corpora, lambda: len(library.list()), refusal)
        self._adding = asyncio.Lock()

    async def add(
        self,
        read: Callable[[], Awaitable[bytes]],
        name: str | None,
        encoding: str | None = None,
        *,
        leave_out_licence: bool = False,
    ) -> Corpus:
        """Add a text.

        Parameters
        ----------
        read : callable
            Returns the contents of the file. It is called when it is this upload's turn, so that
            waiting uploads are not in memory.
        name : str or None
            The name of the corpus.
        encoding : str, optional
            The encoding of the file; by default it is detected.
        leave_out_licence : bool
            Whether the licence of Project Gutenberg is left out, if the text has one.

        Raises
        ------
        LimitReachedError
            There are too many corpora, or the data directory is full.
        NotTextError, CorpusTooShortError
            The file cannot be used as a corpus.
        """
        with self._capacity.reserve():
            async with self._adding:
                data = await read()
                await self._quota.check(len(data))
                cancelled = threading.Event()
                try:
                    return await asyncio.to_thread(
                        self._library.add,
                        data,
                        name,
                        encoding,
                        leave_out_licence=leave_out_licence,
                        is_cancelled=cancelled.is_set,
                    )
                except asyncio.CancelledError:
                    # The thread goes on, but a text that was answered with an error is not kept.
                    cancelled.set()
                    raise
                finally:
                    del data
                    _return_freed_memory()

    async def restore(
        self,
        corpus_id: str,
        path: Path,
        *,
        name: str,
        licence: str | None,
        encoding: str,
        repairs: tuple[str, ...],
    ) -> Corpus:
        """Add the text of an imported run; see `CorpusLibrary.restore`.

        Parameters
        ----------
        path : pathlib.Path
            The file of the text.

        Raises
        ------
        LimitReachedError
            There are too many corpora.
        """

        def read_and_restore() -> Corpus:
            return self._library.restore(
                corpus_id,
                path.read_bytes().decode("utf-8"),
                name=name,
                licence=licence,
                encoding=encoding,
                repairs=repairs,
            )

        with self._capacity.reserve():
            async with self._adding:
                return await asyncio.to_thread(read_and_restore)
