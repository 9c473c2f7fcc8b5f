"""Samples stay in the queue until they are recorded, despite failures."""

import asyncio

import pytest

from server.runs import sample_queue
from server.runs.sample_queue import SampleQueue


def sample(update):
    return {"update": update, "text": "some"}


def run_queue(record, use, *updates):
    """Put samples into a queue and use it; return those that have left it, in order."""
    left = []

    async def work():
        queue = SampleQueue(record, left.append, "run")
        with queue.adding([sample(update) for update in updates]):
            pass
        try:
            async with asyncio.timeout(30):
                await use(queue)
        finally:
            await queue.close()

    asyncio.run(work())
    return left


async def until_empty(queue):
    while queue.first is not None:
        await queue.drain()
        await asyncio.sleep(0.01)


def test_a_failed_sample_is_tried_again_in_order():
    recorded, failures = [], [OSError("no"), RuntimeError("no"), ValueError("no")]

    async def record(pending):
        if pending.update == 10 and failures:
            raise failures.pop()
        recorded.append(pending.update)

    assert run_queue(record, until_empty, 0, 10, 20) == [0, 10, 20]
    assert recorded == [0, 10, 20]


def test_a_failing_sample_stays_first_and_drain_does_not_wait():
    async def record(_pending):
        raise OSError("no")

    async def use(queue):
        await queue.drain()
        assert queue.first == 10
        assert queue.contains(20)

    run_queue(record, use, 10, 20)


def test_a_discarded_sample_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sample_queue, "FIRST_RETRY_S", 10_000.0)
    monkeypatch.setattr(sample_queue, "LONGEST_RETRY_S", 10_000.0)
    recorded = []

    async def record(pending):
        if pending.update == 10:
            raise OSError("no")
        recorded.append(pending.update)

    async def use(queue):
        await queue.drain()
        queue.discard_after(5)
        with queue.adding([sample(6)]):
            pass
        await until_empty(queue)

    run_queue(record, use, 10)
    assert recorded == [6]


def test_samples_that_could_not_be_added_are_not_waited_for():
    recorded = []

    async def record(pending):
        recorded.append(pending.update)

    async def use(queue):
        with pytest.raises(RecursionError), queue.adding([sample(10)]):
            raise RecursionError("the report could not be stored")
        await queue.drain()
        assert not queue.contains(10)
        with queue.adding([sample(20)]):
            pass
        await queue.drain()

    assert run_queue(record, use, 0) == [0, 20]
    assert recorded == [0, 20]


def test_a_sample_that_cannot_be_confirmed_does_not_end_the_queue():
    async def record(_pending):
        pass

    def fail(_update):
        raise RecursionError("not confirmed")

    async def work():
        queue = SampleQueue(record, fail, "run")
        async with asyncio.timeout(30):
            for update in (1, 2):
                with queue.adding([sample(update)]):
                    pass
                await queue.drain()
        await queue.close()

    asyncio.run(work())
