"""A periodic task survives its own exceptions."""

import asyncio

from server.concurrency.periodic_tasks import PeriodicTasks


def test_an_exception_does_not_end_the_repetition():
    async def scene():
        calls, done = [], asyncio.Event()

        async def work():
            calls.append(len(calls))
            if len(calls) == 3:
                done.set()
            raise ValueError("an error")

        tasks = PeriodicTasks("owner", (work, lambda: 0.001))
        tasks.start()
        async with asyncio.timeout(30):
            await done.wait()
        tasks.stop()
        assert not tasks.running

    asyncio.run(scene())
