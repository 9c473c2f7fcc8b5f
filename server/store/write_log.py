"""Writes that are committed later, and are not lost when the disk is full.

SQLite may end a transaction by itself when a page cannot be written, and then everything in the
transaction is gone. Therefore all writes since the last commit are remembered as functions, and
repeated before the next commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from server.files.disk_errors import as_storage_error
from server.files.failpoints import failpoint

__all__ = ["WriteLog"]

T = TypeVar("T")
Write = Callable[[], object]


class WriteLog:
    """The open transaction of a connection.

    Parameters
    ----------
    connection : sqlite3.Connection
        Nothing else may commit on it.
    before_commit : callable
        Called before each commit; writes what is buffered in memory.
    after_rollback : callable
        Called when the transaction was lost; discards the buffers, which no longer continue what
        the database contains.
    """

    def __init__(
        self, connection: sqlite3.Connection, before_commit: Write, after_rollback: Write
    ) -> None:
        self._connection = connection
        self._before_commit = before_commit
        self._after_rollback = after_rollback
        self._uncommitted: list[Write] = []
        self._lost = False

    def write(self, write: Callable[[], T]) -> T | None:
        """Write now, or once there is space if the disk is full.

        Returns
        -------
        T or None
            What `write` returned; None if it is still to be done.
        """
        self.repeat_lost_writes()
        result = None
        if not self._lost:
            try:
                result = write()
            except BaseException as error:
                # Also after other errors: a later commit must not contain half of this write.
                self._roll_back()
                if as_storage_error(error) is None:
                    raise
        self._uncommitted.append(write)
        return result

    def repeat_lost_writes(self) -> None:
        """Repeat the writes that were lost, if the disk permits it, so that queries see them."""
        if not self._lost:
            return
        try:
            self._repeat()
        except sqlite3.OperationalError as error:
            if as_storage_error(error) is None:
                raise

    def write_derived(self, write: Callable[[], T]) -> T:
        """Write what can be computed again at any time, so that it is not repeated if it is lost.

        Raises
        ------
        StorageError
            The disk is full or cannot be written; nothing else is lost.
        """
        try:
            return write()
        except BaseException as error:
            self._roll_back()
            if (disk_error := as_storage_error(error)) is not None:
                raise disk_error from error
            raise

    def commit(self) -> None:
        """Make all writes so far durable.

        Raises
        ------
        StorageError
            The disk is full or cannot be written. The writes stay in memory for the next commit.
        """
        failpoint("store.commit")
        try:
            self._repeat()
            self._before_commit()
            self._connection.commit()
        except BaseException as error:
            self._roll_back()
            if (disk_error := as_storage_error(error)) is not None:
                raise disk_error from error
            raise
        self._uncommitted.clear()
        failpoint("store.committed")

    def write_durably(self, write: Callable[[], T]) -> T:
        """Write and commit, together with all earlier writes; if that fails, undo this write.

        Raises
        ------
        StorageError
            The disk is full or cannot be written.
        """
        earlier = len(self._uncommitted)
        try:
            self._repeat()
            result = write()
            self._uncommitted.append(write)
            self.commit()
        except BaseException as error:
            del self._uncommitted[earlier:]
            self._roll_back()
            if (disk_error := as_storage_error(error)) is not None:
                raise disk_error from error
            raise
        return result

    def _repeat(self) -> None:
        if self._lost:
            try:
                for write in self._uncommitted:
                    write()
            except BaseException:
                # The next attempt must not write twice what this one wrote.
                self._roll_back()
                raise
            self._lost = False

    def _roll_back(self) -> None:
        self._connection.rollback()
        self._after_rollback()
        self._lost = True
