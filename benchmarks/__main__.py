"""`python -m benchmarks [speed | history | viewers | ...] [...]` prints measurements.

The exit status is 1 if a target is not met.
"""

import platform
import sys
import time

import numpy as np
from rich.console import Console

from benchmarks.cluster.many_workers import many_workers
from benchmarks.course import course
from benchmarks.inside import inside
from benchmarks.mistakes import mistakes
from benchmarks.server.guess import guess
from benchmarks.server.lecture import lecture
from benchmarks.server.long_history import long_history
from benchmarks.server.report import report
from benchmarks.server.sweep import sweep
from benchmarks.server.transfer import transfer
from benchmarks.server.viewers import viewers
from benchmarks.server.wall import wall
from benchmarks.toy_texts import toy_texts
from benchmarks.training.comparison import comparison, missing_candidates
from benchmarks.training.generation import generation
from benchmarks.training.lower_bound import lower_bound
from benchmarks.training.metrics import metrics
from benchmarks.training.scaling import scaling
from benchmarks.training.threads import threads
from benchmarks.training.timing import REPEATS
from benchmarks.units import units
from benchmarks.verdicts import status
from benchmarks.weights import weights

TARGETED = {
    "history": long_history,
    "metrics": metrics,
    "viewers": viewers,
    "lecture": lecture,
    "guess": guess,
    "wall": wall,
    "cluster": many_workers,
    "report": report,
    "transfer": transfer,
    "weights": weights,
    "course": course,
    "units": units,
    "inside": inside,
    "toy": toy_texts,
    "sweep": sweep,
}


def main() -> int:
    """Run the benchmark named in the arguments; return the exit status."""
    name, *arguments = sys.argv[1:] or ["speed"]
    console = Console(width=124, highlight=False)
    start_s = time.monotonic()
    exit_status = 0
    if name == "speed":
        speed(console)
    elif name == "mistakes":
        mistakes(arguments, console)
    elif name in TARGETED:
        exit_status = status(TARGETED[name](arguments, console), console)
    else:
        console.print(f"There is no benchmark {name!r}: speed, mistakes, {', '.join(TARGETED)}.")
        return 2
    console.print(f"\nTotal time: {time.monotonic() - start_s:.0f} s.")
    return exit_status


def speed(console: Console) -> None:
    """Measure the speed of training and of generating text."""
    console.print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}. "
        f"One thread each, CPU time, medians of {REPEATS} repeats in which all candidates of a "
        "task take turns.\nHurrah's lead is the candidate's time divided by Hurrah's (NumPy "
        "alone), the median of the repeats' ratios."
    )
    for sentence in missing_candidates():
        console.print(sentence)
    for table in (comparison, lower_bound, scaling, generation, threads):
        console.print()
        console.print(table())


sys.exit(main())
