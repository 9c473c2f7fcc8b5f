"""An admission limiter runs a few tasks at once and lets a few more wait."""

import asyncio

import pytest

from server.concurrency.admission import AdmissionLimiter
from server.errors import TooBusyError


def test_an_admission_queue_is_bounded():
    async def scene():
        limiter = AdmissionLimiter(1, 3, "things")
        order = []

        async def work(number):
            async with limiter:
                order.append(number)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(work(number)) for number in range(4)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in done[:3]] == [type(None)] * 3
        assert isinstance(done[3], TooBusyError)
        assert "3 things" in str(done[3])
        assert order == [0, 1, 2]
        # A task that is cancelled while it waits leaves the queue.
        async with limiter:
            waiting = [asyncio.create_task(work(9)) for _ in range(2)]
            await asyncio.sleep(0)
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            waiting = asyncio.create_task(work(10))
            await asyncio.sleep(0)
        await waiting
        assert order[-1] == 10

    asyncio.run(scene())


def test_waiting_for_admission_times_out():
    async def scene():
        limiter = AdmissionLimiter(1, 3, "things", timeout_s=0.01)
        async with limiter:
            with pytest.raises(TooBusyError, match="1 things are in progress") as raised:
                async with limiter:
                    raise AssertionError
        assert raised.value.retry_after_s == 1
        # The task that timed out has left the queue.
        for _ in range(5):
            async with limiter:
                pass
        with pytest.raises(TimeoutError, match="its own"):
            async with limiter:
                raise TimeoutError("its own")

    asyncio.run(scene())
