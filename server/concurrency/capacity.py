"""A limit on the number of things that exist, those being created included."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from server.errors import LimitReachedError

__all__ = ["CapacityLimit"]


class CapacityLimit:
    """Counts what exists and what is being created together.

    Creating something takes a while, during which other requests arrive. If only what exists were
    counted, all of them would be let in.

    Parameters
    ----------
    most : int
        How many there may be.
    count : callable
        Returns how many exist.
    refusal : str
        The error message at the limit.
    """

    def __init__(self, most: int, count: Callable[[], int], refusal: str) -> None:
        self._most = most
        self._count = count
        self._refusal = refusal
        self._being_created = 0

    @contextlib.contextmanager
    def reserve(self) -> Iterator[None]:
        """Reserve a place for what is created in the block.

        Raises
        ------
        LimitReachedError
            The limit is reached.
        """
        if self._count() + self._being_created >= self._most:
            raise LimitReachedError(self._refusal)
        self._being_created += 1
        try:
            yield
        finally:
            self._being_created -= 1
