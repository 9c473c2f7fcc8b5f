"""A cache in which concurrent requests for the same value compute it once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["SingleFlightCache"]

T = TypeVar("T")


class SingleFlightCache(Generic[T]):
    """A least-recently-used cache of values that are computed asynchronously.

    A request for a value that is being computed waits for it. An exception is raised to all that
    wait, and not cached.

    Parameters
    ----------
    size : int
        Values kept at most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, asyncio.Future[T]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Whether the value is cached or being computed."""
        return key in self._values

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        """Return the value of a key, computing it if it is not cached."""
        value = self._values.get(key)
        if value is None:
            value = asyncio.ensure_future(compute())
            # Before the value is cached: without the callback, an exception would stay cached.
            value.add_done_callback(lambda done: self._settle(key, done))
            self._values[key] = value
        self._values.move_to_end(key)
        # Shielded: a request that is cancelled must not cancel the computation for the others.
        return await asyncio.shield(value)

    def _settle(self, key: Hashable, done: asyncio.Future[T]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._values.get(key) is done:
            del self._values[key]
        while len(self._values) > self._size:
            self._values.popitem(last=False)
