"""A fault in one message of a child process does not reach other requests."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from server.concurrency.child_process import ChildExitedError, ChildRefusedError, JsonChildProcess
from server.concurrency.typed_messages import Command

pytestmark = pytest.mark.process


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Command):
    """A command that the child refuses, which shows that it answers."""

    value: Any = None


def with_child(use, on_event=None, on_exit=None):
    """Start an inference process, use it, and end it."""

    async def ignore(_):
        pass

    async def scene():
        child = await JsonChildProcess.start(
            "server.inference", on_event or ignore, on_exit or ignore
        )
        try:
            async with asyncio.timeout(60):
                await use(child)
                await child.terminate()
        finally:
            child.kill()
        assert not child.alive

    asyncio.run(scene())


async def assert_answers(child):
    with pytest.raises(ChildRefusedError, match="no command"):
        await child.request(Unknown())
    assert not child._replies
    assert not child._on_partial


def test_a_command_that_cannot_be_sent_leaves_nothing_behind():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    async def use(child):
        for value, error in ((object(), TypeError), (deep, RecursionError)):
            with pytest.raises(error):
                await child.request(Unknown(value=value), lambda _: None)
            await assert_answers(child)

    with_child(use)


def test_a_partial_reply_that_cannot_be_used_fails_only_its_request(monkeypatch):
    def fail(_message):
        raise RecursionError("not usable")

    async def use(child):
        await assert_answers(child)
        waiting = asyncio.ensure_future(child.request(Unknown(), fail))
        await asyncio.sleep(0)
        [number] = child._replies
        child._pass_on_partial(number, {"partial": number})
        with pytest.raises(RecursionError, match="not usable"):
            await waiting
        await assert_answers(child)

    with_child(use)


def test_an_event_that_cannot_be_handled_ends_the_process_and_every_request():
    ended = []

    async def fail_at_the_end(how):
        ended.append(how)
        raise OSError("no")

    async def use(child):
        await assert_answers(child)
        # The next message is not a JSON object: reading it fails.
        child._process.stdout.feed_data(b"[]\n")
        with pytest.raises(ChildExitedError):
            await child.request(Unknown())
        await child.terminate()

    with_child(use, on_exit=fail_at_the_end)
    assert len(ended) == 1
