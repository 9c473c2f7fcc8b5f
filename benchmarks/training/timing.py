"""Several contestants timed in one run, taking turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPEATS = 5

# Contestants take turns this often within a repeat, so that a machine that grows slower or faster
# meanwhile does so for all of them.
TURNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Something to time.

    Attributes
    ----------
    run : callable
        Makes `operations` operations.
    operations : int
        Those that one call makes.
    """

    run: Callable[[], object]
    operations: int = 1


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one operation.

    Attributes
    ----------
    seconds : tuple of float
        The mean of each repeat, CPU seconds an operation.
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


def measure(contestants: Mapping[str, Contestant], seconds: float) -> dict[str, Timing]:
    """Time all contestants.

    Parameters
    ----------
    contestants : mapping of str to Contestant
        By name.
    seconds : float
        How long each may take in a repeat. The slowest take longer: every turn is at least a call.

    Returns
    -------
    dict of str to Timing
        In CPU seconds of this process (one thread each): what else the machine does meanwhile
        counts less than on the wall clock.
    """
    calls = {
        name: _calls(contestant.run, seconds / TURNS) for name, contestant in contestants.items()
    }
    repeats: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(REPEATS):
        spent = dict.fromkeys(contestants, 0.0)
        for _ in range(TURNS):
            for name, contestant in contestants.items():
                spent[name] += _time(contestant.run, calls[name])
        for name, contestant in contestants.items():
            repeats[name].append(spent[name] / (TURNS * calls[name] * contestant.operations))
    return {name: Timing(tuple(times)) for name, times in repeats.items()}


def _calls(run: Callable[[], object], seconds: float) -> int:
    """Return how many calls fill `seconds`, once the first (which may compile) is over."""
    run()
    calls = 1
    while (spent := _time(run, calls)) < seconds / 4 and calls < 1_000_000:
        calls *= 4
    return max(1, round(calls * seconds / spent))


def _time(run: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        run()
    return time.process_time() - start
