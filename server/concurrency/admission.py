"""Waiting for one's turn, in a line that does not grow without end."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from server.errors import TooBusyError

__all__ = ["AdmissionLimiter"]


class AdmissionLimiter:
    """An asynchronous context manager: within it are at most so many at once; others wait.

    Parameters
    ----------
    at_once : int
        How many may be within.
    in_all : int
        How many may be within or wait.
    what : str
        What they are, in the plural.
    patience_s : float or None
        How long others wait at most; None: until it is their turn.
    """

    def __init__(
        self, at_once: int, in_all: int, what: str, patience_s: float | None = None
    ) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._in_all = in_all
        self._what = what
        self._patience_s = patience_s
        self._here = 0

    async def __aenter__(self) -> None:
        """Wait for one's turn.

        Raises
        ------
        TooBusyError
            Too many wait already, or it took too long.
        """
        if self._here >= self._in_all:
            raise TooBusyError(
                f"{self._in_all:,} {self._what} are under way or waited for, which is the limit:"
                " try again in a moment."
            )
        self._here += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await self._room.acquire()
        except BaseException as error:
            self._here -= 1
            if isinstance(error, TimeoutError) and self._patience_s is not None:
                raise self._waited(self._patience_s) from error
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

    def _waited(self, patience_s: float) -> TooBusyError:
        return TooBusyError(
            f"{self._at_once:,} {self._what} are under way, which is the limit, and this one's turn"
            f" did not come within {patience_s:g} s: try again later.",
            retry_after_s=math.ceil(patience_s),
        )
