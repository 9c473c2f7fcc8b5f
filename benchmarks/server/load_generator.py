"""Many viewers in one process: `python -m benchmarks.server.load_generator PORT RUN`.

Real sockets, and as little work a message as can be, since the crowd shares the machine with what
it measures: bytes that came before, to another viewer, are not looked into again.

Commands come in as lines and are answered with a line of JSON: `join N`, `stall N` (who never
reads), `drop` (all leave), `forget` (begin to measure anew), `tell`, `heard` (all that each was
told).
"""

import asyncio
import base64
import json
import math
import os
import sys
import time
from typing import Any

HANDSHAKES_AT_ONCE = 50
SHARES = {"median": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
CONTINUATION, TEXT, PING = 0x0, 0x1, 0x9


class Heard:
    """What the crowd was told, each message once, and how long each took to whom.

    Attributes
    ----------
    delays_s : list of float
        From when the server knew it to the receipt, of every message to every viewer.
    whole_delays_s : list of float
        The same of progress, from when the process that trains had made it.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.messages: list[dict[str, Any]] = []
        self.forget()

    def forget(self) -> None:
        """Begin to measure delays anew."""
        self.delays_s: list[float] = []
        self.whole_delays_s: list[float] = []

    def note(self, text: bytes) -> int:
        """Take note of a message's arrival; return the number under which it is kept."""
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
            self.whole_delays_s.append(now_s - message["happened_at"])
        return number


def shares(delays_s: list[float]) -> dict[str, float]:
    """Return what half of the delays, and nearly all, are at the most; NaN where there are none."""
    ascending, count = sorted(delays_s), len(delays_s)
    return {
        name: ascending[min(int(share * count), count - 1)] if count else math.nan
        for name, share in SHARES.items()
    }


class Viewer(asyncio.Protocol):
    """One viewer: it reads frames, answers pings, and remembers what it was told."""

    def __init__(self, heard: Heard, address: str, *, reads: bool = True) -> None:
        self._heard = heard
        self._address = address
        self._reads = reads
        self._bytes = bytearray()
        self._parts: list[bytes] = []
        self._in = False
        self.told: list[int] = []
        self.first = asyncio.get_running_loop().create_future()
        self.closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask to be let in."""
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
        """Go without a word."""
        self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        """Remember that the server has let go."""
        self.closed = True

    def data_received(self, data: bytes) -> None:
        """Take whole frames out of what came."""
        self._bytes += data
        if not self._in:
            head, found, rest = bytes(self._bytes).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.splitlines()[0]:
                raise RuntimeError(head.decode())
            self._in, self._bytes = True, bytearray(rest)
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        held = self._bytes
        if len(held) < 2:
            return None
        size, start = held[1], 2
        if size == 126:
            size, start = int.from_bytes(held[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(held[2:10]), 10
        if len(held) < start + size:
            return None
        frame = held[0], bytes(held[start : start + size])
        del held[: start + size]
        return frame

    def _take(self, head: int, payload: bytes) -> None:
        kind, last = head & 0x0F, head & 0x80
        if kind in {CONTINUATION, TEXT}:
            self._parts.append(payload)
            if last:
                self.told.append(self._heard.note(b"".join(self._parts)))
                self._parts = []
                if not self.first.done():
                    self.first.set_result(None)
        elif kind == PING:
            # Masked with zeros: the same bytes.
            self._transport.write(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


class Crowd:
    """All viewers of one run."""

    def __init__(self, port: int, run: str) -> None:
        self._port = port
        self._address = f"/ws/runs/{run}"
        self._viewers: list[Viewer] = []
        self._idle: list[Viewer] = []
        self._heard = Heard()

    async def join(self, count: int, *, reads: bool = True) -> dict[str, Any]:
        """Let so many more look on; return how long it took until all had a snapshot."""
        began_s = time.monotonic()
        doors = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def one() -> Viewer:
            async with doors:
                _, viewer = await loop.create_connection(
                    lambda: Viewer(self._heard, self._address, reads=reads), "127.0.0.1", self._port
                )
                await viewer.first
                return viewer

        came = await asyncio.gather(*(one() for _ in range(count)))
        (self._viewers if reads else self._idle).extend(came)
        return {"took_s": time.monotonic() - began_s}

    def drop(self) -> dict[str, Any]:
        """Let all leave."""
        for viewer in (*self._viewers, *self._idle):
            viewer.leave()
        self._viewers, self._idle = [], []
        return {}

    def forget(self) -> dict[str, Any]:
        """Begin to measure anew."""
        self._heard.forget()
        return {}

    def tell(self) -> dict[str, Any]:
        """Return the delays so far, and how many look on, as the server said last."""
        counted = [
            message["viewers"] for message in self._heard.messages if message["type"] == "viewers"
        ]
        return {
            "messages": len(self._heard.delays_s),
            "delays_s": shares(self._heard.delays_s),
            "whole_delays_s": shares(self._heard.whole_delays_s),
            "viewers": sum(not viewer.closed for viewer in self._viewers),
            "counted": counted[-1] if counted else None,
        }

    def heard(self) -> dict[str, Any]:
        """Return every message, and the numbers of those that each viewer was told, in order."""
        told = [viewer.told for viewer in self._viewers]
        return {"messages": self._heard.messages, "told": told}


async def main() -> None:
    """Do what is asked until nothing more is."""
    crowd = Crowd(int(sys.argv[1]), sys.argv[2])
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().split():
        command, *arguments = line
        if command in {"join", "stall"}:
            answer = await crowd.join(int(arguments[0]), reads=command == "join")
        else:
            answer = getattr(crowd, command)()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
