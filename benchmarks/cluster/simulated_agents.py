"""Agents without workers: they speak the protocol, and train by the clock.

`dask worker --preload benchmarks.cluster.simulated_agents` loads this module; then each task of
the server is an agent in the Dask worker itself. It follows docs/decisions/cluster.md, makes 400
updates a second, and reports as often as the server asks for. For each report it appends the time
and the delay until the server had handled it to a file: two float64, in seconds.
"""

from __future__ import annotations

import array
import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.cluster.frames import FrameReader, encode_frame
from server.cluster.node import task
from server.rnn.metrics import METRICS, measured_updates

__all__ = ["DELAYS", "UPDATES_PER_SECOND", "dask_setup"]

UPDATES_PER_SECOND = 400
SAMPLE_EVERY = 10_000
ALIVE_EVERY_S = 2.0
REPORT_EVERY_S = 0.5
CURVE_POINTS = 10
DELAYS = "HURRAH_BENCHMARK_DELAYS"
"""The environment variable that names the file of delays."""

LOSSES = 60.0 + np.random.default_rng(0).normal(size=4_096)
TEXT = "the lamps of Saltmere were lit one after the other " * 4

Message = dict[str, Any]


def dask_setup(_worker: object) -> None:
    """Replace the task that starts an agent and its worker process."""
    task.train = train


async def train(assignment: task.Assignment) -> None:
    """Be the agent of a placement until it ends."""
    await Agent(assignment).run()


class Agent:
    """The agent of one placement."""

    def __init__(self, assignment: task.Assignment) -> None:
        self._assignment = assignment
        self._training = False
        self._update = self._reported = 0
        self._started_s = time.monotonic()
        self._interval_s = REPORT_EVERY_S
        self._number = self._received = 0
        self._sent_s: dict[int, float] = {}
        self._delays = array.array("d")
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Connect, and report until the server closes the connection."""
        headers = {"Authorization": f"Bearer {self._assignment['token']}"}
        async with connect(
            self._assignment["url"], additional_headers=headers, compression=None, proxy=None
        ) as socket:
            hello = {"agent": os.urandom(8).hex(), "session": None, "received": 0}
            await self._send(socket, {"type": "hello", **hello, "started": False, "spec": None})
            tasks = [asyncio.create_task(work(socket)) for work in (self._report_often, self._live)]
            try:
                reader = FrameReader()
                async for message in socket:
                    if isinstance(message, bytes) and (frame := reader.read(message)):
                        await self._handle(socket, frame[0])
            except ConnectionClosed:
                pass
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.to_thread(self._write_delays)

    def _write_delays(self) -> None:
        with Path(os.environ[DELAYS]).open("ab") as file:
            self._delays.tofile(file)

    async def _send(self, socket: ClientConnection, header: Message, content: bytes = b"") -> None:
        for message in encode_frame(header, content):
            await socket.send(message)

    async def _post(self, socket: ClientConnection, header: Message, content: bytes = b"") -> int:
        self._number += 1
        await self._send(socket, header | {"number": self._number}, content)
        return self._number

    async def _handle(self, socket: ClientConnection, header: Message) -> None:
        if "interval_s" in header:
            self._interval_s = header["interval_s"]
            self._wake.set()
        match header["type"]:
            case "ack" if (sent_s := self._sent_s.pop(header["number"], None)) is not None:
                now_s = time.time()
                self._delays.extend((now_s, now_s - sent_s))
            case "command":
                self._received = header["number"]
                await self._carry_out(socket, header["command"])

    async def _carry_out(self, socket: ClientConnection, command: Message) -> None:
        match command["do"]:
            case "Start":
                self._set_training(training=command["training"])
            case "Resume":
                self._set_training(training=True)
            case "Pause":
                self._advance()
                self._set_training(training=False)
            case "Shutdown":
                await self._post(socket, {"type": "exit", "how": "it was told to"})
        if "id" in command:
            reply: Message = {"answer": command["id"], "update": self._update}
            if "path" in command:
                reply |= {"refused": "This worker has no network.", "errno": None}
            await self._report(socket)
            await self._post(socket, {"type": "reply", "reply": reply})

    def _set_training(self, *, training: bool) -> None:
        self._training = training
        self._started_s = time.monotonic() - self._update / UPDATES_PER_SECOND
        self._wake.set()

    def _advance(self) -> None:
        if self._training:
            elapsed_s = time.monotonic() - self._started_s
            self._update = max(self._update, int(elapsed_s * UPDATES_PER_SECOND))

    async def _live(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            await self._send(socket, {"type": "alive", "received": self._received})

    async def _report_often(self, socket: ClientConnection) -> None:
        while True:
            self._wake.clear()
            try:
                async with asyncio.timeout(self._interval_s if self._training else None):
                    await self._wake.wait()
            except TimeoutError:
                self._advance()
                await self._report(socket)

    async def _report(self, socket: ClientConnection) -> None:
        first, last = self._reported + 1, self._update
        self._reported = last
        losses = LOSSES[np.arange(first, last + 1) % len(LOSSES)]
        measured = np.ones(len(measured_updates(first, last)))
        arrays = {"losses": losses, **dict.fromkeys(METRICS, measured)}
        count = len(losses)
        ends = sorted(
            {count * point // CURVE_POINTS for point in range(CURVE_POINTS)} & {*range(count)}
        )
        numbers = [float(losses[end]) for end in ends]
        sampled = last - last % SAMPLE_EVERY
        samples = [] if sampled < first else [self._sample(sampled)]
        report = {
            "event": "Report",
            "update": last,
            "epoch": 1,
            "position": last % 1_000,
            "loss": 60.0,
            "smooth_loss": 60.0,
            "validation_loss": None,
            "validation_update": None,
            "best": {"update": last, "smooth_loss": 60.0} if last else None,
            "seconds": last / UPDATES_PER_SECOND,
            "updates_per_second": float(UPDATES_PER_SECOND) if self._training else 0.0,
            "state": "running" if self._training else "paused",
            "runaway": False,
            "high_losses_since": None,
            "diverged_since": None,
            "storage_error": None,
            "notices": [],
            "epochs": [],
            "samples": samples,
            "first": first,
            "curve": {
                "update": [first + int(end) for end in ends],
                "seconds": [(first + int(end)) / UPDATES_PER_SECOND for end in ends],
                "smooth": numbers,
                "low": numbers,
                "high": numbers,
            },
            "happened_at": round(time.time(), 3),
        }
        header = {
            "type": "report",
            "report": report,
            "arrays": {name: values.nbytes for name, values in arrays.items()},
        }
        content = b"".join(values.tobytes() for values in arrays.values())
        self._sent_s[self._number + 1] = time.time()
        await self._post(socket, header, content)

    def _sample(self, update: int) -> Message:
        about = {"update": update, "epoch": 1, "smooth_loss": 60.0, "validation_loss": None}
        return about | {"text": TEXT}
