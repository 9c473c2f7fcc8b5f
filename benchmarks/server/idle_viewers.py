"""Viewers that never read, one after the other, of a run whose snapshot is large.

Those who come at once are told the same snapshot; these are not, since the run writes on, and are
watched until the server's patience with all of them is over.
"""

import math
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.server.server_process import House, memory_bytes
from benchmarks.server.synthetic_history import fill
from benchmarks.server.watched_run import Hall
from benchmarks.verdicts import Verdict

__all__ = ["Peak", "idle_ones"]

READERS, IDLE = 10, 50
UPDATES = 1_000_000
# The longest samples there are, of which a snapshot holds fifty: a megabyte.
SPEC = {"sample_every": 10_000, "sample_length": 20_000}
APART_S = 0.25
# The server's patience is 10 s.
WATCHED_S = 15.0
SETTLING_S, CALM_S = 3.0, 5.0
LOOK_EVERY_S = 0.05

DELAY_LIMIT_MS = 250.0
IDLE_LIMIT_BYTES = 200e3


class Peak:
    """The most memory that a process held while it was looked at."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.bytes = memory_bytes(pid)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at it again and again."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_EVERY_S):
                self.bytes = max(self.bytes, memory_bytes(self._pid))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def idle_ones(console: Console) -> list[Verdict]:
    """Measure, print, and return what is asked of it."""
    with tempfile.TemporaryDirectory(prefix="hurrah-idle-") as folder:
        filled = fill(Path(folder), UPDATES, SPEC)
        with House(Path(folder)) as house:
            hall = Hall(house, filled.run)
            hall.resume()
            hall.begin_to_look()
            hall.crowd(f"join {READERS}")
            time.sleep(SETTLING_S)
            hall.crowd("forget")
            before, with_idle = Peak(house.pid), Peak(house.pid)
            with before.watched():
                time.sleep(CALM_S)
            calm = hall.crowd("tell")
            hall.crowd("forget")
            with with_idle.watched():
                for number in range(IDLE):
                    hall.crowd("stall 1")
                    if number % 10 == 0:
                        hall.rename()
                    time.sleep(APART_S)
                time.sleep(WATCHED_S)
            told = hall.crowd("tell")
            missed = hall.who_missed_something(READERS)
            hall.leave()
    more_bytes = with_idle.bytes - before.bytes
    console.print(
        f"{IDLE} that never read, one every {APART_S} s, of a large snapshot: the server "
        f"held {before.bytes / 1e6:.0f} MB before them, {with_idle.bytes / 1e6:.0f} at its most; "
        f"99% of progress was there {_p99_ms(calm):.0f} ms after the worker had made it, with them "
        f"{_p99_ms(told):.0f}."
    )
    limit_mb, counted = IDLE * IDLE_LIMIT_BYTES / 1e6, told["counted"]
    left = math.nan if counted is None else counted - READERS
    each = f"{IDLE} that never read, one after the other"
    return [
        Verdict(f"{each}: memory at its peak, MB", more_bytes / 1e6, "under", limit_mb),
        Verdict(f"{each}: still there at the end", left, "at most", 0),
        Verdict(f"{each}: worker to receipt, 99%, ms", _p99_ms(told), "under", DELAY_LIMIT_MS),
        Verdict(f"{each}: viewers that missed something", missed, "at most", 0),
    ]


def _p99_ms(told: Any) -> float:  # noqa: ANN401 - JSON
    return float(told["whole_delays_s"]["p99"] * 1e3)
