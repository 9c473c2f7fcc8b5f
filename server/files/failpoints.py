"""Named points at which a test can stop a process, in order to kill it there.

With ``HURRAH_STOP_AT=store.committed:3`` a process stops with SIGSTOP when it reaches the point for
the third time; the test can then kill it, its parent, or both. Without the variable nothing
happens.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

__all__ = ["failpoint"]

_reached: Counter[str] = Counter()


def failpoint(point: str) -> None:
    """Stop this process, if it is to stop at this point."""
    if setting := os.environ.get("HURRAH_STOP_AT"):
        name, _, count = setting.partition(":")
        _reached[point] += 1
        if point == name and _reached[point] == int(count or 1):
            # `os.kill` might signal another thread first, and this one would run on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
