"""The SQLite database of all runs: its connection, transactions and writes.

One thread owns the database, and every method runs on that thread (see `StoreExecutor`). Writes
collect in an open transaction, and the reports of runs that train collect in memory, in one buffer
for each run. `Store.commit` makes both durable. A method that is documented as durable has
committed when it returns, and has changed nothing when it raises. Whatever else is written of a run
follows its buffer, so that after a crash everything of a run is of the same moment. Queries are in
`server.store.queries`; they use the same connection, so they see uncommitted writes.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.history import metric_history, smoothing, threshold_search, training_time
from server.history.loss_history import History
from server.history.run_history import Records, RunHistoryWriter
from server.rnn.training.settings import TrainerSettings, smoothing_factor
from server.spec.schemas import Checkpoint, Group, Milestone, Sample
from server.store import groups, milestones, webhook_events
from server.store.migrations import open_database
from server.store.schema import COPIED_TO_FORKS, IMPORTED, RUN_TABLES
from server.store.webhook_events import Moment, WebhookEvent
from server.store.write_log import WriteLog

__all__ = ["Store"]

log = logging.getLogger(__name__)

T = TypeVar("T")

# The sizes of a run whose JSON does not name them.
COURSE = TrainerSettings()


class Store:
    """The database.

    Parameters
    ----------
    path : pathlib.Path
        The database file; created if it does not exist.
    collect_events : bool
        Whether to store what a webhook is sent; see `server.store.webhook_events`.
    """

    def __init__(self, path: Path, *, collect_events: bool = False) -> None:
        self._connection = open_database(path)
        self._collects_events = collect_events
        # The last, incomplete chunks of the history of each run that trains.
        self._writers: dict[str, RunHistoryWriter] = {}
        # Those with something that is not written to the transaction, oldest first. A dictionary,
        # because a set has no order.
        self._changed: dict[str, RunHistoryWriter] = {}
        # The JSON of each run after its last report, if that is not written either. A report by
        # itself executes no statement: hundreds of runs report twice a second.
        self._reported: dict[str, tuple[str, Moment]] = {}
        # The factor of each run's smooth loss, which never changes.
        self._smoothing: dict[str, float] = {}
        self._log = WriteLog(self._connection, self._write_buffers, self._forget_buffers)

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for queries of what is never buffered; others use `current`."""
        return self._connection

    def current(self, run: str | None = None) -> sqlite3.Connection:
        """Return the connection for a query that sees all writes.

        Parameters
        ----------
        run : str or None
            A run whose losses, metrics or times are queried; they may still be in a buffer.
        """
        self._log.repeat_lost_writes()
        if run is not None and run in self._changed:
            self._log.write_derived(partial(self._write_buffer, run))
        return self._connection

    # -- transactions -----------------------------------------------------------------------------

    def commit(self) -> None:
        """Make all writes so far durable.

        Raises
        ------
        StorageError
            The disk is full or cannot be written. The next commit includes these writes.
        """
        self._log.commit()

    def commit_written(self) -> None:
        """Make the transaction durable, without the reports that are only in a buffer.

        Writing the buffers of hundreds of runs takes a good part of a second. Raises as `commit`.
        """
        self._log.commit(all_buffers=False)

    def changed_runs(self) -> list[str]:
        """Return the runs with something in a buffer, the oldest change first."""
        return list(self._changed)

    def write_buffers(self, runs: Sequence[str]) -> None:
        """Write what is buffered of these runs to the transaction.

        Raises
        ------
        StorageError
            The disk is full or cannot be written.
        """
        self._log.repeat_lost_writes()
        for run in runs:
            self._log.write_derived(partial(self._write_buffer, run))

    def write_durably(self, write: Callable[[], T]) -> T:
        """Write and commit; if that fails, undo this write.

        Raises
        ------
        StorageError
            The disk is full or cannot be written.
        """
        return self._log.write_durably(write)

    def write_derived(self, write: Callable[[], T]) -> T:
        """Write what can be computed again at any time.

        Raises
        ------
        StorageError
            The disk is full or cannot be written.
        """
        return self._log.write_derived(write)

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        except StorageError as error:
            log.warning("the last second could not be stored: %s", error)
        self._connection.close()

    # -- runs -------------------------------------------------------------------------------------

    def add_run(
        self,
        run: str,
        text: str,
        checkpoint: Checkpoint | None = None,
        *,
        add_more: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Add a run; durable, in one transaction.

        Parameters
        ----------
        run, text : str
            Id and JSON of the run.
        checkpoint : Checkpoint or None
            The checkpoint that it starts from.
        add_more : callable or None
            Called with the connection, to add further rows.
        """

        def add() -> None:
            self._add_run(run, text)
            if add_more is not None:
                add_more(self._connection)
            if checkpoint is not None:
                self._add_checkpoint(run, checkpoint)
                about = Milestone(update=0, kind="checkpoint", text=checkpoint.note or "checkpoint")
                milestones.add(self._connection, run, [about])

        self._log.write_durably(add)

    def add_fork(
        self, run: str, text: str, parent: str, update: int, checkpoint: Checkpoint
    ) -> None:
        """Add a run with the history of `parent` up to `update`, and a checkpoint; durable.

        All in one transaction, so that no crash leaves a fork without its history.
        """

        def add() -> None:
            self._add_run(run, text)
            self._write_buffer(parent)
            for table, columns, row_update in COPIED_TO_FORKS:
                self._connection.execute(
                    f"INSERT INTO {table} (run, {columns}) SELECT ?, {columns} FROM {table}"  # noqa: S608
                    f" WHERE run = ? AND {row_update} <= ?",
                    (run, parent, update),
                )
            self._truncate(run, update)
            self._add_checkpoint(run, checkpoint)

        self._log.write_durably(add)

    def add_group(self, group: Group, added: Sequence[tuple[str, str]]) -> None:
        """Add runs, each with its id and its JSON, and make `group.runs` a group; durable.

        All in one transaction, so that no crash leaves a part of a group. A group with this id gets
        these members besides those that it has.
        """

        def add() -> None:
            for run, text in added:
                self._add_run(run, text)
            groups.add_members(self._connection, group)

        self._log.write_durably(add)

    def rename_group(self, group: str, name: str) -> None:
        """Give a group another name; durable."""
        self._log.write_durably(partial(groups.rename, self._connection, group, name))

    def add_imported(
        self,
        run: str,
        text: str,
        rows: Path,
        add_more: Callable[[sqlite3.Connection, sqlite3.Connection], None],
    ) -> None:
        """Add a run with the rows of the database of one run; durable, in one transaction.

        Parameters
        ----------
        run, text : str
            Id and JSON of the run.
        rows : pathlib.Path
            The other database. Its rows may have another run's id.
        add_more : callable
            Called with this connection and that of the other database, to add further rows.
        """

        def add() -> None:
            self._add_run(run, text)
            with contextlib.closing(sqlite3.connect(rows)) as source:
                for table, columns, order in IMPORTED:
                    found = source.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")  # noqa: S608
                    marks = ", ?" * (columns.count(",") + 1)
                    self._connection.executemany(
                        f"INSERT INTO {table} (run, {columns}) VALUES (?{marks})",  # noqa: S608
                        ((run, *row) for row in found),
                    )
                add_more(self._connection, source)

        self._log.write_durably(add)

    def _add_run(self, run: str, text: str) -> None:
        self._connection.execute(
            "INSERT INTO runs VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM runs), ?)",
            (run, text),
        )

    def save_run(self, run: str, text: str, added: Sequence[Milestone] = ()) -> Sequence[Milestone]:
        """Replace the JSON of a run, and add milestones; returns as `add_report`."""
        moment = Moment()

        def save() -> list[Milestone]:
            self._save_run(run, text, moment)
            return milestones.add(self._connection, run, added)

        return self._log.write(save) or added

    def save_run_durably(self, run: str, text: str) -> None:
        """Replace the JSON of a run; durable."""
        self._log.write_durably(partial(self._save_run, run, text, Moment()))

    def _save_run(self, run: str, text: str, moment: Moment) -> None:
        self._write_buffer(run)
        self._write_run(run, text, moment)

    def _write_reported(self, run: str) -> None:
        """Write the JSON of a run after its last report, and how long it had trained."""
        if (reported := self._reported.get(run)) is not None:
            text, moment = reported
            self._write_run(run, text, moment)
            training_time.add(self._connection, run, text)
            del self._reported[run]

    def _write_run(self, run: str, text: str, moment: Moment) -> None:
        if self._collects_events:
            webhook_events.add_state(self._connection, run, text, moment)
        self._connection.execute("UPDATE runs SET run = ? WHERE id = ?", (text, run))

    def save_queue(self, runs: Sequence[str]) -> None:
        """Store the ids of the runs that wait to train, in their order."""
        self._log.write(partial(self._save_queue, runs))

    def save_queue_durably(self, runs: Sequence[str]) -> None:
        """Store the queue as `save_queue`; durable."""
        self._log.write_durably(partial(self._save_queue, runs))

    def _save_queue(self, runs: Sequence[str]) -> None:
        self._connection.execute("DELETE FROM queue")
        self._connection.executemany(
            "INSERT INTO queue VALUES (?, ?)", zip(runs, range(len(runs)), strict=True)
        )

    def delete_run(self, run: str) -> None:
        """Delete a run and everything that belongs to it."""

        def delete() -> None:
            self._writers.pop(run, None)
            self._changed.pop(run, None)
            self._reported.pop(run, None)
            self._smoothing.pop(run, None)
            self._log.forget_buffer(run)
            for table in RUN_TABLES:
                self._connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608
            self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))
            self._connection.execute(
                "DELETE FROM run_groups WHERE id NOT IN (SELECT group_id FROM group_members)"
            )

        self._log.write(delete)
        self.commit_written()
        # The run may have been deleted to free disk space: shrink the write-ahead log.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewind(
        self,
        run: str,
        text: str,
        records: Records,
        added: Sequence[Milestone],
        *,
        update: int,
    ) -> list[Milestone]:
        """Add a report as `add_report`, then delete everything after `update`; durable.

        The run will repeat what comes after: losses, metrics, samples and hurrahs are deleted. A
        change that a person made will not be repeated, so its milestone is moved to `update`.

        Returns
        -------
        list of Milestone
            The added milestones with their ids.
        """
        moment = Moment()

        def add_and_rewind() -> list[Milestone]:
            stored = self._add_report(run, text, records, added, moment)
            self._close_history(run)
            self._truncate(run, update)
            self._connection.execute(
                "DELETE FROM samples WHERE run = ? AND update_ > ?", (run, update)
            )
            milestones.rewind(self._connection, run, update)
            return stored

        return self._log.write_durably(add_and_rewind)

    def _truncate(self, run: str, update: int) -> None:
        History(self._connection, run, self.smoothing(run)).truncate(update)
        metric_history.truncate(self._connection, run, update)
        threshold_search.truncate(self._connection, run, update)
        smoothing.truncate(self._connection, run, update)
        training_time.truncate(self._connection, run, update)

    def smoothing(self, run: str) -> float:
        """Return the factor of a run's smooth loss."""
        if run not in self._smoothing:
            row = self._connection.execute(
                "SELECT json_extract(run, '$.spec.loss_smoothing'),"
                " json_extract(run, '$.spec.sequence_length'),"
                " json_extract(run, '$.spec.batch_size') FROM runs WHERE id = ?",
                (run,),
            ).fetchone()
            chosen, length, streams = row or (None, None, None)
            self._smoothing[run] = smoothing_factor(
                chosen, length or COURSE.sequence_length, streams or COURSE.batch_size
            )
        return self._smoothing[run]

    # -- losses and metrics -----------------------------------------------------------------------

    def history_end(self, run: str) -> int:
        """Return the last update in the history, 0 if it is empty."""
        self._log.repeat_lost_writes()
        return self._writer(run).last

    def add_report(
        self,
        run: str,
        text: str,
        records: Records,
        added: Sequence[Milestone],
    ) -> list[Milestone]:
        """Add the records of updates, with the run's JSON and milestones.

        In one call, because any other write may commit next: after a crash, the history ends at the
        update that the run names. Usually they are only added to the run's buffer.

        Returns
        -------
        list of Milestone
            With their ids, unless the disk is full.
        """
        write = partial(self._add_report, run, text, records, added, Moment())
        return self._log.buffer(run, write) or list(added)

    def _add_report(
        self,
        run: str,
        text: str,
        records: Records,
        added: Sequence[Milestone],
        moment: Moment,
    ) -> list[Milestone]:
        self._changed[run] = self._writer(run)
        written = self._changed[run].append(records)
        self._reported[run] = text, moment
        if written or added:
            self._write_buffer(run)
        return milestones.add(self._connection, run, added)

    def close_history(self, run: str) -> None:
        """Free the memory that a run's history takes while the run trains."""
        self._log.write(partial(self._close_history, run))

    def _close_history(self, run: str) -> None:
        self._write_buffer(run)
        self._writers.pop(run, None)

    def _writer(self, run: str) -> RunHistoryWriter:
        if run not in self._writers:
            self._writers[run] = RunHistoryWriter(self._connection, run, self.smoothing(run))
        return self._writers[run]

    def _write_buffers(self) -> None:
        for run in self.changed_runs():
            self._write_buffer(run)

    def _write_buffer(self, run: str) -> None:
        if (writer := self._changed.get(run)) is not None:
            writer.write()
            self._write_reported(run)
            del self._changed[run]
            self._log.buffer_written(run)

    def _forget_buffers(self) -> None:
        self._writers.clear()
        self._changed.clear()
        self._reported.clear()

    # -- samples, milestones, checkpoints ---------------------------------------------------------

    def add_sample(
        self, run: str, sample: Sample, added: Sequence[Milestone] = ()
    ) -> list[Milestone]:
        """Add a sample and its milestones, which are returned with their ids."""
        moment = Moment()

        def add() -> list[Milestone]:
            self._write_buffer(run)
            if self._collects_events:
                webhook_events.add_hurrah(self._connection, run, sample, moment)
            self._connection.execute(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
                (run, sample.update, sample.model_dump_json()),
            )
            return milestones.add(self._connection, run, added)

        stored = self._log.write(add)
        failpoint("store.sampled")
        return stored or list(added)

    def add_milestones(self, run: str, added: Sequence[Milestone]) -> list[Milestone]:
        """Add milestones, and return them with their ids, unless the disk is full."""

        def add() -> list[Milestone]:
            self._write_buffer(run)
            return milestones.add(self._connection, run, added)

        return self._log.write(add) or list(added)

    def add_note(self, run: str, update: int, text: str) -> Milestone:
        """Add a note; durable. Raises as `milestones.add_note`."""

        def add() -> Milestone:
            self._write_buffer(run)
            return milestones.add_note(self._connection, run, update, text)

        return self.write_durably(add)

    def change_note(self, run: str, identity: str, text: str) -> Milestone:
        """Replace the text of a note; durable. Raises as `milestones.change_note`."""
        change = partial(milestones.change_note, self._connection, run, identity, text)
        return self.write_durably(change)

    def remove_note(self, run: str, identity: str) -> None:
        """Delete a note; durable. Raises as `milestones.change_note`."""
        self.write_durably(partial(milestones.remove_note, self._connection, run, identity))

    def save_report_remarks(self, run: str, text: str) -> None:
        """Replace the remarks in a run's report; `text` is their JSON. Durable."""

        def save() -> None:
            self._connection.execute(
                "INSERT OR REPLACE INTO report_remarks VALUES (?, ?)", (run, text)
            )

        self.write_durably(save)

    def save_own_losses(self, run: str, text: str, rows: bytes | None) -> None:
        """Replace the user's losses beside a run, or delete them, with its JSON; durable."""
        moment = Moment()

        def save() -> None:
            self._save_run(run, text, moment)
            self._connection.execute("DELETE FROM own_losses WHERE run = ?", (run,))
            if rows is not None:
                self._connection.execute("INSERT INTO own_losses VALUES (?, ?)", (run, rows))

        self.write_durably(save)

    def add_checkpoint(
        self, run: str, checkpoint: Checkpoint, added: Sequence[Milestone] = ()
    ) -> list[Milestone]:
        """Add or replace a checkpoint, and add milestones; durable, with the run's history so far.

        Returns
        -------
        list of Milestone
            The added milestones with their ids.
        """

        def add() -> list[Milestone]:
            self._write_buffer(run)
            self._add_checkpoint(run, checkpoint)
            return milestones.add(self._connection, run, added)

        return self.write_durably(add)

    def _add_checkpoint(self, run: str, checkpoint: Checkpoint) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
            (run, checkpoint.id, checkpoint.update, checkpoint.model_dump_json()),
        )

    def remove_checkpoint(self, run: str, checkpoint: str) -> None:
        """Delete a checkpoint by its id; durable."""

        def remove() -> None:
            self._connection.execute(
                "DELETE FROM checkpoints WHERE run = ? AND id = ?", (run, checkpoint)
            )

        self.write_durably(remove)

    # -- the webhook ------------------------------------------------------------------------------

    def oldest_event(self) -> WebhookEvent | None:
        """Return the event for the webhook that waits longest."""
        return webhook_events.oldest(self.current())

    def remove_event(self, number: int) -> None:
        """Delete an event that was delivered or is given up, by its number.

        Durable, unless the disk is full: then the next commit includes it.
        """
        self._log.write(partial(webhook_events.remove, self._connection, number))
        # Without a run that trains, nothing else commits it.
        with contextlib.suppress(StorageError):
            self.commit_written()
