"""One process at a time in a folder.

The claim is a lock of the operating system on the folder itself: it leaves no file behind, and ends
with its process, however that ends.
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
    """Another process works in the folder, and did not leave in time."""


@contextlib.contextmanager
def lock_directory(folder: Path, patience_s: float) -> Iterator[None]:
    """Hold a folder for this process alone.

    Parameters
    ----------
    folder : pathlib.Path
        The folder, which must exist.
    patience_s : float
        Seconds to wait for another process to leave it.

    Raises
    ------
    DirectoryInUseError
        It did not leave.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder, time.monotonic() + patience_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, give_up_s: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= give_up_s:
                raise DirectoryInUseError(f"another process works in {folder}") from error
            time.sleep(RETRY_EVERY_S)
        except OSError as error:
            # Some network file systems know no locks; then it is for people to start only one.
            log.warning("%s can't be locked: %s", folder, error)
            return
        else:
            return
