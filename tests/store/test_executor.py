"""The thread that owns the store: who goes first, and who is not waited for."""

import asyncio
import threading

import pytest

from server.errors import TooBusyError
from server.store.executor import LimitedStoreReader, StoreExecutor


class Held:
    """A store whose thread is busy until it is let go, and what it did since."""

    def __init__(self, path):
        self.store = StoreExecutor(path / "hurrah.db")
        self.done = []
        self._begun, self._end = threading.Event(), threading.Event()

    async def __aenter__(self):
        self._busy = asyncio.create_task(self.store(self._work))
        await asyncio.to_thread(self._begun.wait)
        return self

    async def __aexit__(self, *_):
        await self.let_go()
        await self.store.close()

    def _work(self, _store):
        self._begun.set()
        self._end.wait()

    def do(self, name):
        return lambda _store: self.done.append(name)

    async def let_go(self):
        self._end.set()
        await self._busy


async def in_line(*calls):
    """Let calls stand in line, in this order."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    return tasks


def test_whoever_acts_goes_before_all_who_look(tmp_path):
    async def scene():
        async with Held(tmp_path) as held:
            store, do = held.store, held.do
            reads = LimitedStoreReader(store, 1_000)
            lookers = await in_line(*(reads(do(("look", n))) for n in range(500)))
            actors = await in_line(*(store(do(("act", n))) for n in range(5)))
            await held.let_go()
            await asyncio.gather(*actors)
            assert held.done[:5] == [("act", n) for n in range(5)]
            await asyncio.gather(*lookers)
            assert held.done[5:] == [("look", n) for n in range(500)]

    asyncio.run(scene())


def test_what_nobody_waits_for_any_more_is_not_done(tmp_path):
    async def scene():
        async with Held(tmp_path) as held:
            tasks = await in_line(
                *(call(held.do(call.__name__)) for call in (held.store.look, held.store.__call__)),
                held.store.look(held.do("last")),
            )
            for task in tasks[:2]:
                task.cancel()
            await asyncio.gather(*tasks[:2], return_exceptions=True)
            await held.let_go()
            await tasks[2]
            assert held.done == ["last"]

    asyncio.run(scene())


def test_what_goes_wrong_is_told_to_who_asked_and_to_nobody_else(tmp_path):
    def fail(_store):
        raise ValueError("not so")

    async def scene():
        store = StoreExecutor(tmp_path / "hurrah.db")
        for call in (store, store.look):
            with pytest.raises(ValueError, match="not so"):
                await call(fail)
            assert await call(lambda _store: "well") == "well"
        await store.close()

    asyncio.run(scene())


def test_closing_waits_for_what_is_written_and_not_for_those_who_look(tmp_path):
    async def scene():
        async with Held(tmp_path) as held:
            lookers = await in_line(*(held.store.look(held.do("look")) for _ in range(9)))
            (actor,) = await in_line(held.store(held.do("act")))
            (closing,) = await in_line(held.store.close())
            await held.let_go()
            await closing
            await actor
            gone = await asyncio.gather(*lookers, return_exceptions=True)
            assert {type(each) for each in gone} == {asyncio.CancelledError}
            assert held.done == ["act"]
            held.store.close = lambda: asyncio.sleep(0)

    asyncio.run(scene())


def test_so_many_may_look_at_once_and_others_are_told_so(tmp_path):
    async def scene():
        async with Held(tmp_path) as held:
            reads = LimitedStoreReader(held.store, 3)
            lookers = await in_line(*(reads(held.do(n)) for n in range(3)))
            with pytest.raises(TooBusyError, match="3 reads of what is kept"):
                await reads(held.do("too much"))
            await held.let_go()
            await asyncio.gather(*lookers)
            await reads(held.do(3))
            assert held.done == [0, 1, 2, 3]

    asyncio.run(scene())
