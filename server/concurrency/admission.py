"""A limit on what runs at once, with a bounded queue."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from server.errors import TooBusyError

__all__ = ["AdmissionLimiter"]


class AdmissionLimiter:
    """An asynchronous context manager that at most so many tasks are in at once; others wait.

    Parameters
    ----------
    at_once : int
        Tasks inside at most.
    in_all : int
        Tasks inside or waiting at most.
    what : str
        What they are, in the plural; for error messages.
    timeout_s : float or None
        How long a task waits at most; None: without limit.
    """

    def __init__(
        self, at_once: int, in_all: int, what: str, timeout_s: float | None = None
    ) -> None:
        self._semaphore = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._in_all = in_all
        self._what = what
        self._timeout_s = timeout_s
        self._admitted = 0

    async def __aenter__(self) -> None:
        """Wait for admission.

        Raises
        ------
        TooBusyError
            Too many tasks are waiting, or the wait took too long.
        """
        if self._admitted >= self._in_all:
            raise TooBusyError(
                f"{self._in_all:,} {self._what} are in progress or waiting, which is the limit:"
                " try again in a moment."
            )
        self._admitted += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._semaphore.acquire()
        except BaseException as error:
            self._admitted -= 1
            if isinstance(error, TimeoutError) and self._timeout_s is not None:
                raise self._timed_out(self._timeout_s) from error
            raise

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Admit the next task."""
        self._admitted -= 1
        self._semaphore.release()

    def _timed_out(self, timeout_s: float) -> TooBusyError:
        return TooBusyError(
            f"{self._at_once:,} {self._what} are in progress, which is the limit, and none of them"
            f" ended within {timeout_s:g} s: try again later.",
            retry_after_s=math.ceil(timeout_s),
        )
