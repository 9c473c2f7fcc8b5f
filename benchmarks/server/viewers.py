"""Many viewers of one run: `python -m benchmarks viewers [COUNT] [SECONDS]`.

The viewers are a process of their own (`benchmarks.server.load_generator`) on the same machine, so
that their own cost counts against the training, too. The speed of training with viewers is compared
with the speed without, just before and just after.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.server.idle_viewers import idle_viewers
from benchmarks.server.server_process import ServerProcess, memory_bytes
from benchmarks.server.watched_run import WatchedRun
from benchmarks.verdicts import Verdict

COUNT, SECONDS = 500, 8.0
FEW, IDLE = 10, 50
ROUNDS = 3
SETTLING_S = 1.5

DELAY_LIMIT_MS = 250.0
LEAST_MESSAGES = 10.0
SPEED_LIMITS = {"few": 0.97, "all": 0.90}
# The most memory that the server may use for a viewer that never reads.
IDLE_LIMIT_BYTES = 200e3

SPEC = {"max_updates": None, "sample_every": 2_000}


@dataclass(slots=True)
class ViewerGroup:
    """A group of viewers and its measurements, one value per round.

    Attributes
    ----------
    viewers, idle : int
        The number of viewers that read, and of those that never do.
    speeds, server_s, viewers_s : list of float
        The training speed relative to that without viewers; the CPU seconds per second of the
        server and of the load generator.
    memory_bytes : list of float
        The server's memory.
    delays_s, worker_delays_s : list of dict
        The delays of all messages from their creation, and of progress messages from the worker:
        median, p95, p99 and max.
    received : list of float
        Messages per second to each viewer.
    missed : int
        The number of viewers that did not receive everything.
    """

    viewers: int
    idle: int = 0
    speeds: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    viewers_s: list[float] = field(default_factory=list)
    memory_bytes: list[float] = field(default_factory=list)
    delays_s: list[dict[str, float]] = field(default_factory=list)
    worker_delays_s: list[dict[str, float]] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    missed: int = 0

    def __str__(self) -> str:
        idle = f" and {self.idle} that never read" if self.idle else ""
        return f"{self.viewers} viewers{idle}"


def viewers(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts."""
    count = int(arguments[0]) if arguments else COUNT
    seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
    few, all_, with_idle = ViewerGroup(FEW), ViewerGroup(count), ViewerGroup(count, IDLE)
    with tempfile.TemporaryDirectory(prefix="hurrah-viewers-") as directory:
        server = ServerProcess(Path(directory))
        try:
            watched_run = WatchedRun(server, server.request("POST", "/runs", SPEC)["id"])
            time.sleep(SETTLING_S)
            for _ in range(ROUNDS):
                alone = watched_run.measure(seconds)[0]
                for group in (few, all_, with_idle):
                    _watch(watched_run, group, seconds)
                    before, alone = alone, watched_run.measure(seconds)[0]
                    group.speeds[-1] /= (before + alone) / 2
            connected_s = watched_run.command(f"join {count}")["took_s"]
            watched_run.command("leave")
            server.stop()
            start_s = time.monotonic()
            server = ServerProcess(Path(directory), server.port)
            up_s = time.monotonic() - start_s
            reconnected_s = watched_run.command(f"join {count}")["took_s"]
            watched_run.close()
        finally:
            server.stop()
    console.print(_table((few, all_, with_idle)))
    console.print(
        f"All {count} viewers are connected after {connected_s:.1f} s; after a restart, which took "
        f"{up_s:.1f} s, after {reconnected_s:.1f} s."
    )
    return [*_verdicts(few, all_, with_idle), *idle_viewers(console)]


