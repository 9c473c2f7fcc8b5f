"""The thread that owns the database, and the order of the calls on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from server.concurrency.admission import AdmissionLimiter
from server.store.database import Store

__all__ = ["LimitedStoreReader", "StoreCalls", "StoreExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

SHARED_COMMIT_EVERY_S = 0.8
# With hundreds of runs a commit takes long, and then shared commits are further apart: by so many
# times as long as the last one took, but not more than the next value.
SHARED_COMMIT_REST = 8.0
SHARED_COMMIT_AT_LEAST_EVERY_S = 2.5
BUFFERS_AT_ONCE = 10

# So many calls that nothing waits for are made at once.
POSTED_AT_ONCE = 32

# The future of a call is None if nothing waits for it.
Queue = deque[tuple[asyncio.Future[Any] | None, Callable[[], Any]]]


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
        # Whether the thread has a job that makes the calls in the queues, and how many calls that
        # nothing waits for were added without a job.
        self._working = False
        self._posted = 0
        # Calls that were made, each as its future and what sets its result, and whether the event
        # loop is going to set them. Under load it wakes once for many of them.
        self._made: deque[tuple[asyncio.Future[Any], Callable[[], None]]] = deque()
        self._delivering = False
        self._shared_commit: asyncio.Task[None] | None = None
        self._commits: set[asyncio.Task[None]] = set()
        self._next_commit_s = 0.0

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

    def post(
        self, on_error: Callable[[Exception], None], function: Callable[[Store], object]
    ) -> None:
        """Call a function of the store on its thread, without waiting for it.

        It is called before the functions of all later calls. The thread does not wake for a single
        one: it is called with the next other call, or with `POSTED_AT_ONCE` of its kind.

        Parameters
        ----------
        on_error : callable
            Called on the event loop if the function raises.
        function : callable
            Called with the store.
        """
        loop = asyncio.get_running_loop()

        def call() -> None:
            try:
                function(self._store)
            except Exception as error:  # noqa: BLE001 - handled by the caller
                loop.call_soon_threadsafe(on_error, error)

        self._writes.append((None, call))
        self._posted += 1
        if self._posted >= POSTED_AT_ONCE:
            self._start_working()

    async def commit_shared(self) -> None:
        """Make all writes so far durable, together with those of other callers.

        Each commit waits for the disk, and hundreds of runs commit every second. Calls soon after
        the last shared commit share the next one.

        Raises
        ------
        StorageError
            As `Store.commit`.
        """
        if self._shared_commit is None:
            self._shared_commit = asyncio.create_task(self._commit_later())
            self._commits.add(self._shared_commit)
            self._shared_commit.add_done_callback(self._commits.discard)
        # A caller that is cancelled does not cancel the commit of the others.
        await asyncio.shield(self._shared_commit)

    async def _commit_later(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._next_commit_s - loop.time())
        finally:
            # The writes of a later caller may come after this commit.
            self._shared_commit = None
        began_s = loop.time()
        self._next_commit_s = began_s + SHARED_COMMIT_EVERY_S
        # In steps, between which the reports of runs are stored; they wait for the next commit.
        changed = await self(Store.changed_runs)
        for start in range(0, len(changed), BUFFERS_AT_ONCE):
            await self(Store.write_buffers, changed[start : start + BUFFERS_AT_ONCE])
        await self(Store.commit_written)
        rest_s = SHARED_COMMIT_REST * (loop.time() - began_s)
        latest_s = began_s + SHARED_COMMIT_AT_LEAST_EVERY_S
        self._next_commit_s = max(self._next_commit_s, min(began_s + rest_s, latest_s))

    async def close(self) -> None:
        """Commit, close, and end the thread; calls with low priority are cancelled."""
        for future, _ in list(self._reads):
            if future is not None:
                future.cancel()
        # Closing commits what they would commit.
        for commit in list(self._commits):
            commit.cancel()
        await self(Store.close)
        self._thread.shutdown()

    async def _call(self, queue: Queue, call: Callable[[], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        entry = (future, call)
        queue.append(entry)
        try:
            self._start_working()
        except BaseException:
            # The next call submits a job again, which must not make this one.
            with contextlib.suppress(ValueError):
                queue.remove(entry)
            raise
        return await future

    def _start_working(self) -> None:
        self._posted = 0
        if not self._working:
            self._working = True
            try:
                self._thread.submit(self._make_calls)
            except BaseException:
                self._working = False
                raise

    def _make_calls(self) -> None:
        """Make the calls in the queues until both are empty."""
        while self._working:
            while queue := self._writes or self._reads:
                future, call = queue.popleft()
                if future is None:
                    call()
                elif not future.cancelled():
                    self._deliver_later(future, _outcome(future, call))
            self._working = False
            # A call that was added before that has submitted no job.
            self._working = bool(self._writes or self._reads)

    def _deliver_later(self, future: asyncio.Future[Any], deliver: Callable[[], None]) -> None:
        self._made.append((future, deliver))
        if not self._delivering:
            self._delivering = True
            try:
                future.get_loop().call_soon_threadsafe(self._deliver)
            except RuntimeError:
                # The event loop is closed, so that nothing waits for results.
                self._made.clear()
                self._delivering = False

    def _deliver(self) -> None:
        """Set the results of the calls that were made; runs on the event loop."""
        self._delivering = False
        while self._made:
            future, deliver = self._made.popleft()
            if not future.done():  # The caller may have been cancelled.
                deliver()


def _outcome(future: asyncio.Future[T], call: Callable[[], T]) -> Callable[[], None]:
    """Make a call, and return a function that sets its result or its exception."""
    try:
        return partial(future.set_result, call())
    except StopIteration as error:  # which a future cannot raise
        return partial(future.set_exception, RuntimeError(repr(error)))
    except BaseException as error:  # noqa: BLE001 - raised again by the caller's `await`
        return partial(future.set_exception, error)


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
