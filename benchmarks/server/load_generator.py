"""Many viewers in one process: `python -m benchmarks.server.load_generator PORT RUN`.

The viewers use real sockets, and as little CPU time per message as possible, because they share the
machine with the server that is measured: a message that another viewer has received before is not
parsed again.

Commands are lines on the standard input, each answered with a line of JSON: `join N` (connect N
viewers), `join_idle N` (connect N viewers that never read), `leave` (disconnect all), `reset`
(discard the delays so far), `delays`, and `received` (the messages that each viewer received).
"""

import asyncio
import base64
import json
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

MAX_HANDSHAKES = 50
PERCENTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
CONTINUATION, TEXT, PING = 0x0, 0x1, 0x9


class ReceivedMessages:
    """All distinct messages that the viewers received, and the delay of each receipt.

    Attributes
    ----------
    messages : list of dict
    delays_s : list of float
        From the time at which the server created a message to its receipt.
    worker_delays_s : list of float
        For progress messages, from the time at which the worker had made the updates.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.messages: list[dict[str, Any]] = []
        self.reset()

    def reset(self) -> None:
        """Discard the delays so far."""
        self.delays_s: list[float] = []
        self.worker_delays_s: list[float] = []

    def add(self, text: bytes) -> int:
        """Record the receipt of a message now; return the message's index in `messages`."""
        now_s = time.time()
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.messages)
            self.messages.append(json.loads(text))
        message = self.messages[number]
        # A snapshot may be as old as the last message.
        if message["type"] != "snapshot":
            self.delays_s.append(now_s - message["sent_at"])
        if message["type"] == "progress":
            self.worker_delays_s.append(now_s - message["happened_at"])
        return number


def percentiles(delays_s: list[float]) -> dict[str, float]:
    """Return the percentiles of the delays by name; NaN if there are none."""
    ascending, count = sorted(delays_s), len(delays_s)
    return {
        name: ascending[min(int(share * count), count - 1)] if count else math.nan
        for name, share in PERCENTILES.items()
    }


class Viewer(asyncio.Protocol):
    """One viewer: reads frames, answers pings, and records the messages."""

    def __init__(self, messages: ReceivedMessages, address: str, *, reads: bool = True) -> None:
        self._messages = messages
        self._address = address
        self._reads = reads
        self._bytes = bytearray()
        self._parts: list[bytes] = []
        self._upgraded = False
        self.received: list[int] = []
        self.first = asyncio.get_running_loop().create_future()
        self.closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Request the upgrade to a WebSocket."""
        self._transport = transport
        host, port = transport.get_extra_info("peername")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self._address} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        if not self._reads:
            self._transport.pause_reading()
            self.first.set_result(None)

    def leave(self) -> None:
        """Disconnect without a close frame."""
        self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        """Note that the connection is closed."""
        self.closed = True

    def data_received(self, data: bytes) -> None:
        """Process all complete frames."""
        self._bytes += data
        if not self._upgraded:
            head, found, rest = bytes(self._bytes).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.splitlines()[0]:
                raise RuntimeError(head.decode())
            self._upgraded, self._bytes = True, bytearray(rest)
        while (frame := self._next_frame()) is not None:
            self._process(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._bytes
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + size:
            return None
        frame = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame

    def _process(self, head: int, payload: bytes) -> None:
        kind, last = head & 0x0F, head & 0x80
        if kind in {CONTINUATION, TEXT}:
            self._parts.append(payload)
            if last:
                self.received.append(self._messages.add(b"".join(self._parts)))
                self._parts = []
                if not self.first.done():
                    self.first.set_result(None)
        elif kind == PING:
            # Masked with zeros, the bytes stay the same.
            self._transport.write(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


class LoadGenerator:
    """All viewers of one run."""

    def __init__(self, port: int, run: str) -> None:
        self._port = port
        self._address = f"/ws/runs/{run}"
        self._viewers: list[Viewer] = []
        self._idle: list[Viewer] = []
        self._messages = ReceivedMessages()

    async def join(self, count: int, *, reads: bool = True) -> dict[str, Any]:
        """Connect viewers; return the time until all of them had a snapshot."""
        start_s = time.monotonic()
        handshakes = asyncio.Semaphore(MAX_HANDSHAKES)
        loop = asyncio.get_running_loop()

        async def connect() -> Viewer:
            async with handshakes:
                _, viewer = await loop.create_connection(
                    lambda: Viewer(self._messages, self._address, reads=reads),
                    "127.0.0.1",
                    self._port,
                )
                await viewer.first
                return viewer

        joined = await asyncio.gather(*(connect() for _ in range(count)))
        (self._viewers if reads else self._idle).extend(joined)
        return {"took_s": time.monotonic() - start_s}

    async def join_idle(self, count: int) -> dict[str, Any]:
        """Connect viewers that never read."""
        return await self.join(count, reads=False)

    async def leave(self) -> dict[str, Any]:
        """Disconnect all viewers."""
        for viewer in (*self._viewers, *self._idle):
            viewer.leave()
        self._viewers, self._idle = [], []
        return {}

    async def reset(self) -> dict[str, Any]:
        """Discard the delays so far."""
        self._messages.reset()
        return {}

    async def delays(self) -> dict[str, Any]:
        """Return the delays since the last reset, and the number of viewers by the server."""
        counts = [
            message["viewers"]
            for message in self._messages.messages
            if message["type"] == "viewers"
        ]
        return {
            "messages": len(self._messages.delays_s),
            "delays_s": percentiles(self._messages.delays_s),
            "worker_delays_s": percentiles(self._messages.worker_delays_s),
            "viewers": sum(not viewer.closed for viewer in self._viewers),
            "viewers_by_server": counts[-1] if counts else None,
        }

    async def received(self) -> dict[str, Any]:
        """Return all distinct messages, and for each viewer their indices in order of receipt."""
        return {
            "messages": self._messages.messages,
            "received": [viewer.received for viewer in self._viewers],
        }


async def main() -> None:
    """Process commands until the standard input is closed."""
    generator = LoadGenerator(int(sys.argv[1]), sys.argv[2])
    commands: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "join": generator.join,
        "join_idle": generator.join_idle,
        "leave": generator.leave,
        "reset": generator.reset,
        "delays": generator.delays,
        "received": generator.received,
    }
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().split():
        name, *arguments = line
        answer = await commands[name](*map(int, arguments))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
