"""A cache in which concurrent requests for the same value compute it once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["SingleFlightCache"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    """A value that is cached or being computed, and how many requests wait for it."""

    value: asyncio.Future[T]
    waiting: int = 0


class SingleFlightCache(Generic[T]):
    """A least-recently-used cache of values that are computed asynchronously.

    A request for a value that is being computed waits for it. An exception is raised to all that
    wait, and not cached. When all requests that wait are cancelled, so is the computation.

    Parameters
    ----------
    size : int
        Values kept at most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Whether the value is cached or being computed."""
        return key in self._entries

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        """Return the value of a key, computing it if it is not cached."""
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry(asyncio.ensure_future(compute()))
            # Before it is cached: without the callback, an exception would stay cached.
            entry.value.add_done_callback(lambda _: self._settle(key, entry))
            self._entries[key] = entry
        self._entries.move_to_end(key)
        entry.waiting += 1
        try:
            # Shielded: a request that is cancelled must not cancel the computation for the others.
            return await asyncio.shield(entry.value)
        finally:
            entry.waiting -= 1
            if not entry.waiting and not entry.value.done():
                # The next request must not wait for what is being cancelled.
                self._remove(key, entry)
                entry.value.cancel()

    def _settle(self, key: Hashable, entry: _Entry[T]) -> None:
        if entry.value.cancelled() or entry.value.exception() is not None:
            self._remove(key, entry)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def _remove(self, key: Hashable, entry: _Entry[T]) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]
