"""A lecture hall that watches one run: `python -m benchmarks viewers [COUNT] [SECONDS]`.

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

from benchmarks.server.idle_viewers import idle_ones
from benchmarks.server.server_process import House, memory_bytes
from benchmarks.server.watched_run import Hall
from benchmarks.verdicts import Verdict

COUNT, SECONDS = 500, 8.0
FEW, IDLE = 10, 50
ROUNDS = 3
SETTLING_S = 1.5

DELAY_LIMIT_MS = 250.0
LEAST_MESSAGES = 10.0
SPEED_LIMITS = {"few": 0.97, "all": 0.90}
# What a viewer that never reads may cost the server.
IDLE_LIMIT_BYTES = 200e3

SPEC = {"max_updates": None, "sample_every": 2_000}


@dataclass(slots=True)
class Audience:
    """Who looks on, and what was measured of it, a value a round.

    Attributes
    ----------
    viewers, idle : int
        How many read, and how many never do.
    speeds, server_s, crowd_s : list of float
        The training's speed as a share of that without viewers; the processor's seconds a second
        that server and crowd took.
    memory_bytes : list of float
        What the server held.
    delays_s, whole_delays_s : list of dict
        Delays to the receipt, of everything from when the server knew it, and of progress from
        when the worker had made it: median, p95, p99 and max.
    told : list of float
        Messages a second that each viewer was told.
    missed : int
        How many viewers were not told everything.
    """

    viewers: int
    idle: int = 0
    speeds: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    crowd_s: list[float] = field(default_factory=list)
    memory_bytes: list[float] = field(default_factory=list)
    delays_s: list[dict[str, float]] = field(default_factory=list)
    whole_delays_s: list[dict[str, float]] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    missed: int = 0

    def __str__(self) -> str:
        idle = f" and {self.idle} that never read" if self.idle else ""
        return f"{self.viewers} viewers{idle}"


def viewers(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print, and return what is asked of it."""
    count = int(arguments[0]) if arguments else COUNT
    seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
    few, all_, with_idle = Audience(FEW), Audience(count), Audience(count, IDLE)
    with tempfile.TemporaryDirectory(prefix="hurrah-viewers-") as folder:
        house = House(Path(folder))
        try:
            hall = Hall(house, house.ask("POST", "/runs", SPEC)["id"])
            time.sleep(SETTLING_S)
            for _ in range(ROUNDS):
                alone = hall.training(seconds)[0]
                for audience in (few, all_, with_idle):
                    _watch(hall, audience, seconds)
                    before, alone = alone, hall.training(seconds)[0]
                    audience.speeds[-1] /= (before + alone) / 2
            back_s = hall.crowd(f"join {count}")["took_s"]
            hall.crowd("drop")
            house.leave()
            began_s = time.monotonic()
            house = House(Path(folder), house.port)
            up_s = time.monotonic() - began_s
            again_s = hall.crowd(f"join {count}")["took_s"]
            hall.leave()
        finally:
            house.leave()
    console.print(_table((few, all_, with_idle)))
    console.print(
        f"A hall of {count} is there after {back_s:.1f} s; after a restart, which took "
        f"{up_s:.1f} s, after {again_s:.1f} s."
    )
    return [*_verdicts(few, all_, with_idle), *idle_ones(console)]


def _watch(hall: Hall, audience: Audience, seconds: float) -> None:
    """Let an audience in, measure, check what it was told, and let it out."""
    hall.begin_to_look()
    hall.crowd(f"join {audience.viewers}")
    if audience.idle:
        hall.crowd(f"stall {audience.idle}")
    time.sleep(SETTLING_S)
    hall.crowd("forget")
    deeds = (hall.rename, hall.note, hall.save, hall.rename)
    speed, server_s, crowd_s = hall.training(seconds, *deeds)
    told = hall.crowd("tell")
    audience.speeds.append(speed)
    audience.server_s.append(server_s)
    audience.crowd_s.append(crowd_s)
    audience.memory_bytes.append(memory_bytes(hall.house.pid))
    audience.delays_s.append(told["delays_s"])
    audience.whole_delays_s.append(told["whole_delays_s"])
    audience.told.append(told["messages"] / audience.viewers / seconds)
    audience.missed += hall.who_missed_something(audience.viewers)
    hall.crowd("drop")
    hall.resume()
    time.sleep(SETTLING_S)


def _table(audiences: tuple[Audience, ...]) -> Table:
    table = Table(title=f"One run on all cores, medians of {ROUNDS} rounds")
    table.add_column("", no_wrap=True)
    for audience in audiences:
        table.add_column(str(audience), justify="right")
    rows: tuple[tuple[str, Callable[[Audience], str]], ...] = (
        ("training's speed without viewers, share", lambda a: f"{_middle(a.speeds):.3f}"),
        ("messages a second to each", lambda a: f"{_middle(a.told):.1f}"),
        ("worker to receipt, progress, ms: median", lambda a: f"{_whole_ms(a, 'median'):.0f}"),
        ("95th percentile", lambda a: f"{_whole_ms(a, 'p95'):.0f}"),
        ("99th percentile", lambda a: f"{_whole_ms(a, 'p99'):.0f}"),
        ("greatest", lambda a: f"{_whole_ms(a, 'max'):.0f}"),
        ("server to receipt, everything, ms: median", lambda a: f"{_delay_ms(a, 'median'):.0f}"),
        ("99th percentile", lambda a: f"{_delay_ms(a, 'p99'):.0f}"),
        ("greatest", lambda a: f"{_delay_ms(a, 'max'):.0f}"),
        ("viewers that missed something", lambda a: f"{a.missed}"),
        ("server, cores", lambda a: f"{_middle(a.server_s):.2f}"),
        ("crowd, cores", lambda a: f"{_middle(a.crowd_s):.2f}"),
        ("server, MB", lambda a: f"{_middle(a.memory_bytes) / 1e6:.0f}"),
    )
    for name, figure in rows:
        table.add_row(name, *(figure(audience) for audience in audiences))
    return table


def _middle(values: list[float]) -> float:
    return statistics.median(values)


def _delay_ms(audience: Audience, share: str) -> float:
    return _middle([delays[share] for delays in audience.delays_s]) * 1e3


def _whole_ms(audience: Audience, share: str) -> float:
    return _middle([delays[share] for delays in audience.whole_delays_s]) * 1e3


def _verdicts(few: Audience, all_: Audience, with_idle: Audience) -> Iterator[Verdict]:
    for audience, least in (
        (few, SPEED_LIMITS["few"]),
        (all_, SPEED_LIMITS["all"]),
        (with_idle, SPEED_LIMITS["all"]),
    ):
        whole_ms, delay_ms = _whole_ms(audience, "p99"), _delay_ms(audience, "p99")
        told, speed = _middle(audience.told), _middle(audience.speeds)
        yield Verdict(f"{audience}: that missed something", audience.missed, "at most", 0)
        yield Verdict(f"{audience}: worker to receipt, 99%, ms", whole_ms, "under", DELAY_LIMIT_MS)
        yield Verdict(f"{audience}: server to receipt, 99%, ms", delay_ms, "under", DELAY_LIMIT_MS)
        yield Verdict(f"{audience}: messages a second", told, "at least", LEAST_MESSAGES)
        yield Verdict(f"{audience}: training's speed, share", speed, "at least", least)
    more_bytes = _middle(with_idle.memory_bytes) - _middle(all_.memory_bytes)
    limit = with_idle.idle * IDLE_LIMIT_BYTES / 1e6
    yield Verdict(f"{IDLE} that never read: memory, MB", more_bytes / 1e6, "under", limit)
