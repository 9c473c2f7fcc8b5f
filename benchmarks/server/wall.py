"""What a thousand runs, and a wall of a hundred live ones for three hundred viewers, cost."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from websockets.asyncio.client import connect

from benchmarks.server.many_runs import create_runs
from benchmarks.server.server_process import ServerProcess, cpu_s, memory_bytes
from benchmarks.verdicts import Verdict

MANY = 1_000
LIVE = 100
VIEWERS = 300
MEASURED_S = 10.0
SETTLING_S = 3.0
REQUESTS = 20


def wall(_arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Measure the list of a thousand runs, and the wall."""
    with tempfile.TemporaryDirectory() as directory:
        create_runs(Path(directory), MANY)
        start_s = time.monotonic()
        with ServerProcess(Path(directory)) as server:
            started_s, used_s = time.monotonic() - start_s, cpu_s(server.pid)
            for _ in range(REQUESTS):
                server.request("GET", "/runs")
            request_ms = 1e3 * (cpu_s(server.pid) - used_s) / REQUESTS
    console.print(f"{MANY:,} runs: the server starts in {started_s:.1f} s, {used_s:.1f} s of CPU.")
    yield Verdict(f"{MANY:,} runs: start, CPU s", used_s, "under", 4.0)
    yield Verdict(f"{MANY:,} runs: GET /api/runs, CPU ms", request_ms, "under", 30.0)
    with tempfile.TemporaryDirectory() as directory:
        create_runs(Path(directory), LIVE)
        with ServerProcess(Path(directory), simulated=True) as server:
            # The simulation itself takes most of the first figure.
            alone, one, all_ = (_measure(server, viewers) for viewers in (0, 1, VIEWERS))
    for viewers, (cores, bytes_a_second, memory) in zip(
        (0, 1, VIEWERS), (alone, one, all_), strict=True
    ):
        console.print(
            f"{LIVE} live runs, {viewers} viewers of the wall: {cores:.3f} cores, "
            f"{bytes_a_second / 1e3:.1f} kB a second each, {memory / 1e6:.0f} MB."
        )
    yield Verdict(f"{VIEWERS} viewers of the wall: cores", all_[0] - alone[0], "under", 0.25)
    yield Verdict(f"{VIEWERS} viewers: kB/s each", all_[1] / 1e3, "under", 40.0)


def _measure(server: ServerProcess, viewers: int) -> tuple[float, float, float]:
    """Return the server's cores, the bytes a second to each viewer, and the server's memory."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_watch, args=(server.port, viewers, theirs))
    process.start()
    ours.recv()
    time.sleep(SETTLING_S)
    ours.send("reset")
    before_s, start_s = cpu_s(server.pid), time.monotonic()
    time.sleep(MEASURED_S)
    took_s = time.monotonic() - start_s
    cores = (cpu_s(server.pid) - before_s) / took_s
    ours.send("stop")
    received: int = ours.recv()
    process.join()
    return cores, received / max(viewers, 1) / took_s, memory_bytes(server.pid)


def _watch(port: int, viewers: int, channel: Connection) -> None:
    asyncio.run(_watch_all(port, viewers, channel))


async def _watch_all(port: int, viewers: int, channel: Connection) -> None:
    received = [0] * viewers

    async def watch(number: int, connected: asyncio.Semaphore) -> None:
        address = f"ws://127.0.0.1:{port}/ws/wall"
        async with connect(address, max_size=None, compression=None) as socket:
            await socket.recv()
            connected.release()
            async for message in socket:
                received[number] += len(message)

    connected = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(watch(number, connected)) for number in range(viewers)]
    for _ in range(viewers):
        await connected.acquire()
    channel.send("connected")
    before = 0
    while await asyncio.to_thread(channel.recv) == "reset":
        before = sum(received)
    channel.send(sum(received) - before)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
