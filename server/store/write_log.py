"""Writes that are committed later, and are not lost when the disk is full.

SQLite may end a transaction by itself when a page cannot be written, and then everything in the
transaction is gone. Therefore all writes since the last commit are remembered as functions, and
repeated before the next commit.

Some writes only fill a buffer in memory, each of some owner. They are remembered with the owner
until its buffer is written to the transaction, so that a commit need not write all buffers.
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
    write_buffers : callable
        Writes what is buffered in memory, and calls `buffer_written` for each owner.
    after_rollback : callable
        Called when the transaction was lost; discards the buffers, which no longer continue what
        the database contains.
    """

    def __init__(
        self, connection: sqlite3.Connection, write_buffers: Write, after_rollback: Write
    ) -> None:
        self._connection = connection
        self._write_buffers = write_buffers
        self._after_rollback = after_rollback
        # What the transaction contains, and by owner what only the buffers contain.
        self._uncommitted: list[Write] = []
        self._buffered: dict[str, list[Write]] = {}
        self._lost = False
        # Whether buffers may contain some of the uncommitted writes, because they were repeated.
        self._repeated = False

    def write(self, write: Callable[[], T]) -> T | None:
        """Write now, or once there is space if the disk is full.

        Returns
        -------
        T or None
            What `write` returned; None if it is still to be done.
        """
        self.repeat_lost_writes()
        result = self._try(write)
        self._uncommitted.append(write)
        return result

    def buffer(self, owner: str, write: Callable[[], T]) -> T | None:
        """Write to the buffer of `owner` now, or once there is space; returns as `write`.

        The write is remembered with its owner until `buffer_written`.
        """
        self.repeat_lost_writes()
        # After a loss all writes are repeated in their order.
        writes = self._uncommitted if self._lost else self._buffered.setdefault(owner, [])
        # Before it is done, because it may itself write the buffer.
        writes.append(write)
        try:
            return self._try(write)
        except BaseException:
            # The rollback has moved it there.
            self._uncommitted.remove(write)
            raise

    def buffer_written(self, owner: str) -> None:
        """Note that the transaction contains the whole buffer of `owner`."""
        self._uncommitted += self._buffered.pop(owner, [])

    def forget_buffer(self, owner: str) -> None:
        """Note that the buffer of `owner` was discarded."""
        self._buffered.pop(owner, None)

    def _try(self, write: Callable[[], T]) -> T | None:
        if self._lost:
            return None
        try:
            return write()
        except BaseException as error:
            # Also after other errors: a later commit must not contain half of this write.
            self._roll_back()
            if as_storage_error(error) is None:
                raise
            return None

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

    def commit(self, *, all_buffers: bool = True) -> None:
        """Make all writes so far durable, those in buffers only with `all_buffers`.

        Raises
        ------
        StorageError
            The disk is full or cannot be written. The writes stay in memory for the next commit.
        """
        failpoint("store.commit")
        try:
            self._repeat()
            if all_buffers or self._repeated:
                self._write_buffers()
            self._connection.commit()
        except BaseException as error:
            self._roll_back()
            if (disk_error := as_storage_error(error)) is not None:
                raise disk_error from error
            raise
        self._uncommitted.clear()
        self._repeated = False
        failpoint("store.committed")

    def write_durably(self, write: Callable[[], T]) -> T:
        """Write and commit, with all earlier writes but those in buffers; undo it if that fails.

        Raises
        ------
        StorageError
            The disk is full or cannot be written.
        """
        try:
            self._repeat()
            result = write()
            self._uncommitted.append(write)
            self.commit(all_buffers=False)
        except BaseException as error:
            if write in self._uncommitted:
                self._uncommitted.remove(write)
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
        for owner in list(self._buffered):
            self.buffer_written(owner)
        self._lost = self._repeated = True
