"""Threads that compute the parts of a task at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from itertools import pairwise
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


class ThreadTeam:
    """A fixed number of threads, of which the calling one is the first.

    NumPy releases the interpreter's lock while it computes, so they use several cores. The others
    start at the first call of `run`, and end when the team is no longer referenced.

    Parameters
    ----------
    threads : int
        At least 2.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._others = ThreadPoolExecutor(threads - 1, thread_name_prefix="training")

    def run(self, function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """Call a function once for each part, and wait until all calls have ended.

        Parameters
        ----------
        function : callable
            Takes a part. It is called with the caller's context, such as `numpy.errstate`.
        parts : sequence
            At most as many as there are threads, and at least one.

        Returns
        -------
        list
            The results, in the order of the parts. If a call fails, its error is raised.
        """
        first, *others = parts
        futures = [self._others.submit(copy_context().run, function, part) for part in others]
        try:
            result = function(first)
        finally:
            # Nobody may change the arrays while a thread still works on them.
            wait(futures)
        return [result, *(future.result() for future in futures)]


def divide(size: int, parts: int) -> list[slice]:
    """Divide a range into parts whose lengths differ by at most one, the longer ones first."""
    length, longer = divmod(size, parts)
    starts = [part * length + min(part, longer) for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(starts)]
