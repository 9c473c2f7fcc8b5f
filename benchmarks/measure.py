"""Several contestants timed in one run, taking turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPEATS = 5

# Contestants take turns this often within a repeat, so that a machine that grows slower or faster
# meanwhile does so for all of them.
TURNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Something to time.

    Attributes
    ----------
    run : callable
        One operation.
    operations : int
        How many of them make a repeat.
    """

    run: Callable[[], object]
    operations: int


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


def measure(contestants: Mapping[str, Contestant]) -> dict[str, Timing]:
    """Time all contestants.

    Parameters
    ----------
    contestants : mapping of str to Contestant
        By name.

    Returns
    -------
    dict of str to Timing
        In CPU seconds of this process (one thread each): what else the machine does meanwhile
        counts less than on the wall clock.
    """
    for contestant in contestants.values():
        _time(contestant.run, max(1, contestant.operations // TURNS))
    repeats = [_repeat(contestants) for _ in range(REPEATS)]
    return {name: Timing(tuple(repeat[name] for repeat in repeats)) for name in contestants}


def _repeat(contestants: Mapping[str, Contestant]) -> dict[str, float]:
    seconds = dict.fromkeys(contestants, 0.0)
    for _ in range(TURNS):
        for name, contestant in contestants.items():
            seconds[name] += _time(contestant.run, max(1, contestant.operations // TURNS))
    return {
        name: total / (TURNS * max(1, contestants[name].operations // TURNS))
        for name, total in seconds.items()
    }


def _time(run: Callable[[], object], operations: int) -> float:
    start = time.process_time()
    for _ in range(operations):
        run()
    return time.process_time() - start
