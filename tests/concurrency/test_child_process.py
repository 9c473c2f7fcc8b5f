"""Cancelling the commands of a child process."""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from server.concurrency.child_process import JsonChildProcess
from server.concurrency.typed_messages import Command

pytestmark = pytest.mark.process


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Command):
    rounds: int | None = None


async def ignore(_):
    pass


@contextlib.asynccontextmanager
async def busy_child():
    process = await JsonChildProcess.start("tests.concurrency.busy_child", ignore, ignore)
    try:
        yield process
    finally:
        await process.terminate()


async def begin(process, *, cancellable=True, rounds=None):
    """Send a command; return its task and an event that is set when the process has begun it."""
    begun = asyncio.Event()
    request = process.request(Work(rounds=rounds), lambda _: begun.set(), cancellable=cancellable)
    task = asyncio.create_task(request)
    await asyncio.sleep(0)
    return task, begun


def test_a_cancelled_command_is_interrupted():
    async def scene():
        async with busy_child() as process:
            endless, begun = await begin(process)
            await begun.wait()
            endless.cancel()
            # This would wait for ever.
            assert await process.request(Work(rounds=1)) == {
                "answer": 2,
                "begun": [1, 2],
                "cancelled": [1],
            }

    asyncio.run(scene())


def test_cancelled_commands_that_wait_are_never_begun():
    async def scene():
        async with busy_child() as process:
            endless, begun = await begin(process)
            await begun.wait()
            waiting = [(await begin(process))[0] for _ in range(400)]
            for task in waiting:
                task.cancel()
            endless.cancel()
            reply = await process.request(Work(rounds=1))
            assert (reply["begun"], reply["cancelled"]) == ([1, 402], [1])

    asyncio.run(scene())


def test_cancelling_at_any_moment_affects_no_other_command():
    """A command may begin or end in the very moment in which it is cancelled."""

    async def scene():
        async with busy_child() as process:
            for rounds in range(300):
                short, begun = await begin(process, rounds=rounds % 7)
                if rounds % 3:
                    await begun.wait()
                short.cancel()
                if rounds % 10 == 0:
                    number = (await process.request(Work(rounds=3)))["begun"][-1]
            reply = await process.request(Work(rounds=3))
            assert reply["begun"][-1] == reply["answer"] > number
            # Those that were neither cancelled nor left out came to their end.
            assert set(reply["cancelled"]) <= set(reply["begun"])

    asyncio.run(scene())


def test_a_command_that_cannot_be_cancelled_is_carried_out():
    async def scene():
        async with busy_child() as process:
            change, _ = await begin(process, cancellable=False, rounds=100)
            change.cancel()
            reply = await process.request(Work(rounds=1))
            assert (reply["begun"], reply["cancelled"]) == ([1, 2], [])

    asyncio.run(scene())
