"""The child's end of the pipes between the server and a child process.

One JSON object a line: commands arrive on standard input, replies and events leave on standard
output. When standard input ends, the server is gone.
"""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

__all__ = ["JsonLineChannel", "Message", "finite"]

Message = dict[str, Any]

SERVER_GONE_STATUS = 3
"""Exit status of a child process that has not ended in time after the server was gone."""


def finite(value: float | None) -> float | None:
    """Return a number as JSON can represent it: None in place of one that is not finite."""
    return value if value is not None and math.isfinite(value) else None


class JsonLineChannel:
    """Commands from the server, and replies and events to it.

    One thread reads, so that the main thread can compute and look into the inbox between two
    pieces of work. Another thread writes, so that a server that does not read never blocks the main
    thread.

    Parameters
    ----------
    timeout_s : float
        How long this process may run once the server is gone; then it exits, whatever it is doing.

    Attributes
    ----------
    inbox : collections.deque of dict
        Commands received and not handled yet. Testing its truth is cheap enough for the hottest
        loop.
    server_gone : bool
        Whether standard input has ended.
    """

    def __init__(self, timeout_s: float) -> None:
        # Ctrl-C in a terminal reaches the whole process group, but the server decides when to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._timeout_s = timeout_s
        self.inbox: deque[Message] = deque()
        self.server_gone = False
        self._received = threading.Condition()
        self._outbox: deque[bytes] = deque()
        self._to_send = threading.Condition()
        self._closing = False
        # Output of anything else in this process must not mix with the messages.
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        threading.Thread(target=self._read, daemon=True).start()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until there is a command, the server is gone, or the timeout is over."""
        with self._received:
            self._received.wait_for(lambda: self.inbox or self.server_gone, timeout_s)

    def receive(self) -> Message | None:
        """Wait for the next command; None when the server is gone."""
        self.wait()
        return self.inbox.popleft() if self.inbox else None

    def send(self, message: Message) -> None:
        """Queue a message for sending; returns at once."""
        line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with self._to_send:
            self._outbox.append(line)
            self._to_send.notify()

    def send_reply(self, number: int, content: Message) -> None:
        """Queue the reply to command `number`."""
        self.send({"answer": number, **content})

    def send_partial(self, number: int, content: Message) -> None:
        """Queue a partial reply to command `number`; the reply itself comes later."""
        self.send({"partial": number, **content})

    @property
    def idle(self) -> bool:
        """Whether everything queued so far has left this process."""
        return not self._outbox

    def close(self, timeout_s: float = 2.0) -> None:
        """Wait until the last messages have left, for at most `timeout_s` seconds."""
        with self._to_send:
            self._closing = True
            self._to_send.notify()
        self._writer.join(timeout_s)

    def _read(self) -> None:
        try:
            for line in _lines(0):
                message = json.loads(line)
                with self._received:
                    self.inbox.append(message)
                    self._received.notify()
        finally:
            # Whatever ended the reading: the main thread must not wait for ever.
            with self._received:
                self.server_gone = True
                self._received.notify()
        time.sleep(self._timeout_s)
        # A main thread that ended in time has ended this daemon thread with it.
        os._exit(SERVER_GONE_STATUS)

    def _write(self) -> None:
        while True:
            with self._to_send:
                self._to_send.wait_for(lambda: self._outbox or self._closing)
                if not self._outbox:
                    return
                line = self._outbox[0]
            try:
                view = memoryview(line)
                while view:
                    view = view[self._out.write(view) :]
            except OSError:
                # The server is gone; the reading thread reports that to the main thread.
                self._outbox.clear()
                return
            # Removed only now: `idle` must not be true while a line is still being written.
            self._outbox.popleft()


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines that arrive; an incomplete last one is dropped.

    This does not use `sys.stdin`: a thread blocked in its buffer holds the buffer's lock, and then
    the interpreter could not exit.
    """
    rest = b""
    while part := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
