"""`python -m benchmarks` prints what was measured."""

import platform
import time

import numpy as np
from rich.console import Console

from benchmarks.bound import bound
from benchmarks.contest import absent, contest
from benchmarks.growth import growth
from benchmarks.measure import REPEATS
from benchmarks.passages import passages


def main() -> None:
    """Measure and print."""
    start_s = time.monotonic()
    console = Console(width=124, highlight=False)
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
    console.print(f"\nAll of it took {time.monotonic() - start_s:.0f} s.")


main()
