"""Errors of a disk that is full or cannot be written, as one exception with a sentence."""

from __future__ import annotations

import errno
import sqlite3

__all__ = ["StorageError", "UnreadableError", "as_storage_error"]

FULL = "There is no space left on the disk"
READ_ONLY = "The data directory cannot be written"
FAULTY = "The disk reports an error"

BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EIO: FAULTY,
}
BY_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: READ_ONLY,
    # The index of the write-ahead log could not grow.
    sqlite3.SQLITE_IOERR_SHMSIZE: FULL,
    # SQLite reports any error of the operating system during a write as this.
    sqlite3.SQLITE_IOERR: "The database cannot be written",
}
# The low byte of SQLite's extended result codes is the primary result code.
PRIMARY_CODE = 0xFF


class StorageError(RuntimeError):
    """The disk is full or cannot be written; the message is a sentence for the user."""


class UnreadableError(StorageError):
    """A file cannot be read at the moment, but it need not be damaged; nothing has changed."""

    def __init__(self, what: str, error: OSError | MemoryError) -> None:
        why = error.strerror if isinstance(error, OSError) else "there is not enough memory"
        super().__init__(f"{what} cannot be read at the moment: {why or error}.")


def as_storage_error(error: BaseException | None) -> StorageError | None:
    """Return a write error of the operating system or SQLite as a `StorageError`.

    Returns
    -------
    StorageError or None
        None if there is no error, or it is of another kind.
    """
    reason = None
    if isinstance(error, OSError) and error.errno is not None:
        reason = BY_ERRNO.get(error.errno)
    elif isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0)
        reason = BY_SQLITE.get(code) or BY_SQLITE.get(code & PRIMARY_CODE)
    return None if reason is None else StorageError(f"{reason}.")
