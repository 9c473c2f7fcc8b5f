"""Answers that many ask for at once: worked out once, and remembered for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["SingleFlightCache"]

T = TypeVar("T")


class SingleFlightCache(Generic[T]):
    """Remembers the newest answers, each by what was asked.

    Whoever asks for what somebody else waits for already waits with them. A failure is told to all
    who wait for it, and not remembered.

    Parameters
    ----------
    most : int
        How many are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, asyncio.Future[T]] = OrderedDict()

    def knows(self, question: Hashable) -> bool:
        """Whether the answer is known, or is being worked out."""
        return question in self._answers

    async def get(self, question: Hashable, work_out: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question, which `work_out` gives if it is not known."""
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = asyncio.ensure_future(work_out())
            answer.add_done_callback(lambda done: self._settle(question, done))
        self._answers.move_to_end(question)
        # Whoever asks may leave: the others still wait for it.
        return await asyncio.shield(answer)

    def _settle(self, question: Hashable, done: asyncio.Future[T]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._answers.pop(question, None)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)
