"""Functions that are called again and again in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["PeriodicTasks"]

log = logging.getLogger(__name__)


class PeriodicTasks:
    """Calls functions periodically between `start` and `stop`.

    An exception is logged, and the function is called again.

    Parameters
    ----------
    owner : str
        Named in the log.
    *functions : tuple of (callable, callable)
        A function to await, and one that returns the seconds before its next call.
    """

    def __init__(
        self, owner: str, *functions: tuple[Callable[[], Awaitable[None]], Callable[[], float]]
    ) -> None:
        self._owner = owner
        self._functions = functions
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Whether they have been started and not stopped."""
        return bool(self._tasks)

    def start(self) -> None:
        """Start, unless they are running."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._repeat(function, interval_s))
                for function, interval_s in self._functions
            ]

    def stop(self) -> None:
        """Cancel them; a function that calls this itself runs to its end, for the last time."""
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._tasks = []

    async def _repeat(
        self, function: Callable[[], Awaitable[None]], interval_s: Callable[[], float]
    ) -> None:
        tasks = self._tasks
        while tasks is self._tasks:
            await asyncio.sleep(interval_s())
            try:
                await function()
            except Exception:
                # The next call may succeed; without it nothing would be stored any more.
                log.exception("%s: a periodic task failed", self._owner)
