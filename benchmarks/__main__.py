"""`python -m benchmarks [speed | history | viewers] [...]` prints what was measured.

The exit status is 1 where something that is asked is not met.
"""

import platform
import sys
import time

import numpy as np
from rich.console import Console

from benchmarks.server.long_history import long_history
from benchmarks.server.viewers import viewers
from benchmarks.training.comparison import absent, contest
from benchmarks.training.generation import passages
from benchmarks.training.lower_bound import bound
from benchmarks.training.scaling import growth
from benchmarks.training.timing import REPEATS
from benchmarks.verdicts import status

SCALE = {"history": long_history, "viewers": viewers}


def main() -> int:
    """Measure what is asked for; return the exit status."""
    what, *arguments = sys.argv[1:] or ["speed"]
    console = Console(width=124, highlight=False)
    start_s = time.monotonic()
    found = 0
    if what == "speed":
        speed(console)
    elif what in SCALE:
        found = status(SCALE[what](arguments, console), console)
    else:
        console.print(f"There is no benchmark {what!r}: speed, history or viewers.")
        return 2
    console.print(f"\nAll of it took {time.monotonic() - start_s:.0f} s.")
    return found


def speed(console: Console) -> None:
    """Measure how fast the network learns and writes."""
    console.print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}. "
        f"One thread each, CPU time, medians of {REPEATS} repeats in which all contestants of a "
        "task take turns.\nThe lead is the contestant's time over Hurrah's (by NumPy alone), the "
        "median of each repeat's own."
    )
    for sentence in absent():
        console.print(sentence)
    for tabulate in (contest, bound, growth, passages):
        console.print()
        console.print(tabulate())


sys.exit(main())
