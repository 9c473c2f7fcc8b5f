"""Reported samples that wait to be measured and stored, in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from server.concurrency.json_lines import Message

__all__ = ["PendingSample", "SampleQueue"]

log = logging.getLogger(__name__)

FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 10.0
"""Delays before a failed sample is tried again: the first, and the last after doubling."""


@dataclass(eq=False, slots=True)
class PendingSample:
    """A sample as reported; `discarded` once the run has gone back to before it."""

    sample: Message
    discarded: bool = False

    @property
    def update(self) -> int:
        """The update after which it was written."""
        update: int = self.sample["update"]
        return update


class SampleQueue:
    """One run's samples between being reported and being stored.

    Parameters
    ----------
    record : callable
        Measures and stores a sample, unless it is `discarded` by then. An exception is logged, and
        `record` is called again until it succeeds.
    on_done : callable
        Called with the update of each sample that has left the queue, stored or not.
    owner : str
        Named in the log.
    """

    def __init__(
        self,
        record: Callable[[PendingSample], Awaitable[None]],
        on_done: Callable[[int], None],
        owner: str,
    ) -> None:
        self._record = record
        self._on_done = on_done
        self._owner = owner
        # Bounded by the worker, which waits when too many samples are not measured.
        self._queue: asyncio.Queue[PendingSample] = asyncio.Queue()
        self._pending: deque[PendingSample] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._failing = False
        self._task = asyncio.create_task(self._run())

    @contextlib.contextmanager
    def adding(self, samples: Sequence[Message]) -> Iterator[None]:
        """Count samples as pending, and add them to the queue if the block succeeds."""
        pending = [PendingSample(sample) for sample in samples]
        self._pending.extend(pending)
        try:
            yield
        except BaseException:
            # Nothing would ever record them, and `drain` would wait for ever.
            for one in pending:
                self._remove(one)
            self._wake()
            raise
        for one in pending:
            self._queue.put_nowait(one)

    @property
    def first(self) -> int | None:
        """The update of the first sample that is not stored yet; None if there is none."""
        return self._pending[0].update if self._pending else None

    def contains(self, update: int) -> bool:
        """Whether the sample of this update is pending."""
        return any(one.update == update for one in self._pending)

    def discard_after(self, update: int) -> None:
        """Discard the samples written after `update`, because they will be written again."""
        for one in [one for one in self._pending if one.update > update]:
            one.discarded = True
            self._pending.remove(one)
        self._wake()

    async def drain(self) -> None:
        """Wait until every sample that is pending now is stored or discarded.

        Returns early while storing fails, since it may fail for long.
        """
        if self._pending:
            last = self._pending[-1]
            while last in self._pending and not self._closed and not self._failing:
                await self._changed.wait()

    async def close(self) -> None:
        """Stop; pending samples are not stored."""
        self._closed = True
        self._wake()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _run(self) -> None:
        while True:
            one = await self._queue.get()
            await self._record_with_retries(one)
            self._remove(one)
            self._wake()
            try:
                self._on_done(one.update)
            except Exception:
                log.exception("%s: a measured sample could not be confirmed", self._owner)

    def _remove(self, one: PendingSample) -> None:
        with contextlib.suppress(ValueError):  # It was discarded.
            self._pending.remove(one)

    async def _record_with_retries(self, one: PendingSample) -> None:
        """Try until the sample is stored or discarded: once it is done, the worker forgets it."""
        delay_s = FIRST_RETRY_S
        while not one.discarded:
            try:
                await self._record(one)
            except Exception:
                log.exception(
                    "%s: a sample could not be stored; it will be tried again", self._owner
                )
                self._failing = True
                self._wake()
                await self._sleep(one, delay_s)
                delay_s = min(2 * delay_s, LONGEST_RETRY_S)
            else:
                break
        self._failing = False

    async def _sleep(self, one: PendingSample, delay_s: float) -> None:
        """Wait, but not after the sample is discarded."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                while not one.discarded:
                    await self._changed.wait()
