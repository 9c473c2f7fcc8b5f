"""The child's end of the talk between the server and a process that works for it.

One JSON object a line: commands come in on standard input, events go out on standard output.
Standard input ending means that the server is gone.
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

# The exit status of a process that the server did not see the end of.
OVERDUE = 3


def finite(value: float | None) -> float | None:
    """Return a number as JSON can hold it: None in place of one that is not finite."""
    return value if value is not None and math.isfinite(value) else None


class JsonLineChannel:
    """The line to the server.

    A thread of its own reads, so that the main thread can work on and look into the inbox between
    two pieces of work; another one writes, so that a server which does not read holds up nobody.

    Parameters
    ----------
    patience_s : float
        How long this process may go on once the server is gone; then it ends, whatever it is at.

    Attributes
    ----------
    inbox : collections.deque of dict
        Commands not yet taken. Testing its truth is cheap enough for the hottest loop.
    server_gone : bool
        Whether standard input has ended.
    """

    def __init__(self, patience_s: float) -> None:
        # Ctrl-C in a terminal goes to the whole process group; when to leave is the server's word.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._patience_s = patience_s
        self.inbox: deque[Message] = deque()
        self.server_gone = False
        self._something = threading.Condition()
        self._outbox: deque[bytes] = deque()
        self._outgoing = threading.Condition()
        self._closing = False
        # Whatever else prints in this process must not end up between the events.
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        threading.Thread(target=self._read, daemon=True).start()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until a command is there, the server is gone, or the time is over."""
        with self._something:
            self._something.wait_for(lambda: self.inbox or self.server_gone, timeout_s)

    def take(self) -> Message | None:
        """Wait for a command and take it; None when the server is gone."""
        self.wait()
        return self.inbox.popleft() if self.inbox else None

    def send(self, event: Message) -> None:
        """Put an event on its way; returns at once."""
        line = json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with self._outgoing:
            self._outbox.append(line)
            self._outgoing.notify()

    def say_before(self, number: int, piece: Message) -> None:
        """Put a part of the answer to command `number` on its way, before the answer itself."""
        self.send({"before": number, **piece})

    @property
    def idle(self) -> bool:
        """Whether everything sent so far has left this process."""
        return not self._outbox

    def close(self, timeout_s: float = 2.0) -> None:
        """Let the last events leave, for at most `timeout_s` seconds."""
        with self._outgoing:
            self._closing = True
            self._outgoing.notify()
        self._writer.join(timeout_s)

    def _read(self) -> None:
        for line in _lines(0):
            message = json.loads(line)
            with self._something:
                self.inbox.append(message)
                self._something.notify()
        with self._something:
            self.server_gone = True
            self._something.notify()
        time.sleep(self._patience_s)
        # Whoever got here in time has left a checkpoint and ended; this thread with it.
        os._exit(OVERDUE)

    def _write(self) -> None:
        while True:
            with self._outgoing:
                self._outgoing.wait_for(lambda: self._outbox or self._closing)
                if not self._outbox:
                    return
                line = self._outbox[0]
            try:
                view = memoryview(line)
                while view:
                    view = view[self._out.write(view) :]
            except OSError:
                # The server is gone; reading standard input tells the main thread so.
                self._outbox.clear()
                return
            # Only now: `idle` must not be true while a line is still being written.
            self._outbox.popleft()


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines that come in; a last one that is cut short is dropped.

    Not `sys.stdin`: a thread that waits inside its buffer would hold the buffer's lock for ever,
    and the interpreter could not end.
    """
    rest = b""
    while part := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
