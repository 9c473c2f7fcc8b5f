"""The one thread that owns the store, and who goes first there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from server.concurrency.admission import AdmissionLimiter
from server.store.database import Store

__all__ = ["LimitedStoreReader", "StoreCalls", "StoreExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

Line = deque[tuple[Future[Any], Callable[[], Any]]]


class StoreCalls(Protocol):
    """Calls methods of `Store` on its thread: ``await store(Store.samples, run)``."""

    async def __call__(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call one."""


class StoreExecutor:
    """The thread that owns the store, as the event loop sees it; a `StoreCalls`.

    There are two lines before it, each in order. In the first stands all that is written, and all
    that a person's deed or a worker's report waits for; in the second, what is read for those who
    look. They may be thousands, and the operator's pause waits for one of them at the most.

    Parameters
    ----------
    path : pathlib.Path
        The database's file.
    """

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._store = self._thread.submit(Store, path).result()
        self._deeds: Line = deque()
        self._looks: Line = deque()

    async def __call__(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of `Store` on its thread, before all who look."""
        return await self._called(self._deeds, partial(method, self._store, *args, **kwargs))

    async def look(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of `Store` on its thread, when nobody waits in the first line."""
        return await self._called(self._looks, partial(method, self._store, *args, **kwargs))

    async def close(self) -> None:
        """Commit, close, and end the thread; who only looks is not waited for."""
        for answer, _ in list(self._looks):
            answer.cancel()
        await self(Store.close)
        self._thread.shutdown()

    async def _called(self, line: Line, work: Callable[[], T]) -> T:
        answer: Future[T] = Future()
        line.append((answer, work))
        # One turn of the thread for each call; which call it is, is seen when its turn comes.
        self._thread.submit(self._next)
        return await asyncio.wrap_future(answer)

    def _next(self) -> None:
        answer, work = (self._deeds or self._looks).popleft()
        # Nobody waits any more for what was cancelled.
        if not answer.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is told to who waits
            answer.set_exception(error)
        else:
            answer.set_result(result)


class LimitedStoreReader:
    """The store as those see it who only look: after all others, and not without end.

    Parameters
    ----------
    store : StoreExecutor
        Where it is read.
    most : int
        Reads that are under way or waited for at most.
    """

    def __init__(self, store: StoreExecutor, most: int) -> None:
        self._store = store
        self._turns = AdmissionLimiter(most, most, "reads of what is kept")

    async def __call__(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of `Store` on its thread.

        Raises
        ------
        TooBusyError
            Too many look at once.
        """
        async with self._turns:
            return await self._store.look(method, *args, **kwargs)
