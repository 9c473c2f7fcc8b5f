"""How soon three hundred viewers see what the presenter of a lecture looks at."""

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.server.many_runs import create_runs
from benchmarks.server.server_process import ServerProcess, cpu_s
from benchmarks.verdicts import Verdict

VIEWERS = 300
MOVES = 40
MOVE_EVERY_S = 0.5
POINTS = 100
POINT_EVERY_S = 0.05
LIMIT_S = 60.0


def lecture(_arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Measure the delay of views and of the pointer beside a run that trains."""
    with tempfile.TemporaryDirectory() as directory:
        create_runs(Path(directory), 1)
        with ServerProcess(Path(directory), simulated=True) as server:
            started = server.request("POST", "/lectures")
            ours, theirs = multiprocessing.Pipe()
            context = multiprocessing.get_context("spawn")
            viewers = context.Process(target=_view, args=(server.port, started["id"], theirs))
            viewers.start()
            ours.recv()
            used_s, start_s = cpu_s(server.pid), time.monotonic()
            asyncio.run(_present(server.port, started["id"], started["key"]))
            cores = (cpu_s(server.pid) - used_s) / (time.monotonic() - start_s)
            delays = ours.recv()
            viewers.join()
    for kind, sent in (("view", MOVES), ("pointer", POINTS)):
        measured = 1e3 * np.array(delays[kind])
        half, most, worst = np.percentile(measured, [50, 99, 100])
        console.print(
            f"{kind}: {len(measured):,} of {sent * VIEWERS:,} messages, median {half:.0f} ms,"
            f" 99th percentile {most:.0f} ms, worst {worst:.0f} ms."
        )
        yield Verdict(f"{VIEWERS} viewers: {kind}, p99 ms", float(most), "under", 250.0)
    console.print(f"The server used {cores:.2f} cores.")


async def _present(port: int, lecture_id: str, key: str) -> None:
    """Move and point as a presenter's page does; each message contains the time."""
    async with connect(f"ws://127.0.0.1:{port}/ws/lectures/{lecture_id}") as socket:
        reading = asyncio.create_task(_discard(socket))
        await socket.send(json.dumps({"type": "present", "key": key}))
        for _ in range(MOVES):
            view = f"/?run=0&range={time.time_ns()}"
            await socket.send(json.dumps({"type": "view", "view": view}))
            await asyncio.sleep(MOVE_EVERY_S)
        for _ in range(POINTS):
            # Twelve digits of the time are more than a share has, but it is accurate to 0.1 ms.
            pointer = {"kind": "box", "target": "chart", "x": time.time() / 1e10, "y": 0.5}
            await socket.send(json.dumps({"type": "pointer", "pointer": pointer}))
            await asyncio.sleep(POINT_EVERY_S)
        await socket.send(json.dumps({"type": "view", "view": "/wall"}))
        await asyncio.sleep(MOVE_EVERY_S)
        reading.cancel()


async def _discard(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


def _view(port: int, lecture_id: str, channel: Connection) -> None:
    asyncio.run(_view_all(port, lecture_id, channel))


async def _view_all(port: int, lecture_id: str, channel: Connection) -> None:
    """Follow with all viewers, and return the delays of views and of the pointer in seconds."""
    delays: dict[str, list[float]] = {"view": [], "pointer": []}
    connected = asyncio.Semaphore(0)

    async def follow() -> None:
        address = f"ws://127.0.0.1:{port}/ws/lectures/{lecture_id}"
        async with connect(address, compression=None) as socket:
            await socket.recv()
            connected.release()
            async for text in socket:
                now_s, message = time.time(), json.loads(text)
                # A viewer that lags gets a snapshot, with the newest of both.
                view, pointer = message.get("view"), message.get("pointer")
                if view == "/wall":
                    return
                if view is not None and pointer is None:
                    delays["view"].append(now_s - int(view.rpartition("=")[2]) / 1e9)
                elif pointer is not None:
                    delays["pointer"].append(now_s - pointer["x"] * 1e10)

    tasks = [asyncio.create_task(follow()) for _ in range(VIEWERS)]
    for _ in range(VIEWERS):
        await connected.acquire()
    channel.send("connected")
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*tasks)
    channel.send(delays)
