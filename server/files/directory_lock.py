"""A lock that lets one process at a time use a directory.

It is the operating system's lock on the directory itself: it leaves no file behind, and is released
when its process ends, whatever ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DirectoryInUseError", "lock_directory"]

log = logging.getLogger(__name__)

RETRY_EVERY_S = 0.02


class DirectoryInUseError(RuntimeError):
    """Another process is using the directory, and did not release it in time."""


@contextlib.contextmanager
def lock_directory(directory: Path, timeout_s: float) -> Iterator[None]:
    """Lock a directory for this process alone.

    Parameters
    ----------
    directory : pathlib.Path
        The directory, which must exist.
    timeout_s : float
        Seconds to wait for another process to release it.

    Raises
    ------
    DirectoryInUseError
        The other process did not release it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, directory, time.monotonic() + timeout_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path, deadline_s: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline_s:
                raise DirectoryInUseError(f"another process is using {directory}") from error
            time.sleep(RETRY_EVERY_S)
        except OSError as error:
            # Some network file systems have no locks; there, users must start only one process.
            log.warning("%s cannot be locked: %s", directory, error)
            return
        else:
            return
