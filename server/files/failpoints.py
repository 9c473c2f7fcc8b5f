"""Named points at which a test may stop a process, to kill it just there.

``HURRAH_STOP_AT=store.committed:3`` stops the first process that reaches the point for the third
time, as SIGSTOP does: whoever set it can then kill it, or its parent, or both. Nothing happens
without the variable, and nothing worse than a stop with it.
"""

from __future__ import annotations

import os
import signal
import threading

__all__ = ["failpoint"]

_point, _, _count = os.environ.get("HURRAH_STOP_AT", "").partition(":")
_left = int(_count or 1)


def failpoint(point: str) -> None:
    """Say that a point is reached."""
    global _left  # noqa: PLW0603 - of the process, as the variable is
    if point == _point:
        _left -= 1
        if _left == 0:
            # Of the process, the signal might reach another thread first, and this one run on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
