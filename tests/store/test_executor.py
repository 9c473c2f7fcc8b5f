"""The order of calls on the thread that owns the database."""

import asyncio
import threading

import numpy as np
import pytest

from server.errors import TooBusyError
from server.files.disk_errors import StorageError
from server.history.run_history import Records
from server.store import executor
from server.store.database import Store
from server.store.executor import LimitedStoreReader, StoreExecutor
from tests.serving import LIMIT_S


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
            # The job of the calls before this one may not have ended.
            store._thread.submit(bool).result()
            store._thread.submit = fail
            with pytest.raises(RecursionError):
                await call(lambda _store: "lost")
            async with asyncio.timeout(30):
                results = [await call(lambda _store, n=n: n) for n in range(3)]
            assert results == [0, 1, 2]
        await store.close()

    asyncio.run(scene())


def test_posted_calls_are_made_in_order_and_report_their_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "POSTED_AT_ONCE", 4)

    def fail(_store):
        raise ValueError("an error")

    async def scene():
        store = StoreExecutor(tmp_path / "hurrah.db")
        done, errors = [], []
        store.post(errors.append, lambda _store: done.append(1))
        store.post(errors.append, fail)
        await store(lambda _store: done.append(2))
        assert done == [1, 2]
        await asyncio.sleep(0)
        assert [str(error) for error in errors] == ["an error"]

        # Enough of them are made although no other call follows.
        all_made = threading.Event()
        for number in range(3):
            store.post(errors.append, lambda _store, n=number: done.append(n))
        store.post(errors.append, lambda _store: all_made.set())
        assert await asyncio.to_thread(all_made.wait, LIMIT_S)
        assert done[2:] == [0, 1, 2]

        store.post(errors.append, lambda _store: done.append("last"))
        await store.close()
        assert done[-1] == "last"

    asyncio.run(scene())


def test_commits_are_shared_and_each_follows_the_writes_before_it(tmp_path, monkeypatch):
    # Long enough for all writes below, also when this process stalls in between.
    monkeypatch.setattr(executor, "SHARED_COMMIT_EVERY_S", 1.0)
    done = []
    monkeypatch.setattr(Store, "commit_written", lambda _store: done.append("commit"))

    async def inside():
        async with BlockedThread(tmp_path) as blocked:
            await blocked.unblock()
            store = blocked.store
            await store.commit_shared()
            assert done == ["commit"]

            async def write(name):
                await store(lambda _store: done.append(name))
                await store.commit_shared()
                assert "commit" in done[done.index(name) :]

            async with asyncio.timeout(LIMIT_S):
                cancelled = asyncio.create_task(write("cancelled"))
                others = asyncio.gather(*(write(str(number)) for number in range(20)))
                await asyncio.sleep(0)
                cancelled.cancel()
                await others
            assert done.count("commit") <= 3

    asyncio.run(inside())


def test_a_shared_commit_writes_the_histories_of_runs_in_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "BUFFERS_AT_ONCE", 2)
    steps = []
    write = Store.write_buffers

    def counted(store, runs):
        write(store, runs)
        steps.append(runs)

    monkeypatch.setattr(Store, "write_buffers", counted)

    async def inside():
        async with BlockedThread(tmp_path) as blocked:
            await blocked.unblock()
            runs = [str(number) for number in range(5)]
            for run in runs:
                await blocked.store(Store.add_run, run, "{}")
            for run in runs:
                losses = Records(1, np.full(100, 60.0))
                await blocked.store(Store.add_report, run, '{"update": 100}', losses, [])
            await blocked.store.commit_shared()
            assert steps == [["0", "1"], ["2", "3"], ["4"]]
            assert not await blocked.store(Store.changed_runs)
        reopened = Store(tmp_path / "hurrah.db")
        assert {reopened.history_end(run) for run in runs} == {100}
        reopened.close()

    asyncio.run(inside())


def test_a_shared_commit_ends_before_the_database_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "SHARED_COMMIT_EVERY_S", 3_600.0)

    async def inside():
        store = StoreExecutor(tmp_path / "hurrah.db")
        await store.commit_shared()
        caller = asyncio.create_task(store.commit_shared())
        await asyncio.sleep(0)
        caller.cancel()
        commits = asyncio.all_tasks() - {asyncio.current_task(), caller}
        assert len(commits) == 1
        await store.close()
        done, _ = await asyncio.wait(commits, timeout=LIMIT_S)
        assert all(commit.cancelled() for commit in done)

    asyncio.run(inside())


def test_a_commit_that_fails_fails_for_all_that_share_it(tmp_path, monkeypatch):
    async def inside():
        async with BlockedThread(tmp_path) as blocked:
            await blocked.unblock()
            with monkeypatch.context() as patch:
                patch.setattr(Store, "commit_written", _fail)
                commits = [blocked.store.commit_shared() for _ in range(3)]
                found = await asyncio.gather(*commits, return_exceptions=True)
            assert [type(each) for each in found] == [StorageError] * 3
            await blocked.store.commit_shared()

    asyncio.run(inside())


def _fail(_store):
    raise StorageError("The disk is full.")
