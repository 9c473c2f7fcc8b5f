"""Writes that gather until they are made durable, and that a full disk can't lose.

SQLite may end a transaction by itself when the disk refuses a page, and all that was in it is gone.
So what was written since the last commit is remembered, as the calls that wrote it, and done again
before the next one.
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
        Nobody else may commit on it.
    finish : callable
        Called before each commit, to write what is still held in memory.
    forget : callable
        Called when the transaction is lost: what is held in memory no longer follows on what the
        database holds.
    """

    def __init__(self, connection: sqlite3.Connection, finish: Write, forget: Write) -> None:
        self._connection = connection
        self._finish = finish
        self._forget = forget
        self._written: list[Write] = []
        self._lost = False

    def write(self, write: Callable[[], T]) -> T | None:
        """Do a write now, or, where the disk refuses it, when there is room.

        Returns
        -------
        T or None
            What the write returned; None when it could not be done yet.
        """
        self.redo()
        result = None
        if not self._lost:
            try:
                result = write()
            except sqlite3.OperationalError as error:
                self._lose()
                if as_storage_error(error) is None:
                    raise
        self._written.append(write)
        return result

    def redo(self) -> None:
        """Write again what was lost, as far as the disk lets it: reads then see it."""
        if not self._lost:
            return
        try:
            self._redo()
        except sqlite3.OperationalError as error:
            self._lose()
            if as_storage_error(error) is None:
                raise

    def read(self, read: Callable[[], T]) -> T:
        """Read, where that writes what can be worked out again.

        Raises
        ------
        StorageError
            The disk refused that; nothing else is lost.
        """
        try:
            return read()
        except sqlite3.OperationalError as error:
            self._lose()
            raise as_storage_error(error) or error from error

    def commit(self) -> None:
        """Make everything written so far durable.

        Raises
        ------
        StorageError
            The disk did not take it. It is kept in memory, and comes with the next commit.
        """
        failpoint("store.commit")
        try:
            self._redo()
            self._finish()
            self._connection.commit()
        except sqlite3.OperationalError as error:
            self._lose()
            raise as_storage_error(error) or error from error
        self._written.clear()
        failpoint("store.committed")

    def durably(self, write: Callable[[], T]) -> T:
        """Do a write and make it durable with all before it, or, should that fail, not at all.

        Raises
        ------
        StorageError
            The disk did not take it.
        """
        before = len(self._written)
        try:
            self._redo()
            result = write()
            self._written.append(write)
            self.commit()
        except BaseException as error:
            del self._written[before:]
            self._lose()
            short = as_storage_error(error)
            if short is not None:
                raise short from error
            raise
        return result

    def _redo(self) -> None:
        if self._lost:
            for write in self._written:
                write()
            self._lost = False

    def _lose(self) -> None:
        self._connection.rollback()
        self._forget()
        self._lost = True
