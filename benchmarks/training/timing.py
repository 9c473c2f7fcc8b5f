"""Timing of several candidates in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPEATS = 5

# The number of turns of each candidate within a repeat. If the machine becomes slower or faster
# meanwhile, all candidates are affected.
TURNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something to time.

    Attributes
    ----------
    run : callable
        Performs `operations` operations.
    operations : int
        The number of operations per call.
    """

    run: Callable[[], object]
    operations: int = 1


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one operation.

    Attributes
    ----------
    seconds : tuple of float
        The mean of each repeat, in seconds per operation.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the repeats, in seconds."""
        return statistics.median(self.seconds)

    def times_faster_than(self, other: "Timing") -> float:
        """Return the median of the ratios of each repeat's times."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return statistics.median(theirs / own for theirs, own in pairs)


def measure(
    candidates: Mapping[str, Candidate],
    seconds: float,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Timing]:
    """Time all candidates.

    Parameters
    ----------
    candidates : mapping of str to Candidate
        By name.
    seconds : float
        The time of each candidate in a repeat. Slow candidates take longer, because every turn is
        at least one call.
    clock : callable
        Returns seconds: by default the CPU time of this process, which other processes affect less
        than wall-clock time.

    Returns
    -------
    dict of str to Timing
        In seconds of the clock.
    """
    calls = {
        name: _calls(candidate.run, seconds / TURNS, clock)
        for name, candidate in candidates.items()
    }
    repeats: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(REPEATS):
        spent = dict.fromkeys(candidates, 0.0)
        for _ in range(TURNS):
            for name, candidate in candidates.items():
                spent[name] += _time(candidate.run, calls[name], clock)
        for name, candidate in candidates.items():
            repeats[name].append(spent[name] / (TURNS * calls[name] * candidate.operations))
    return {name: Timing(tuple(times)) for name, times in repeats.items()}


def _calls(run: Callable[[], object], seconds: float, clock: Callable[[], float]) -> int:
    """Return the number of calls in `seconds`, after a first call, which may compile."""
    run()
    calls = 1
    while (spent := _time(run, calls, clock)) < seconds / 4 and calls < 1_000_000:
        calls *= 4
    return max(1, round(calls * seconds / spent))


def _time(run: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return clock() - start
