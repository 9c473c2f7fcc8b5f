"""Samples wait in line until they are kept, whatever goes wrong meanwhile."""

import asyncio

from server.runs import sample_queue
from server.runs.sample_queue import SampleQueue


def sample(update):
    return {"update": update, "text": "some"}


def lined_up(keep, talk, *updates):
    """Put samples in line, and talk about it; return what left it, in order."""
    left = []

    async def work():
        line = SampleQueue(keep, left.append, "run")
        line.put(line.announce([sample(update) for update in updates]))
        try:
            async with asyncio.timeout(30):
                await talk(line)
        finally:
            await line.close()

    asyncio.run(work())
    return left


async def until_through(line):
    while line.first is not None:
        await line.drain()
        await asyncio.sleep(0.01)


def test_what_fails_is_tried_again_and_in_its_turn():
    kept, failures = [], [OSError("no"), RuntimeError("no"), ValueError("no")]

    async def keep(waiting):
        if waiting.update == 10 and failures:
            raise failures.pop()
        kept.append(waiting.update)

    assert lined_up(keep, until_through, 0, 10, 20) == [0, 10, 20]
    assert kept == [0, 10, 20]


def test_while_it_fails_the_first_in_line_stays_and_nobody_waits_for_it():
    async def keep(_waiting):
        raise OSError("no")

    async def talk(line):
        await line.drain()
        assert line.first == 10
        assert line.contains(20)

    lined_up(keep, talk, 10, 20)


def test_what_is_forgotten_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sample_queue, "FIRST_RETRY_S", 10_000.0)
    monkeypatch.setattr(sample_queue, "LONGEST_RETRY_S", 10_000.0)
    kept = []

    async def keep(waiting):
        if waiting.update == 10:
            raise OSError("no")
        kept.append(waiting.update)

    async def talk(line):
        await line.drain()
        line.discard_after(5)
        line.put(line.announce([sample(6)]))
        await until_through(line)

    lined_up(keep, talk, 10)
    assert kept == [6]
