"""A lecture hall that watches one run: `python -m benchmarks viewers [COUNT] [SECONDS]`.

The crowd is a process of its own (`benchmarks.crowd`) on the same machine, so that what it costs to
be five hundred viewers counts against the training, too. How fast the run trains with viewers is
compared with how fast it trains without, just before and just after.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.house import ROOT, House, cpu_s, memory_bytes

COUNT, SECONDS = 500, 8.0
FEW, IDLE = 10, 50
ROUNDS = 3
SETTLING_S = 1.5
PATIENCE_S = 30.0

DELAY_LIMIT_MS = 250.0
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
    delays_s : list of dict
        Delays from event to receipt: median, p95, p99 and max.
    told : list of float
        Messages a second that each viewer was told.
    """

    viewers: int
    idle: int = 0
    speeds: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    crowd_s: list[float] = field(default_factory=list)
    memory_bytes: list[float] = field(default_factory=list)
    delays_s: list[dict[str, float]] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


class Hall:
    """A server with one run that trains, and a crowd in front of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.run: str = house.ask("POST", "/runs", SPEC)["id"]
        self._crowd = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.crowd", str(house.port), self.run],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crowd(self, command: str) -> Any:  # noqa: ANN401 - JSON
        """Tell the crowd to do something, and return what it says to it."""
        if self._crowd.stdin is None or self._crowd.stdout is None:
            raise RuntimeError("the crowd was started without pipes")
        print(command, file=self._crowd.stdin, flush=True)
        return json.loads(self._crowd.stdout.readline())

    def leave(self) -> None:
        """Send the crowd home."""
        if self._crowd.stdin is not None:
            self._crowd.stdin.close()
        self._crowd.wait()

    def stands(self) -> Any:  # noqa: ANN401 - JSON
        """Return the run."""
        return self.house.ask("GET", f"/runs/{self.run}")

    def training(self, seconds: float) -> tuple[float, float, float]:
        """Let time pass; return updates, and server's and crowd's processor seconds, a second."""
        pids = (self.house.pid, self._crowd.pid)
        before, began_s = [cpu_s(pid) for pid in pids], time.monotonic()
        first = self.stands()["update"]
        time.sleep(seconds)
        made, took_s = self.stands()["update"] - first, time.monotonic() - began_s
        server_s, crowd_s = (cpu_s(pid) - spent for pid, spent in zip(pids, before, strict=True))
        return made / took_s, server_s / took_s, crowd_s / took_s


def viewers(arguments: list[str], console: Console) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else COUNT
    seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
    few, all_, with_idle = Audience(FEW), Audience(count), Audience(count, IDLE)
    with (
        tempfile.TemporaryDirectory(prefix="hurrah-viewers-") as folder,
        House(Path(folder)) as house,
    ):
        hall = Hall(house)
        time.sleep(SETTLING_S)
        missed = 0
        for _ in range(ROUNDS):
            alone = hall.training(seconds)[0]
            for audience in (few, all_, with_idle):
                missed += _watch(hall, audience, seconds)
                before, alone = alone, hall.training(seconds)[0]
                audience.speeds[-1] /= (before + alone) / 2
        hall.leave()
    console.print(_table((few, all_, with_idle)))
    for sentence in _verdicts(few, all_, with_idle, missed):
        console.print(sentence)


def _watch(hall: Hall, audience: Audience, seconds: float) -> int:
    """Let an audience in, measure, check what it was told, and let it out.

    Returns how many viewers missed something.
    """
    hall.crowd(f"join {audience.viewers}")
    if audience.idle:
        hall.crowd(f"stall {audience.idle}")
    time.sleep(SETTLING_S)
    hall.crowd("forget")
    speed, server_s, crowd_s = hall.training(seconds)
    told = hall.crowd("tell")
    audience.speeds.append(speed)
    audience.server_s.append(server_s)
    audience.crowd_s.append(crowd_s)
    audience.memory_bytes.append(memory_bytes(hall.house.pid))
    audience.delays_s.append(told["delays_s"])
    audience.told.append(told["messages"] / audience.viewers / seconds)
    missed = _who_missed_something(hall, audience)
    hall.crowd("drop")
    hall.house.ask("POST", f"/runs/{hall.run}/resume")
    time.sleep(SETTLING_S)
    return missed


def _who_missed_something(hall: Hall, audience: Audience) -> int:
    """Pause the run, and hold what each viewer was told against what the server keeps."""
    run = f"/runs/{hall.run}"
    hall.house.ask("POST", f"{run}/pause")
    kept = hall.house.ask("GET", f"{run}/samples")
    name = f"paused {time.monotonic()}"
    hall.house.ask("PATCH", run, {"name": name})
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        heard = hall.crowd("heard")
        messages = heard["messages"]
        the_end = {number for number, message in enumerate(messages) if _is_renaming(message, name)}
        there = sum(not the_end.isdisjoint(told) for told in heard["told"])
        if there == audience.viewers or time.monotonic() > give_up_s:
            break
        time.sleep(0.2)
    curves: dict[int, Any] = {}

    def curve(first: int) -> Any:  # noqa: ANN401 - JSON
        if first not in curves:
            curves[first] = hall.house.ask("GET", f"{run}/loss?from={first}&points=1")
        return curves[first]

    return sum(
        not _has_all([messages[number] for number in told], kept, name, curve)
        for told in heard["told"]
    )


def _is_renaming(message: Any, name: str) -> bool:  # noqa: ANN401 - JSON
    return bool(message["type"] == "state" and message["run_state"]["name"] == name)


def _has_all(told: list[Any], kept: list[Any], name: str, curve: Callable[[int], Any]) -> bool:
    """Whether a viewer was told every sample, and every loss's extremes, since it came."""
    snapshot, *news = told
    if snapshot["type"] != "snapshot" or not any(_is_renaming(message, name) for message in news):
        return False
    known = max((sample["update"] for sample in snapshot["samples"]), default=-1)
    samples = [message["sample"] for message in news if message["type"] == "sample"]
    if samples != [sample for sample in kept if sample["update"] > known]:
        return False
    pieces = [message["curve"] for message in news if message["type"] == "progress"]
    whole = curve(snapshot["loss"]["to"] + 1)
    updates = [update for piece in pieces for update in piece["update"]]
    return (
        updates == sorted(set(updates))
        and updates[-1:] == whole["update"]
        and min(low for piece in pieces for low in piece["low"]) == whole["low"][0]
        and max(high for piece in pieces for high in piece["high"]) == whole["high"][0]
    )


