"""Hundreds of workers on other machines: `python -m benchmarks cluster [COUNT] [SECONDS]`.

A scheduler and one Dask worker run on this machine. The agents in it are simulated (see
`benchmarks.cluster.simulated_agents`); scheduler, placements, tokens and WebSockets are real. Some
runs have a viewer. Only the server's own process is measured.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.cluster.simulated_agents import DELAYS, UPDATES_PER_SECOND
from benchmarks.server.load_generator import ReceivedMessages, Viewer, percentiles
from benchmarks.server.server_process import ROOT, ServerProcess, cpu_s, peak_bytes
from benchmarks.verdicts import Verdict

__all__ = ["many_workers"]

COUNT, SECONDS = 300, 20.0
VIEWERS = 5
AT_ONCE = 16
SETTLING_S = 10.0
LIMIT_S = 120.0
DELAY_LIMIT_MS = 250.0
CORES_LIMIT = 1.0
MEMORY_LIMIT_MB = 500.0
# Simulated workers have no network, so they cannot write checkpoints.
SPEC = {"max_updates": None, "checkpoint_every_s": 3_600, "hidden_size": 100}


def many_workers(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts."""
    count = int(arguments[0]) if arguments else COUNT
    seconds = float(arguments[1]) if len(arguments) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="hurrah-cluster-") as name:
        directory = Path(name)
        delays = directory / "delays"
        environment = os.environ | {
            DELAYS: str(delays),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        log = directory / "scheduler.log"
        processes = [_dask(directory, environment, log, "scheduler", "--port", "0")]
        try:
            address = _address(log)
            processes.append(
                _dask(
                    *(directory, environment, directory / "worker.log", "worker", address),
                    *("--nthreads", str(count), "--no-nanny", "--name", "simulated"),
                    *("--preload", "benchmarks.cluster.simulated_agents"),
                )
            )
            os.environ |= {"HURRAH_CLUSTER": address, "HURRAH_MAX_RUNS": str(2 * count)}
            with ServerProcess(directory / "data") as server:
                runs = _start_runs(server, count)
                time.sleep(SETTLING_S)
                began_s = time.time()
                others = [processes[-1].pid, *server.child_pids("server.inference")]
                before, start_s = cpu_s(server.pid), time.monotonic()
                others_before = sum(map(cpu_s, others))
                updates = _updates(server)
                received = asyncio.run(_watch(server.port, runs[:VIEWERS], seconds))
                took_s = time.monotonic() - start_s
                rate = (_updates(server) - updates) / took_s
                cores = (cpu_s(server.pid) - before) / took_s
                others_cores = (sum(map(cpu_s, others)) - others_before) / took_s
                ended_s = time.time()
                memory_mb = peak_bytes(server.pid) / 1e6
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(LIMIT_S)
        handled = np.fromfile(delays).reshape(-1, 2)
    within = handled[(handled[:, 0] >= began_s) & (handled[:, 0] <= ended_s), 1]
    shares = percentiles(within.tolist())
    viewers = percentiles(received.worker_delays_s)
    console.print(
        f"{count} workers, {rate:,.0f} updates a second in all ({count * UPDATES_PER_SECOND:,}"
        f" expected), {len(within) / took_s:,.0f} reports a second; {VIEWERS} viewers."
        f" The simulation and the inference processes took {others_cores:.2f} cores here."
    )
    for title, each in (("report handled", shares), ("worker to viewer", viewers)):
        figures = ", ".join(f"{name} {value * 1e3:.0f} ms" for name, value in each.items())
        console.print(f"{title}: {figures}")
    return list(_verdicts(count, rate, cores, memory_mb, shares["p99"], viewers["p99"]))


def _verdicts(
    count: int, rate: float, cores: float, memory_mb: float, handled_s: float, viewed_s: float
) -> Iterator[Verdict]:
    yield Verdict("updates a second, stored", rate, "at least", 0.97 * count * UPDATES_PER_SECOND)
    yield Verdict("server, cores", cores, "under", CORES_LIMIT)
    yield Verdict("server, peak memory, MB", memory_mb, "under", MEMORY_LIMIT_MB)
    yield Verdict("worker to handled, 99%, ms", handled_s * 1e3, "under", DELAY_LIMIT_MS)
    yield Verdict("worker to viewer, 99%, ms", viewed_s * 1e3, "under", DELAY_LIMIT_MS)


def _dask(
    directory: Path, environment: dict[str, str], log: Path, *arguments: str
) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"],
            cwd=directory,
            env=environment,
            stdout=file,
            stderr=file,
        )


def _address(log: Path) -> str:
    give_up_s = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_s:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the scheduler did not start: {log.read_text()}")


def _start_runs(server: ServerProcess, count: int) -> list[str]:
    """Create the runs, and wait until all train; return their ids."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        created = pool.map(lambda _: server.request("POST", "/runs", SPEC), range(count))
        runs = [run["id"] for run in created]
    give_up_s = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_s:
        states = [run["state"] for run in server.request("GET", "/runs")]
        if states.count("running") == count:
            return runs
        time.sleep(1.0)
    raise RuntimeError(f"only {states.count('running')} of {count} runs train")


def _updates(server: ServerProcess) -> int:
    return sum(run["update"] for run in server.request("GET", "/runs"))


async def _watch(port: int, runs: list[str], seconds: float) -> ReceivedMessages:
    """Watch runs for a while, one viewer each; return what they received."""
    received = ReceivedMessages()
    loop = asyncio.get_running_loop()
    viewers = []
    for run in runs:
        join = partial(Viewer, received, f"/ws/runs/{run}")
        _, viewer = await loop.create_connection(join, "127.0.0.1", port)
        await viewer.first
        viewers.append(viewer)
    received.reset()
    await asyncio.sleep(seconds)
    for viewer in viewers:
        viewer.leave()
    return received
