"""The thread that owns the database, and the order of the calls on it."""

from __future__ import annotations

import asyncio
import contextlib
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

SHARED_COMMIT_EVERY_S = 0.8
BUFFERS_AT_ONCE = 10

Queue = deque[tuple[Future[Any], Callable[[], Any]]]


class StoreCalls(Protocol):
    """Calls functions of a `Store` on its thread: ``await store(queries.list_samples, run)``."""

    async def __call__(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call one."""


class StoreExecutor:
    """The thread that owns the database, for the event loop; a `StoreCalls`.

    Calls wait in two queues, each first in, first out. The first contains all writes, and the reads
    that a command or a worker's report waits for. The second, with low priority, contains reads for
    viewers: there may be thousands, and a command waits for at most one of them.

    Parameters
    ----------
    path : pathlib.Path
        The database file.
    collect_events : bool
        As for `Store`.
    """

    def __init__(self, path: Path, *, collect_events: bool = False) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._store = self._thread.submit(Store, path, collect_events=collect_events).result()
        self._writes: Queue = deque()
        self._reads: Queue = deque()
        self._shared_commit: asyncio.Task[None] | None = None
        self._committed_s = -SHARED_COMMIT_EVERY_S

    async def __call__(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function of the store on its thread, before all calls with low priority."""
        return await self._call(self._writes, partial(function, self._store, *args, **kwargs))

    async def low_priority(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function of the store on its thread when the first queue is empty."""
        return await self._call(self._reads, partial(function, self._store, *args, **kwargs))

    async def commit_shared(self) -> None:
        """Make all writes so far durable, together with those of other callers.

        Each commit waits for the disk, and hundreds of runs commit every second. Calls within
        `SHARED_COMMIT_EVERY_S` of the last shared commit share the next one.

        Raises
        ------
        StorageError
            As `Store.commit`.
        """
        if self._shared_commit is None:
            self._shared_commit = asyncio.create_task(self._commit_later())
        # A caller that is cancelled does not cancel the commit of the others.
        await asyncio.shield(self._shared_commit)

    async def _commit_later(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._committed_s + SHARED_COMMIT_EVERY_S - loop.time())
        finally:
            # The writes of a later caller may come after this commit.
            self._shared_commit = None
        self._committed_s = loop.time()
        # In steps, between which the reports of runs are stored.
        changed = await self(Store.changed_runs)
        for start in range(0, len(changed), BUFFERS_AT_ONCE):
            await self(Store.write_buffers, changed[start : start + BUFFERS_AT_ONCE])
        await self(Store.commit)

    async def close(self) -> None:
        """Commit, close, and end the thread; calls with low priority are cancelled."""
        for future, _ in list(self._reads):
            future.cancel()
        await self(Store.close)
        self._thread.shutdown()

    async def _call(self, queue: Queue, call: Callable[[], T]) -> T:
        future: Future[T] = Future()
        entry = (future, call)
        queue.append(entry)
        try:
            # One job for each call; the job decides when it runs which call it makes.
            self._thread.submit(self._run_next)
        except BaseException:
            # Otherwise a call would wait without a job, and after it every job would be one late.
            with contextlib.suppress(ValueError):
                queue.remove(entry)
            raise
        return await asyncio.wrap_future(future)

    def _run_next(self) -> None:
        queue = self._writes or self._reads
        if not queue:  # The job was submitted, and `submit` raised afterwards.
            return
        future, call = queue.popleft()
        if not future.set_running_or_notify_cancel():  # It was cancelled.
            return
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's `await`
            future.set_exception(error)
        else:
            future.set_result(result)


class LimitedStoreReader:
    """Calls with low priority, of which only a limited number may wait; a `StoreCalls`.

    Parameters
    ----------
    store : StoreExecutor
        The thread to call on.
    limit : int
        Calls that are running or waiting, at most.
    """

    def __init__(self, store: StoreExecutor, limit: int) -> None:
        self._store = store
        self._turns = AdmissionLimiter(limit, limit, "database reads")

    async def __call__(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function of the store on its thread.

        Raises
        ------
        TooBusyError
            Too many calls are waiting.
        """
        async with self._turns:
            return await self._store.low_priority(function, *args, **kwargs)
