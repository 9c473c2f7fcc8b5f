"""Coroutines that run to their end."""

import asyncio

import pytest

from server.concurrency.background_tasks import run_to_end


def test_a_coroutine_runs_to_its_end_although_nobody_waits():
    async def scene():
        begun, ends, done = asyncio.Event(), asyncio.Event(), []

        async def work():
            begun.set()
            await ends.wait()
            done.append(True)

        task = asyncio.create_task(run_to_end(work()))
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        ends.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [True]

    asyncio.run(scene())


def test_its_result_or_error_is_passed_on():
    async def fail():
        raise ValueError("broken")

    async def scene():
        assert await run_to_end(asyncio.sleep(0, "result")) == "result"
        with pytest.raises(ValueError, match="broken"):
            await run_to_end(fail())

    asyncio.run(scene())
