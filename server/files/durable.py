"""Directories and files that survive a power cut."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["clear_unfinished", "copy_durably", "make_directory", "replacing", "sync_directory"]


log = logging.getLogger(__name__)

# The errors of fsync on a directory whose file system does not have it.
UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def clear_unfinished(directory: Path, process: int) -> None:
    """Delete the unfinished files of an ended process, by its id, in all subdirectories."""
    for path in directory.glob(f"*/.*.{process}.tmp"):
        path.unlink(missing_ok=True)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file atomically and durably, as `write_archive` writes one."""
    temporary = target.with_name(f".{target.stem}.tmp")
    try:
        shutil.copyfile(source, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write that replaces `target` at the end of the block, atomically and durably.

    Raises
    ------
    OSError
        The file cannot be written; `target` is as before. The error names `target`.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and str(error.filename) == str(temporary):
            error.filename = str(target)
        raise
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable.

    Some file systems cannot: CIFS, folders shared with a virtual machine, some of FUSE. There it
    does nothing, with one warning in each process.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _warn(str(error.strerror))
    finally:
        os.close(descriptor)


@functools.cache
def _warn(reason: str) -> None:
    """Warn at the first call with this reason."""
    log.warning(
        "The file system cannot flush directories to the disk (%s). Files survive a crash of the"
        " program, but the newest may be lost when the power fails.",
        reason,
    )


def make_directory(directory: Path) -> None:
    """Create a directory and its parents as needed, durably."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)
