"""What is kept of runs: one SQLite database with one owner, one thread and one connection.

Everything here is called on that thread (see `StoreExecutor`). Writes gather in an open
transaction; `commit` makes them durable, which the supervisor does once a second and before it
acknowledges. A durable call is durable when it returns, and has had no effect when it raises.
Reads see what was written, committed or not, since they use the same connection.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.history import smoothing, training_time
from server.history.loss_history import History
from server.history.threshold_search import forget_least
from server.spec.schemas import Checkpoint, Milestone, Sample
from server.store import milestones
from server.store.queries import StoreReads
from server.store.schema import COPIED_TO_FORKS, RUN_TABLES

__all__ = ["Store"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class Store(StoreReads):
    """The database.

    Parameters
    ----------
    path : pathlib.Path
        The file; made when it is not there.
    """

    def commit(self) -> None:
        """Make everything written so far durable.

        Raises
        ------
        StorageError
            The disk did not take it. It comes with the next commit for which there is room.
        """
        self._write_log.commit()

    def durably(self, write: Callable[[], T]) -> T:
        """Do a write and make it durable, or, should that fail, not do it at all.

        Raises
        ------
        StorageError
            There is no room for it.
        """
        return self._write_log.durably(write)

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        except StorageError as error:
            log.warning("the last second could not be stored: %s", error)
        self._connection.close()

    # -- runs -------------------------------------------------------------------------------------

    def add_run(self, run: str, text: str) -> None:
        """Keep a new run (`text` is its JSON); durable."""
        self._write_log.durably(partial(self._add_run, run, text))

    def add_fork(
        self, run: str, text: str, parent: str, update: int, checkpoint: Checkpoint
    ) -> None:
        """Keep a new run that happened as `parent` did up to `update`, with a checkpoint; durable.

        All of it in one, so that no crash leaves a fork that begins where its trunk began.
        """

        def add() -> None:
            self._add_run(run, text)
            self._write_out()
            for table, columns, place in COPIED_TO_FORKS:
                self._connection.execute(
                    f"INSERT INTO {table} (run, {columns}) SELECT ?, {columns} FROM {table}"  # noqa: S608
                    f" WHERE run = ? AND {place} <= ?",
                    (run, parent, update),
                )
            self._shorten(run, update)
            self._add_checkpoint(run, checkpoint)

        self._write_log.durably(add)

    def _add_run(self, run: str, text: str) -> None:
        self._connection.execute(
            "INSERT INTO runs VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM runs), ?)",
            (run, text),
        )

    def save_run(self, run: str, text: str) -> None:
        """Keep a run as it stands; nothing happens when it was deleted meanwhile."""
        self._write_log.write(partial(self._save_run, run, text))

    def _save_run(self, run: str, text: str) -> None:
        self._connection.execute("UPDATE runs SET run = ? WHERE id = ?", (text, run))

    def delete_run(self, run: str) -> None:
        """Forget a run and everything kept of it."""

        def delete() -> None:
            self._writers.pop(run, None)
            for table in RUN_TABLES:
                self._connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608
            self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))

        self._write_log.write(delete)
        self.commit()
        # Who deletes may be in need of room: the log gives back what it no longer needs.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def go_back(
        self,
        run: str,
        text: str,
        first: int,
        losses: NDArray[np.float64],
        marks: Sequence[Milestone],
        *,
        update: int,
    ) -> list[Milestone]:
        """Let a run stand at `update`, with what led there, and forget what came after; durable.

        What came after will happen again, exactly so: its losses, samples and hurrahs go. What a
        person did meanwhile will not; it is remembered as done at `update`.
        """

        def go() -> list[Milestone]:
            kept = self._add_report(run, text, first, losses, marks)
            self._rewind(run, update)
            return kept

        return self._write_log.durably(go)

    def _rewind(self, run: str, update: int) -> None:
        if (writer := self._writers.pop(run, None)) is not None:
            writer.write()
        self._shorten(run, update)
        self._connection.execute("DELETE FROM samples WHERE run = ? AND update_ > ?", (run, update))
        milestones.go_back(self._connection, run, update)

    def _shorten(self, run: str, update: int) -> None:
        History(self._connection, run).truncate(update)
        forget_least(self._connection, run, update)
        smoothing.forget(self._connection, run, update)
        training_time.shorten(self._connection, run, update)

    # -- what happens -----------------------------------------------------------------------------

    def add_report(
        self,
        run: str,
        text: str,
        first: int,
        losses: NDArray[np.float64],
        marks: Sequence[Milestone],
    ) -> list[Milestone]:
        """Add the losses of the updates from `first` on, and what belongs to them.

        Returns the milestones with their ids, as far as they could be written.

        In one call, because anybody's commit may follow it: after a crash the history ends where
        the run says that it stands.
        """
        add = partial(self._add_report, run, text, first, losses, marks)
        return self._write_log.write(add) or list(marks)

    def _add_report(
        self,
        run: str,
        text: str,
        first: int,
        losses: NDArray[np.float64],
        marks: Sequence[Milestone],
    ) -> list[Milestone]:
        self._writer(run).append(first, losses)
        self._save_run(run, text)
        training_time.keep_mark(self._connection, run, text)
        return milestones.add(self._connection, run, marks)

    def release(self, run: str) -> None:
        """Forget what is held in memory for a run that no longer trains."""

        def let_go() -> None:
            if (writer := self._writers.pop(run, None)) is not None:
                writer.write()

        self._write_log.write(let_go)

    def add_sample(
        self, run: str, sample: Sample, marks: Sequence[Milestone] = ()
    ) -> list[Milestone]:
        """Keep a sample, and the milestones that it makes, which are returned with their ids."""

        def add() -> list[Milestone]:
            self._connection.execute(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
                (run, sample.update, sample.model_dump_json()),
            )
            return milestones.add(self._connection, run, marks)

        kept = self._write_log.write(add)
        failpoint("store.sampled")
        return kept or list(marks)

    def add_milestones(self, run: str, marks: Sequence[Milestone]) -> list[Milestone]:
        """Keep milestones, and return them with their ids, as far as they could be written."""
        add = partial(milestones.add, self._connection, run, marks)
        return self._write_log.write(add) or list(marks)

    def add_note(self, run: str, update: int, text: str) -> Milestone:
        """Keep a note; durable. Raises as `milestones.add_note`."""
        return self.durably(partial(milestones.add_note, self._connection, run, update, text))

    def change_note(self, run: str, identity: str, text: str) -> Milestone:
        """Let a note say something else; durable. Raises as `milestones.change_note`."""
        return self.durably(partial(milestones.change_note, self._connection, run, identity, text))

    def remove_note(self, run: str, identity: str) -> None:
        """Take a note away; durable. Raises as `milestones.change_note`."""
        self.durably(partial(milestones.remove_note, self._connection, run, identity))

    def add_checkpoint(
        self, run: str, checkpoint: Checkpoint, marks: Sequence[Milestone] = ()
    ) -> list[Milestone]:
        """Keep a checkpoint's description and its marks, which are returned with their ids.

        Durable, with all that led up to it. A description that is there already is replaced.
        """

        def add() -> list[Milestone]:
            self._add_checkpoint(run, checkpoint)
            return milestones.add(self._connection, run, marks)

        return self.durably(add)

    def _add_checkpoint(self, run: str, checkpoint: Checkpoint) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
            (run, checkpoint.id, checkpoint.update, checkpoint.model_dump_json()),
        )

    def remove_checkpoint(self, run: str, checkpoint: str) -> None:
        """Forget a checkpoint; durable."""

        def remove() -> None:
            self._connection.execute(
                "DELETE FROM checkpoints WHERE run = ? AND id = ?", (run, checkpoint)
            )

        self._write_log.durably(remove)
