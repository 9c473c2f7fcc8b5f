"""A cache in which concurrent requests share one computation."""

import asyncio

import pytest

from server.concurrency.single_flight import SingleFlightCache


class Computation:
    """A computation that ends when it is told to, and counts its beginnings and cancellations."""

    def __init__(self):
        self.begun = self.cancelled = 0
        self.has_begun = asyncio.Event()
        self.ends = asyncio.Event()

    async def __call__(self):
        self.begun += 1
        self.has_begun.set()
        try:
            await self.ends.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.begun


def requests(cache, compute, count):
    return [asyncio.create_task(cache.get("key", compute)) for _ in range(count)]


def test_concurrent_requests_share_a_computation():
    async def scene():
        cache, compute = SingleFlightCache(1), Computation()
        tasks = requests(cache, compute, 3)
        await compute.has_begun.wait()
        # The others still wait.
        tasks.pop().cancel()
        compute.ends.set()
        assert await asyncio.gather(*tasks) == [1, 1]
        assert await cache.get("key", compute) == 1
        assert (compute.begun, compute.cancelled) == (1, 0)

    asyncio.run(scene())


def test_a_computation_that_nobody_waits_for_is_cancelled():
    async def scene():
        cache, compute = SingleFlightCache(1), Computation()
        tasks = requests(cache, compute, 3)
        await compute.has_begun.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert "key" not in cache
        # A request that comes before the computation has been cancelled begins its own.
        compute.has_begun.clear()
        (again,) = requests(cache, compute, 1)
        await compute.has_begun.wait()
        assert compute.cancelled == 1
        assert "key" in cache
        compute.ends.set()
        assert await again == 2
        assert "key" in cache

    asyncio.run(scene())


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


def test_an_error_is_raised_to_all_and_not_cached():
    async def scene():
        cache = SingleFlightCache(1)
        errors = await asyncio.gather(*requests(cache, fail, 2), return_exceptions=True)
        assert [str(error) for error in errors] == ["an error", "an error"]
        assert await cache.get("key", succeed) == "a value"

    asyncio.run(scene())


@pytest.mark.parametrize("size", [1, 2])
def test_the_least_recently_used_value_is_dropped(size):
    async def scene():
        cache = SingleFlightCache(size)
        for key in range(4):
            await cache.get(key, lambda: asyncio.sleep(0, "value"))
        assert [key for key in range(4) if key in cache] == [*range(4 - size, 4)]

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
