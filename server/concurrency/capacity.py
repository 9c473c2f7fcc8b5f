"""Places for things of which there may be only so many, also while they are being made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from server.errors import LimitReachedError

__all__ = ["CapacityLimit"]


class CapacityLimit:
    """Counts what is there and what is being made together.

    Making something takes a while, in which others ask for the same: who counts only what is there
    lets all of them in.

    Parameters
    ----------
    most : int
        How many there may be.
    there : callable
        Returns how many there are.
    refusal : str
        What is said where there are as many as may be.
    """

    def __init__(self, most: int, there: Callable[[], int], refusal: str) -> None:
        self._most = most
        self._there = there
        self._refusal = refusal
        self._being_made = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold a place for what is made meanwhile; should that fail, the place is free again.

        Raises
        ------
        LimitReachedError
            None is free.
        """
        if self._there() + self._being_made >= self._most:
            raise LimitReachedError(self._refusal)
        self._being_made += 1
        try:
            yield
        finally:
            self._being_made -= 1
