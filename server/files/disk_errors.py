"""When the disk takes nothing more: told from other faults, and said in words."""

from __future__ import annotations

import errno
import sqlite3

__all__ = ["StorageError", "UnreadableError", "as_storage_error"]

FULL = "There is no room left on the disk"
SEALED = "The data directory can't be written"
FAULTY = "The disk reports a fault"

BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: SEALED,
    errno.EACCES: SEALED,
    errno.EPERM: SEALED,
    errno.EIO: FAULTY,
}
BY_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: SEALED,
    sqlite3.SQLITE_PERM: SEALED,
    sqlite3.SQLITE_CANTOPEN: SEALED,
    # What any error of the operating system in the middle of writing becomes.
    sqlite3.SQLITE_IOERR: "The database can't be written",
}
# The low byte of SQLite's codes is the kind, the rest says more exactly what.
KIND = 0xFF


class StorageError(RuntimeError):
    """The disk takes nothing more; the message is a sentence for a person."""


class UnreadableError(StorageError):
    """A file can't be read just now, which says nothing of what it holds; nothing has changed."""

    def __init__(self, what: str, error: OSError | MemoryError) -> None:
        why = error.strerror if isinstance(error, OSError) else "there is not enough memory"
        super().__init__(f"{what} can't be read just now: {why or error}.")


def as_storage_error(error: BaseException) -> StorageError | None:
    """Return what to say of an error in writing; None when it is of another kind.

    Parameters
    ----------
    error : BaseException
        What the operating system or SQLite raised.
    """
    reason = None
    if isinstance(error, OSError) and error.errno is not None:
        reason = BY_ERRNO.get(error.errno)
    elif isinstance(error, sqlite3.OperationalError):
        reason = BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & KIND)
    return None if reason is None else StorageError(f"{reason}.")
