"""The order of calls on the thread that owns the database."""

import asyncio
import threading

import pytest

from server.errors import TooBusyError
from server.store.executor import LimitedStoreReader, StoreExecutor


class BlockedThread:
    """A store thread with a call that blocks it until `unblock`, and a list of later calls."""

    def __init__(self, path):
        self.store = StoreExecutor(path / "hurrah.db")
        self.done = []
        self._begun, self._end = threading.Event(), threading.Event()

    async def __aenter__(self):
        self._busy = asyncio.create_task(self.store(self._work))
        await asyncio.to_thread(self._begun.wait)
        return self

    async def __aexit__(self, *_):
        await self.unblock()
        await self.store.close()

    def _work(self, _store):
        self._begun.set()
        self._end.wait()

    def do(self, name):
        return lambda _store: self.done.append(name)

    async def unblock(self):
        self._end.set()
        await self._busy


async def queue(*calls):
    """Start calls in this order, and let each enter its queue."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    return tasks


def test_writes_run_before_all_reads_with_low_priority(tmp_path):
    async def scene():
        async with BlockedThread(tmp_path) as blocked:
            store, do = blocked.store, blocked.do
            reads = LimitedStoreReader(store, 1_000)
            reading = await queue(*(reads(do(("read", n))) for n in range(500)))
            writing = await queue(*(store(do(("write", n))) for n in range(5)))
            await blocked.unblock()
            await asyncio.gather(*writing)
            assert blocked.done[:5] == [("write", n) for n in range(5)]
            await asyncio.gather(*reading)
            assert blocked.done[5:] == [("read", n) for n in range(500)]

    asyncio.run(scene())


def test_a_cancelled_call_is_not_run(tmp_path):
    async def scene():
        async with BlockedThread(tmp_path) as blocked:
            store, do = blocked.store, blocked.do
            tasks = await queue(
                store.low_priority(do("read")),
                store(do("write")),
                store.low_priority(do("last")),
            )
            for task in tasks[:2]:
                task.cancel()
            await asyncio.gather(*tasks[:2], return_exceptions=True)
            await blocked.unblock()
            await tasks[2]
            assert blocked.done == ["last"]

    asyncio.run(scene())


def test_an_exception_reaches_only_its_caller(tmp_path):
    def fail(_store):
        raise ValueError("an error")

    async def scene():
        store = StoreExecutor(tmp_path / "hurrah.db")
        for call in (store, store.low_priority):
            with pytest.raises(ValueError, match="an error"):
                await call(fail)
            assert await call(lambda _store: "a result") == "a result"
        await store.close()

    asyncio.run(scene())


def test_closing_waits_for_writes_and_cancels_reads(tmp_path):
    async def scene():
        async with BlockedThread(tmp_path) as blocked:
            store, do = blocked.store, blocked.do
            reading = await queue(*(store.low_priority(do("read")) for _ in range(9)))
            (writing,) = await queue(store(do("write")))
            (closing,) = await queue(store.close())
            await blocked.unblock()
            await closing
            await writing
            results = await asyncio.gather(*reading, return_exceptions=True)
            assert {type(each) for each in results} == {asyncio.CancelledError}
            assert blocked.done == ["write"]
            store.close = lambda: asyncio.sleep(0)

    asyncio.run(scene())


def test_the_number_of_waiting_reads_is_limited(tmp_path):
    async def scene():
        async with BlockedThread(tmp_path) as blocked:
            reads = LimitedStoreReader(blocked.store, 3)
            reading = await queue(*(reads(blocked.do(n)) for n in range(3)))
            with pytest.raises(TooBusyError, match="3 database reads"):
                await reads(blocked.do("too much"))
            await blocked.unblock()
            await asyncio.gather(*reading)
            await reads(blocked.do(3))
            assert blocked.done == [0, 1, 2, 3]

    asyncio.run(scene())


@pytest.mark.parametrize("submitted", [False, True])
def test_an_exception_while_a_call_is_queued_does_not_shift_the_others(tmp_path, submitted):
    async def scene():
        store = StoreExecutor(tmp_path / "hurrah.db")
        submit = store._thread.submit

        def fail(job):
            store._thread.submit = submit
            if submitted:
                submit(job).result()
            raise RecursionError("no room")

        for call in (store, store.low_priority):
            store._thread.submit = fail
            with pytest.raises(RecursionError):
                await call(lambda _store: "lost")
            async with asyncio.timeout(30):
                results = [await call(lambda _store, n=n: n) for n in range(3)]
            assert results == [0, 1, 2]
        await store.close()

    asyncio.run(scene())
