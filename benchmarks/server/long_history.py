"""The cost of a history of ten million updates: `python -m benchmarks history [UPDATES ...]`.

Everything is measured for each of the given lengths. `benchmarks.server.synthetic_history` creates
the run; with `--train` it is really trained.
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

from benchmarks.server.server_process import ServerProcess, memory_bytes, peak_bytes
from benchmarks.server.synthetic_history import SyntheticRun, create_run
from benchmarks.verdicts import Verdict
from server.history.smoothing import FACTORS
from server.spec.run_spec import RunSpec
from server.store import queries
from server.store.database import Store

LENGTHS = (100_000, 10_000_000)
RANGES = 200
REPEATS = 15
OWN_SMOOTHING = RunSpec().smoothing

# Long samples, because the server loads whole pages of them.
SAMPLES = {"sample_length": 2_000}

RANGE_LIMIT_MS = 50.0
SERVER_LIMIT_BYTES = 250e6
WORKER_LIMIT_BYTES = 150e6

Times = dict[str, list[float]]


def long_history(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts.

    Parameters
    ----------
    arguments : list of str
        Lengths in updates; `--train` to train them.
    console : rich.console.Console
        The output.
    """
    train = "--train" in arguments
    lengths = [int(word) for word in arguments if word != "--train"] or list(LENGTHS)
    found: dict[int, tuple[Times, dict[str, float]]] = {}
    for length in lengths:
        with _synthetic_run(length, train=train) as synthetic:
            times = _ranges_of_the_store(synthetic)
            with ServerProcess(synthetic.data_dir) as server:
                memory = {"server, started": float(memory_bytes(server.pid))}
                times |= _measure_requests(server, synthetic)
                memory["server, at its peak"] = float(peak_bytes(server.pid))
                memory["worker, at its peak"] = float(peak_bytes(server.worker_pids()[0]))
            found[length] = times, memory
    console.print(_table_of_times(found))
    console.print(_table_of_memory(found))
    return list(_verdicts(found))


@contextmanager
def _synthetic_run(length: int, *, train: bool) -> Iterator[SyntheticRun]:
    data_dir = Path(tempfile.mkdtemp(prefix="hurrah-history-"))
    try:
        yield _trained(data_dir, length) if train else create_run(data_dir, length, SAMPLES)
    finally:
        shutil.rmtree(data_dir)


def _trained(data_dir: Path, length: int) -> SyntheticRun:
    """Train the whole run: a small network, at full speed."""
    spec = {"hidden_size": 4, "sequence_length": 5, "max_updates": length, **SAMPLES}
    with ServerProcess(data_dir) as server:
        run = server.request("POST", "/runs", spec)["id"]
        while server.request("GET", f"/runs/{run}")["state"] != "finished":
            time.sleep(1.0)
        server.request("PATCH", f"/runs/{run}", {"max_updates": None})
    return SyntheticRun(data_dir, run, length)


def _range(random_: random.Random, updates: int) -> tuple[int, int, int]:
    """Return a random range, and the number of points to request."""
    width = round(updates ** random_.uniform(0.0, 1.0))
    first = random_.randint(1, updates - width + 1)
    return first, first + width - 1, random_.choice([1, 50, 1_500, 5_000])


def _ranges(updates: int) -> list[tuple[int, int, int]]:
    """Return random ranges, and the widest ones, whose edges are inside blocks."""
    random_ = random.Random(0)
    widest = [(first, updates - first, points) for first in (2, 33) for points in (1_500, 5_000)]
    return [*widest, *(_range(random_, updates) for _ in range(RANGES))]


def _ranges_of_the_store(synthetic: SyntheticRun) -> Times:
    store, run = Store(synthetic.database), synthetic.run
    readers: dict[str, Callable[..., object]] = {
        "the store, CPU: any range": partial(queries.reduced_loss, store, run),
        "the store, CPU: any range of all metrics": partial(
            queries.reduced_metrics, store, run, None
        ),
    }
    try:
        ranges = _ranges(synthetic.updates)
        return {
            name: [
                _timed(partial(read, first, last, points=points), time.process_time)
                for first, last, points in ranges
            ]
            for name, read in readers.items()
        }
    finally:
        store.close()


def _measure_requests(server: ServerProcess, synthetic: SyntheticRun) -> Times:
    """Time all requests that may take long, while the run trains."""
    run = f"/runs/{synthetic.run}"
    server.request("POST", f"{run}/resume")
    other = server.request("POST", "/runs", {"paused": True, "hidden_size": 4})["id"]
    while server.request("GET", run)["update"] <= synthetic.updates:
        time.sleep(0.05)

    def several(request: Callable[[], object]) -> list[float]:
        return [_timed(request) for _ in range(REPEATS)]

    def of_range(first: int, last: int, points: int, smoothing: float) -> float:
        path = f"{run}/loss?from={first}&to={last}&points={points}&smoothing={smoothing}"
        return _timed(lambda: server.request("GET", path))

    def of_ranges(*factors: float) -> list[float]:
        ranges = _ranges(synthetic.updates)
        return [of_range(*at, factors[n % len(factors)]) for n, at in enumerate(ranges)]

    def of_metrics(first: int, last: int, points: int) -> float:
        path = f"{run}/metrics?from={first}&to={last}&points={points}"
        return _timed(lambda: server.request("GET", path))

    others = [factor for factor in FACTORS if factor != OWN_SMOOTHING]
    times = {
        "GET loss: any range": of_ranges(OWN_SMOOTHING),
        # Computed once for the whole run, then cached.
        "GET loss: smoothed otherwise, at first": [of_range(1, 1, 1, other) for other in others],
        "GET loss: any range, smoothed otherwise": of_ranges(*others),
        "GET loss: all": several(lambda: server.request("GET", f"{run}/loss")),
        "GET metrics: any range": [of_metrics(*at) for at in _ranges(synthetic.updates)],
        "GET samples": several(lambda: server.request("GET", f"{run}/samples")),
        "GET loss/positions: 20 epochs": several(
            lambda: server.request("GET", f"{run}/loss/positions")
        ),
        "WebSocket: the snapshot": several(lambda: _snapshot(server, synthetic)),
        "another run: a step": several(lambda: _step(server, other)),
    }
    streamed = threading.Thread(target=_stream, args=(server, run, times))
    streamed.start()
    times["another run: a step, during losses.csv"] = []
    while streamed.is_alive():
        times["another run: a step, during losses.csv"].append(_timed(lambda: _step(server, other)))
    return times


def _stream(server: ServerProcess, run: str, times: Times) -> None:
    def read() -> None:
        with server.open("GET", f"{run}/losses.csv") as answer:
            while answer.read(1 << 20):
                pass

    times["losses.csv: all of it"] = [_timed(read)]


def _step(server: ServerProcess, run: str) -> None:
    server.request("POST", f"/runs/{run}/step", {"updates": 1})


def _snapshot(server: ServerProcess, synthetic: SyntheticRun) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ws/runs/{synthetic.run}", max_size=None) as viewer:
        viewer.recv()


def _timed(request: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the duration of a call by a clock, in ms."""
    start_s = clock()
    request()
    return (clock() - start_s) * 1e3


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
        "the store, CPU: any range of all metrics",
        "GET loss: any range",
        "GET loss: any range, smoothed otherwise",
        "GET metrics: any range",
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
