"""What a history of ten million updates costs: `python -m benchmarks history [UPDATES ...]`.

Everything is measured at each of the lengths given, the first being what the others are compared
with. The run is made by `benchmarks.server.synthetic_history`; with `--train`, it is trained.
"""

import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from websockets.sync.client import connect

from benchmarks.server.server_process import House, memory_bytes, peak_bytes
from benchmarks.server.synthetic_history import Filled, fill
from benchmarks.verdicts import Verdict
from server.history.smoothing import FACTORS
from server.rnn.training.trainer import SMOOTHING
from server.store import queries
from server.store.database import Store

LENGTHS = (100_000, 10_000_000)
RANGES = 200
REPEATS = 15

# Long ones, since the server holds whole pages of them.
SAMPLES = {"sample_length": 2_000}

RANGE_LIMIT_MS = 50.0
SERVER_LIMIT_BYTES = 250e6
WORKER_LIMIT_BYTES = 150e6

Times = dict[str, list[float]]


def long_history(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print, and return what is asked of it.

    Parameters
    ----------
    arguments : list of str
        Lengths in updates; `--train` to train them.
    console : rich.console.Console
        Where to print.
    """
    train = "--train" in arguments
    lengths = [int(word) for word in arguments if word != "--train"] or list(LENGTHS)
    found: dict[int, tuple[Times, dict[str, float]]] = {}
    for length in lengths:
        with _made(length, train=train) as filled:
            times = {"the store, CPU: any range": _ranges_of_the_store(filled)}
            with House(filled.data_dir) as house:
                memory = {"server, started": float(memory_bytes(house.pid))}
                times |= _questions(house, filled)
                memory["server, at its peak"] = float(peak_bytes(house.pid))
                memory["worker, at its peak"] = float(peak_bytes(house.workers()[0]))
            found[length] = times, memory
    console.print(_table_of_times(found))
    console.print(_table_of_memory(found))
    return list(_verdicts(found))


@contextmanager
def _made(length: int, *, train: bool) -> Iterator[Filled]:
    data_dir = Path(tempfile.mkdtemp(prefix="hurrah-history-"))
    try:
        yield _trained(data_dir, length) if train else fill(data_dir, length, SAMPLES)
    finally:
        shutil.rmtree(data_dir)


def _trained(data_dir: Path, length: int) -> Filled:
    """Make the run in earnest: a small network, as fast as it goes."""
    spec = {"hidden_size": 4, "sequence_length": 5, "max_updates": length, **SAMPLES}
    with House(data_dir) as house:
        run = house.ask("POST", "/runs", spec)["id"]
        while house.ask("GET", f"/runs/{run}")["state"] != "finished":
            time.sleep(1.0)
        house.ask("PATCH", f"/runs/{run}", {"max_updates": None})
    return Filled(data_dir, run, length)


def _range(random_: random.Random, updates: int) -> tuple[int, int, int]:
    """Return a range of any width anywhere, and how many points are asked for."""
    width = round(updates ** random_.uniform(0.0, 1.0))
    first = random_.randint(1, updates - width + 1)
    return first, first + width - 1, random_.choice([1, 50, 1_500, 5_000])


def _ranges(updates: int) -> list[tuple[int, int, int]]:
    """Return many ranges, and among them the widest, whose edges fall between blocks."""
    random_ = random.Random(0)
    widest = [(first, updates - first, points) for first in (2, 33) for points in (1_500, 5_000)]
    return [*widest, *(_range(random_, updates) for _ in range(RANGES))]


def _ranges_of_the_store(filled: Filled) -> list[float]:
    store = Store(filled.database)
    try:
        ranges = _ranges(filled.updates)
        return [
            _timed(
                partial(queries.reduced_loss, store, filled.run, first, last, points=points),
                time.process_time,
            )
            for first, last, points in ranges
        ]
    finally:
        store.close()


def _questions(house: House, filled: Filled) -> Times:
    """Ask everything that may take long, while the run trains on."""
    run = f"/runs/{filled.run}"
    house.ask("POST", f"{run}/resume")
    other = house.ask("POST", "/runs", {"paused": True, "hidden_size": 4})["id"]
    while house.ask("GET", run)["update"] <= filled.updates:
        time.sleep(0.05)

    def several(question: Callable[[], object]) -> list[float]:
        return [_timed(question) for _ in range(REPEATS)]

    def of_range(first: int, last: int, points: int, smoothing: float) -> float:
        path = f"{run}/loss?from={first}&to={last}&points={points}&smoothing={smoothing}"
        return _timed(lambda: house.ask("GET", path))

    def of_ranges(*factors: float) -> list[float]:
        ranges = _ranges(filled.updates)
        return [of_range(*at, factors[n % len(factors)]) for n, at in enumerate(ranges)]

    others = [factor for factor in FACTORS if factor != SMOOTHING]
    times = {
        "GET loss: any range": of_ranges(SMOOTHING),
        # It is worked out for the whole run once, and then kept.
        "GET loss: smoothed otherwise, at first": [of_range(1, 1, 1, other) for other in others],
        "GET loss: any range, smoothed otherwise": of_ranges(*others),
        "GET loss: all": several(lambda: house.ask("GET", f"{run}/loss")),
        "GET samples": several(lambda: house.ask("GET", f"{run}/samples")),
        "GET loss/positions: 20 epochs": several(lambda: house.ask("GET", f"{run}/loss/positions")),
        "WebSocket: the snapshot": several(lambda: _snapshot(house, filled)),
        "another run: a step": several(lambda: _step(house, other)),
    }
    streamed = threading.Thread(target=_stream, args=(house, run, times))
    streamed.start()
    times["another run: a step, meanwhile"] = []
    while streamed.is_alive():
        times["another run: a step, meanwhile"].append(_timed(lambda: _step(house, other)))
    return times


def _stream(house: House, run: str, times: Times) -> None:
    def read() -> None:
        with house.open("GET", f"{run}/losses.csv") as answer:
            while answer.read(1 << 20):
                pass

    times["losses.csv: all of it"] = [_timed(read)]


def _step(house: House, run: str) -> None:
    house.ask("POST", f"/runs/{run}/step", {"updates": 1})


def _snapshot(house: House, filled: Filled) -> None:
    with connect(f"ws://127.0.0.1:{house.port}/ws/runs/{filled.run}", max_size=None) as viewer:
        viewer.recv()


def _timed(question: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long something takes by a clock, in ms."""
    began_s = clock()
    question()
    return (clock() - began_s) * 1e3


def _table_of_times(found: dict[int, tuple[Times, dict[str, float]]]) -> Table:
    table = Table(title="Answers while the run trains on, ms: median, 95th percentile, greatest")
    table.add_column("", no_wrap=True)
    for length in found:
        table.add_column(f"{length:,} updates", justify="right", no_wrap=True)
    for name in next(iter(found.values()))[0]:
        table.add_row(name, *(_figures(times[name]) for times, _ in found.values()))
    return table


def _figures(times_ms: list[float]) -> str:
    if len(times_ms) == 1:
        return f"{times_ms[0]:,.0f}"
    p95 = float(np.percentile(times_ms, 95))
    return f"{statistics.median(times_ms):,.1f}  {p95:,.1f}  {max(times_ms):,.1f}"


def _table_of_memory(found: dict[int, tuple[Times, dict[str, float]]]) -> Table:
    table = Table(title="Memory, MB")
    table.add_column("", no_wrap=True)
    for length in found:
        table.add_column(f"{length:,} updates", justify="right", no_wrap=True)
    for name in next(iter(found.values()))[1]:
        table.add_row(name, *(f"{memory[name] / 1e6:,.0f}" for _, memory in found.values()))
    return table


def _verdicts(found: dict[int, tuple[Times, dict[str, float]]]) -> Iterator[Verdict]:
    longest = max(found)
    times, memory = found[longest]
    for of in (
        "the store, CPU: any range",
        "GET loss: any range",
        "GET loss: any range, smoothed otherwise",
    ):
        p95 = float(np.percentile(times[of], 95))
        yield Verdict(f"At {longest:,} updates, {of}, 95%, ms", p95, "under", RANGE_LIMIT_MS)
        slowest = max(times[of])
        yield Verdict(
            f"At {longest:,} updates, {of}, slowest, ms", slowest, "under", RANGE_LIMIT_MS
        )
    for of, limit in (
        ("server, at its peak", SERVER_LIMIT_BYTES),
        ("worker, at its peak", WORKER_LIMIT_BYTES),
    ):
        name = f"At {longest:,} updates, {of}, MB"
        yield Verdict(name, memory[of] / 1e6, "under", limit / 1e6)
