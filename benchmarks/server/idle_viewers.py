"""Viewers that never read and connect one after the other, to a run with a large snapshot.

Viewers that connect in the same second share one snapshot. These do not, because the run continues
and they connect a quarter of a second apart. They are observed until the server's time limit for
all of them has passed.
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

from benchmarks.server.server_process import ServerProcess, memory_bytes
from benchmarks.server.synthetic_history import create_run
from benchmarks.server.watched_run import WatchedRun
from benchmarks.verdicts import Verdict

__all__ = ["PeakMemory", "idle_viewers"]

READERS, IDLE = 10, 50
UPDATES = 1_000_000
# The longest possible samples. A snapshot contains fifty of them, a megabyte.
SPEC = {"sample_every": 10_000, "sample_length": 20_000}
INTERVAL_S = 0.25
# The server's time limit is 10 s.
OBSERVED_S = 15.0
SETTLING_S, BASELINE_S = 3.0, 5.0
POLL_S = 0.05

DELAY_LIMIT_MS = 250.0
IDLE_LIMIT_BYTES = 200e3


class PeakMemory:
    """The most memory that a process used while it was measured."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.bytes = memory_bytes(pid)

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure the memory repeatedly until the context ends."""
        ended = threading.Event()

        def poll() -> None:
            while not ended.wait(POLL_S):
                self.bytes = max(self.bytes, memory_bytes(self._pid))

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def idle_viewers(console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts."""
    with tempfile.TemporaryDirectory(prefix="hurrah-idle-") as directory:
        synthetic = create_run(Path(directory), UPDATES, SPEC)
        with ServerProcess(Path(directory)) as server:
            watched_run = WatchedRun(server, synthetic.run)
            watched_run.resume()
            watched_run.start_recording()
            watched_run.command(f"join {READERS}")
            time.sleep(SETTLING_S)
            watched_run.command("reset")
            before, with_idle = PeakMemory(server.pid), PeakMemory(server.pid)
            with before.measure():
                time.sleep(BASELINE_S)
            delays_before = watched_run.command("delays")
            watched_run.command("reset")
            with with_idle.measure():
                for number in range(IDLE):
                    watched_run.command("join_idle 1")
                    if number % 10 == 0:
                        watched_run.rename()
                    time.sleep(INTERVAL_S)
                time.sleep(OBSERVED_S)
            delays = watched_run.command("delays")
            incomplete = watched_run.count_incomplete(READERS)
            watched_run.close()
    more_bytes = with_idle.bytes - before.bytes
    console.print(
        f"{IDLE} that never read, one every {INTERVAL_S} s, of a large snapshot: the server "
        f"used {before.bytes / 1e6:.0f} MB before them, {with_idle.bytes / 1e6:.0f} at its peak; "
        f"99% of progress arrived within {_p99_ms(delays_before):.0f} ms of the worker before "
        f"them, {_p99_ms(delays):.0f} with them."
    )
    limit_mb, counted = IDLE * IDLE_LIMIT_BYTES / 1e6, delays["viewers_by_server"]
    left = math.nan if counted is None else counted - READERS
    each = f"{IDLE} that never read, one after the other"
    return [
        Verdict(f"{each}: memory at its peak, MB", more_bytes / 1e6, "under", limit_mb),
        Verdict(f"{each}: still there at the end", left, "at most", 0),
        Verdict(f"{each}: worker to receipt, 99%, ms", _p99_ms(delays), "under", DELAY_LIMIT_MS),
        Verdict(f"{each}: viewers that missed something", incomplete, "at most", 0),
    ]


def _p99_ms(delays: Any) -> float:  # noqa: ANN401 - JSON
    return float(delays["worker_delays_s"]["p99"] * 1e3)
