"""Named points at which a test can stop a process, in order to kill it there.

With ``HURRAH_STOP_AT=store.committed:3`` a process stops with SIGSTOP when it reaches the point for
the third time; the test can then kill it, its parent, or both. Without the variable nothing
happens.
"""

from __future__ import annotations

import os
import signal
import threading

__all__ = ["failpoint"]

_point, _, _count = os.environ.get("HURRAH_STOP_AT", "").partition(":")
_left = int(_count or 1)


def failpoint(point: str) -> None:
    """Stop this process, if it is to stop at this point."""
    global _left  # noqa: PLW0603 - one counter a process, like the environment variable
    if point == _point:
        _left -= 1
        if _left == 0:
            # `os.kill` might signal another thread first, and this one would run on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
