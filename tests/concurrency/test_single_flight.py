"""A cache computes a value once, and keeps no exception."""

import asyncio

import pytest

from server.concurrency.single_flight import SingleFlightCache


async def fail():
    raise ValueError("an error")


async def succeed():
    return "a value"


def fail_at_once():
    raise RecursionError("no coroutine")


@pytest.mark.parametrize(("compute", "error"), [(fail, ValueError), (fail_at_once, RecursionError)])
def test_an_exception_is_not_cached(compute, error):
    async def scene():
        cache = SingleFlightCache(2)
        for _ in range(2):
            with pytest.raises(error):
                await cache.get("key", compute)
        assert "key" not in cache
        assert await cache.get("key", succeed) == "a value"

    asyncio.run(scene())


def test_a_cancelled_request_leaves_the_value_to_the_others():
    async def scene():
        cache, end = SingleFlightCache(2), asyncio.Event()

        async def compute():
            await end.wait()
            return "a value"

        first, second = [asyncio.create_task(cache.get("key", compute)) for _ in range(2)]
        await asyncio.sleep(0)
        first.cancel()
        end.set()
        assert await second == "a value"

    asyncio.run(scene())


def test_a_late_exception_does_not_remove_a_newer_value():
    async def scene():
        cache, end = SingleFlightCache(1), asyncio.Event()

        async def fail_late():
            await end.wait()
            raise ValueError("an error")

        late = asyncio.create_task(cache.get("key", fail_late))
        await asyncio.sleep(0)
        # Another value replaces the one that is being computed, and then the key is asked again.
        await cache.get("other", succeed)
        await asyncio.sleep(0)
        assert await cache.get("key", succeed) == "a value"
        end.set()
        with pytest.raises(ValueError, match="an error"):
            await late
        assert "key" in cache

    asyncio.run(scene())