def _watch(watched_run: WatchedRun, group: ViewerGroup, seconds: float) -> None:
    """Connect a group of viewers, measure, check their messages, and disconnect them."""
    watched_run.start_recording()
    watched_run.command(f"join {group.viewers}")
    if group.idle:
        watched_run.command(f"join_idle {group.idle}")
    time.sleep(SETTLING_S)
    watched_run.command("reset")
    actions = (watched_run.rename, watched_run.note, watched_run.save, watched_run.rename)
    speed, server_s, viewers_s = watched_run.measure(seconds, *actions)
    delays = watched_run.command("delays")
    group.speeds.append(speed)
    group.server_s.append(server_s)
    group.viewers_s.append(viewers_s)
    group.memory_bytes.append(memory_bytes(watched_run.server.pid))
    group.delays_s.append(delays["delays_s"])
    group.worker_delays_s.append(delays["worker_delays_s"])
    group.received.append(delays["messages"] / group.viewers / seconds)
    group.missed += watched_run.count_incomplete(group.viewers)
    watched_run.command("leave")
    watched_run.resume()
    time.sleep(SETTLING_S)


def _table(groups: tuple[ViewerGroup, ...]) -> Table:
    table = Table(title=f"One run on all cores, medians of {ROUNDS} rounds")
    table.add_column("", no_wrap=True)
    for group in groups:
        table.add_column(str(group), justify="right")
    rows: tuple[tuple[str, Callable[[ViewerGroup], str]], ...] = (
        ("training speed relative to no viewers", lambda a: f"{_middle(a.speeds):.3f}"),
        ("messages a second to each", lambda a: f"{_middle(a.received):.1f}"),
        ("worker to receipt, progress, ms: median", lambda a: f"{_worker_ms(a, 'median'):.0f}"),
        ("95th percentile", lambda a: f"{_worker_ms(a, 'p95'):.0f}"),
        ("99th percentile", lambda a: f"{_worker_ms(a, 'p99'):.0f}"),
        ("greatest", lambda a: f"{_worker_ms(a, 'max'):.0f}"),
        ("server to receipt, everything, ms: median", lambda a: f"{_delay_ms(a, 'median'):.0f}"),
        ("99th percentile", lambda a: f"{_delay_ms(a, 'p99'):.0f}"),
        ("greatest", lambda a: f"{_delay_ms(a, 'max'):.0f}"),
        ("viewers that missed something", lambda a: f"{a.missed}"),
        ("server, cores", lambda a: f"{_middle(a.server_s):.2f}"),
        ("load generator, cores", lambda a: f"{_middle(a.viewers_s):.2f}"),
        ("server, MB", lambda a: f"{_middle(a.memory_bytes) / 1e6:.0f}"),
    )
    for name, figure in rows:
        table.add_row(name, *(figure(group) for group in groups))
    return table


def _middle(values: list[float]) -> float:
    return statistics.median(values)


def _delay_ms(group: ViewerGroup, name: str) -> float:
    return _middle([delays[name] for delays in group.delays_s]) * 1e3


def _worker_ms(group: ViewerGroup, name: str) -> float:
    return _middle([delays[name] for delays in group.worker_delays_s]) * 1e3


def _verdicts(few: ViewerGroup, all_: ViewerGroup, with_idle: ViewerGroup) -> Iterator[Verdict]:
    for group, least in (
        (few, SPEED_LIMITS["few"]),
        (all_, SPEED_LIMITS["all"]),
        (with_idle, SPEED_LIMITS["all"]),
    ):
        worker_ms, delay_ms = _worker_ms(group, "p99"), _delay_ms(group, "p99")
        received, speed = _middle(group.received), _middle(group.speeds)
        yield Verdict(f"{group}: that missed something", group.missed, "at most", 0)
        yield Verdict(f"{group}: worker to receipt, 99%, ms", worker_ms, "under", DELAY_LIMIT_MS)
        yield Verdict(f"{group}: server to receipt, 99%, ms", delay_ms, "under", DELAY_LIMIT_MS)
        yield Verdict(f"{group}: messages a second", received, "at least", LEAST_MESSAGES)
        yield Verdict(f"{group}: training's speed, share", speed, "at least", least)
    more_bytes = _middle(with_idle.memory_bytes) - _middle(all_.memory_bytes)
    limit = with_idle.idle * IDLE_LIMIT_BYTES / 1e6
    yield Verdict(f"{IDLE} that never read: memory, MB", more_bytes / 1e6, "under", limit)
