"""Samples that wait in line to be measured, and who must know of them meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from server.concurrency.json_lines import Message

__all__ = ["PendingSample", "SampleQueue"]

log = logging.getLogger(__name__)

# Before what failed is tried again: twice as long each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0


@dataclass(eq=False, slots=True)
class PendingSample:
    """A sample as it was reported; `forgotten` once the run has gone back to before it."""

    sample: Message
    forgotten: bool = False

    @property
    def update(self) -> int:
        """The update after which it was written."""
        update: int = self.sample["update"]
        return update


class SampleQueue:
    """One run's samples between being reported and being kept, each in its turn.

    Parameters
    ----------
    keep : callable
        Measures and keeps one; should it find it `forgotten` at the end, it must not keep it. What
        it raises is logged, and it is called again until it succeeds.
    left : callable
        Called with the update of each that is in line no more, kept or not.
    owner : str
        Named in the log.
    """

    def __init__(
        self,
        keep: Callable[[PendingSample], Awaitable[None]],
        left: Callable[[int], None],
        owner: str,
    ) -> None:
        self._keep = keep
        self._left = left
        self._owner = owner
        # Who writes them waits when too many are in it; see `server.worker.reporter`.
        self._queue: asyncio.Queue[PendingSample] = asyncio.Queue()
        self._waiting: deque[PendingSample] = deque()
        self._moved = asyncio.Event()
        self._closed = False
        self._failing = False
        self._working = asyncio.create_task(self._work())

    def announce(self, samples: list[Message]) -> list[PendingSample]:
        """Let it be known that these will be kept; `put` is to follow."""
        waiting = [PendingSample(sample) for sample in samples]
        self._waiting.extend(waiting)
        return waiting

    def put(self, waiting: list[PendingSample]) -> None:
        """Put them in line."""
        for one in waiting:
            self._queue.put_nowait(one)

    @property
    def first(self) -> int | None:
        """The update of the first that is not kept yet; None when there is none."""
        return self._waiting[0].update if self._waiting else None

    def holds(self, update: int) -> bool:
        """Whether the sample at `update` is in line."""
        return any(one.update == update for one in self._waiting)

    def forget_after(self, update: int) -> None:
        """Let nothing be kept that was written after `update`: it will be written again."""
        for one in [one for one in self._waiting if one.update > update]:
            one.forgotten = True
            self._waiting.remove(one)
        self._wake()

    async def caught_up(self) -> None:
        """Wait until everything that is in line by now is kept, or forgotten.

        Not while keeping fails, since nobody knows how long it will.
        """
        if self._waiting:
            last = self._waiting[-1]
            while last in self._waiting and not self._closed and not self._failing:
                await self._moved.wait()

    async def close(self) -> None:
        """Keep nothing more."""
        self._closed = True
        self._wake()
        self._working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._working

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _work(self) -> None:
        while True:
            one = await self._queue.get()
            try:
                await self._keep_in_the_end(one)
            finally:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(one)
                self._wake()
                self._left(one.update)

    async def _keep_in_the_end(self, one: PendingSample) -> None:
        """Try until it is kept or forgotten: once it leaves the line, its worker forgets it too."""
        pause_s = FIRST_PAUSE_S
        while not one.forgotten:
            try:
                await self._keep(one)
            except Exception:
                log.exception("%s: a sample is not kept yet, and tried again", self._owner)
                self._failing = True
                self._wake()
                await self._pause(one, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                break
        self._failing = False

    async def _pause(self, one: PendingSample, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while not one.forgotten:
                    await self._moved.wait()
