"""Waiting for one's turn, in a line that does not grow without end."""

from __future__ import annotations

import asyncio
from types import TracebackType

from server.runs.errors import TooBusyError

__all__ = ["Turns"]


class Turns:
    """An asynchronous context manager: within it are at most so many at once; others wait.

    Parameters
    ----------
    at_once : int
        How many may be within.
    in_all : int
        How many may be within or wait.
    what : str
        What they are, in the plural.
    """

    def __init__(self, at_once: int, in_all: int, what: str) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._in_all = in_all
        self._what = what
        self._here = 0

    async def __aenter__(self) -> None:
        """Wait for one's turn.

        Raises
        ------
        TooBusyError
            Too many wait already.
        """
        if self._here >= self._in_all:
            raise TooBusyError(
                f"{self._in_all:,} {self._what} are under way or waited for, which is the limit:"
                " try again in a moment."
            )
        self._here += 1
        try:
            await self._room.acquire()
        except BaseException:
            self._here -= 1
            raise

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Let the next one in."""
        self._here -= 1
        self._room.release()