def _table(audiences: tuple[Audience, ...]) -> Table:
    table = Table(title=f"One run on all cores, medians of {ROUNDS} rounds")
    table.add_column("", no_wrap=True)
    for audience in audiences:
        idle = f", {audience.idle} that never read" if audience.idle else ""
        table.add_column(f"{audience.viewers} viewers{idle}", justify="right")
    rows: tuple[tuple[str, Callable[[Audience], str]], ...] = (
        ("training's speed without viewers, share", lambda a: f"{_middle(a.speeds):.3f}"),
        ("messages a second to each", lambda a: f"{_middle(a.told):.1f}"),
        ("event to receipt, ms: median", lambda a: f"{_delay_ms(a, 'median'):.0f}"),
        ("95th percentile", lambda a: f"{_delay_ms(a, 'p95'):.0f}"),
        ("99th percentile", lambda a: f"{_delay_ms(a, 'p99'):.0f}"),
        ("greatest", lambda a: f"{_delay_ms(a, 'max'):.0f}"),
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


def _verdicts(few: Audience, all_: Audience, with_idle: Audience, missed: int) -> Iterator[str]:
    more_bytes = _middle(with_idle.memory_bytes) - _middle(all_.memory_bytes)
    for name, value, met in (
        ("viewers that missed something", missed, missed == 0),
        ("99th percentile, ms", d := _delay_ms(all_, "p99"), d < DELAY_LIMIT_MS),
        ("the same, with idle ones", d := _delay_ms(with_idle, "p99"), d < DELAY_LIMIT_MS),
        (f"speed with {few.viewers}", s := _middle(few.speeds), s >= SPEED_LIMITS["few"]),
        (f"speed with {all_.viewers}", s := _middle(all_.speeds), s >= SPEED_LIMITS["all"]),
        ("speed with idle ones", s := _middle(with_idle.speeds), s >= SPEED_LIMITS["all"]),
        (
            "memory of the idle ones, MB",
            more_bytes / 1e6,
            more_bytes < with_idle.idle * IDLE_LIMIT_BYTES,
        ),
    ):
        yield f"{name}: {value:.3g}: {'met' if met else 'NOT met'}."
