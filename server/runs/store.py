"""What is kept of runs: one SQLite database with one owner, one thread and one connection.

Everything here is called on that thread (see `StoreThread`). Writes gather in an open transaction;
`commit` makes them durable, which the supervisor does once a second and before it acknowledges.
Reads see what was written, committed or not, since they use the same connection.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from server.rnn.trainer import SMOOTHING
from server.runs import history, milestones, reached, smoothing, training_time
from server.runs.history import History, HistoryWriter, ReducedLoss
from server.runs.models import Checkpoint, Milestone, Run, Sample, ValidationLoss
from server.runs.peaks import highest
from server.runs.reached import Search, first_below, forget_least
from server.runs.thinning import thinned

__all__ = ["Store", "StoreThread"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_UPDATE = 2**62
# Conditions word for word as in the partial indices, or these would not be used.
HAS_HURRAHS = "json_array_length(sample, '$.hurrahs') > 0"
HAS_REPLAY = "json_type(sample, '$.replay') = 'object'"

SCHEMA = (
    f"""
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    run TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS samples (
    run TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (run, update_)
);
CREATE INDEX IF NOT EXISTS samples_with_hurrahs ON samples (run, update_)
    WHERE {HAS_HURRAHS};
CREATE INDEX IF NOT EXISTS samples_with_replays ON samples (run, update_)
    WHERE {HAS_REPLAY};
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL,
    id TEXT NOT NULL,
    update_ INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    UNIQUE (run, id)
);
CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL,
    receipt TEXT NOT NULL,
    model TEXT NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0,
    kept TEXT NOT NULL,
    UNIQUE (run, receipt)
);
"""
    + milestones.SCHEMA
    + history.SCHEMA
    + reached.SCHEMA
    + smoothing.SCHEMA
    + training_time.SCHEMA
)

KEPT_OF_RUNS = (
    *("losses", "least_smooth", "smoothed", "training_time"),
    *("samples", "milestones", "checkpoints", "kept"),
)


class Store:
    """The database.

    Parameters
    ----------
    path : pathlib.Path
        The file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        # Of a new database. Losses are read in pieces of 32 KB: in half the time with such pages.
        self._connection.execute("PRAGMA page_size = 16384")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit is on the disk when it returns: what was acknowledged outlives a power cut.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(SCHEMA)
        self._writers: dict[str, HistoryWriter] = {}

    @property
    def connection(self) -> sqlite3.Connection:
        """The one connection, for the tables that have modules of their own."""
        return self._connection

    def commit(self) -> None:
        """Make everything written so far durable."""
        for writer in self._writers.values():
            writer.write()
        self._connection.commit()

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._connection.close()

    # -- runs -------------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all runs, newest first, but for those that another version left unreadable."""
        found = []
        for run, text in self._connection.execute("SELECT id, run FROM runs ORDER BY number DESC"):
            try:
                found.append(Run.model_validate_json(text))
            except ValidationError as error:
                log.warning("run %s is left out, it can't be read: %s", run, error)
        return found

    def add_run(self, run: str, text: str) -> None:
        """Keep a new run (`text` is its JSON); durable."""
        self._connection.execute(
            "INSERT INTO runs VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM runs), ?)",
            (run, text),
        )
        self.commit()

    def save_run(self, run: str, text: str) -> None:
        """Keep a run as it stands; nothing happens when it was deleted meanwhile."""
        self._connection.execute("UPDATE runs SET run = ? WHERE id = ?", (text, run))

    def delete_run(self, run: str) -> None:
        """Forget a run and everything kept of it; durable."""
        self._writers.pop(run, None)
        for table in KEPT_OF_RUNS:
            self._connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608
        self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))
        self.commit()

    def copy_history(self, run: str, other: str, update: int) -> None:
        """Let `other`, which is new, have happened as `run` did up to `update`; durable."""
        self._show(run)
        for table, columns in (
            ("losses", "chunk, updates, blocks, losses"),
            ("least_smooth", "chunk, least"),
            ("training_time", "update_, seconds"),
            ("samples", "update_, sample"),
            ("milestones", "update_, milestone"),
        ):
            self._connection.execute(
                f"INSERT INTO {table} (run, {columns}) SELECT ?, {columns} FROM {table}"  # noqa: S608
                " WHERE run = ?",
                (other, run),
            )
        milestones.forget(self._connection, other, update, notes=True)
        self.rewind(other, update)

    def rewind(self, run: str, update: int) -> None:
        """Forget what happened after `update`: it will happen again, exactly so."""
        self.release(run)
        History(self._connection, run).truncate(update)
        forget_least(self._connection, run, update)
        smoothing.forget(self._connection, run, update)
        training_time.shorten(self._connection, run, update)
        after = (run, update)
        self._connection.execute("DELETE FROM samples WHERE run = ? AND update_ > ?", after)
        milestones.forget(self._connection, run, update)
        self.commit()

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

        Returns the milestones with their ids.

        In one call, because anybody's commit may follow it: after a crash the history ends where
        the run says that it stands.
        """
        self._writer(run).append(first, losses)
        self.save_run(run, text)
        training_time.keep_mark(self._connection, run, text)
        return self.add_milestones(run, marks)

    def history_end(self, run: str) -> int:
        """Return the last update in the history, 0 when it is empty."""
        return self._writer(run).last

    def _writer(self, run: str) -> HistoryWriter:
        if run not in self._writers:
            self._writers[run] = HistoryWriter(self._connection, run)
        return self._writers[run]

    def release(self, run: str) -> None:
        """Forget what is held in memory for a run that no longer trains."""
        if (writer := self._writers.pop(run, None)) is not None:
            writer.write()

    def has_sample(self, run: str, update: int) -> bool:
        """Whether the sample at `update` is kept."""
        found = self._connection.execute(
            "SELECT 1 FROM samples WHERE run = ? AND update_ = ?", (run, update)
        )
        return found.fetchone() is not None

    def add_sample(
        self, run: str, sample: Sample, marks: Sequence[Milestone] = ()
    ) -> list[Milestone]:
        """Keep a sample, and the milestones that it makes, which are returned with their ids."""
        self._connection.execute(
            "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
            (run, sample.update, sample.model_dump_json()),
        )
        return self.add_milestones(run, marks)

    def add_milestones(self, run: str, marks: Sequence[Milestone]) -> list[Milestone]:
        """Keep milestones, and return them with their ids."""
        return milestones.add(self._connection, run, marks)

    def add_note(self, run: str, update: int, text: str) -> Milestone:
        """Keep a note; durable. Raises as `milestones.add_note`."""
        note = milestones.add_note(self._connection, run, update, text)
        self.commit()
        return note

    def change_note(self, run: str, identity: str, text: str) -> Milestone:
        """Let a note say something else; durable. Raises as `milestones.change_note`."""
        note = milestones.change_note(self._connection, run, identity, text)
        self.commit()
        return note

    def remove_note(self, run: str, identity: str) -> None:
        """Take a note away; durable. Raises as `milestones.change_note`."""
        milestones.remove_note(self._connection, run, identity)
        self.commit()

    def add_checkpoint(self, run: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint's description; durable, and with it all that led up to it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
            (run, checkpoint.id, checkpoint.update, checkpoint.model_dump_json()),
        )
        self.commit()

    def remove_checkpoint(self, run: str, checkpoint: str) -> None:
        """Forget a checkpoint; durable."""
        self._connection.execute(
            "DELETE FROM checkpoints WHERE run = ? AND id = ?", (run, checkpoint)
        )
        self.commit()

    # -- what happened ----------------------------------------------------------------------------

    def samples(
        self, run: str, first: int = 0, last: int | None = None, limit: int | None = None
    ) -> list[Sample]:
        """Return the samples from one update to another in order, or at most `limit` of them.

        See `server.runs.thinning` for which are left out.
        """
        where = (run, first, MAX_UPDATE if last is None else last)
        chosen = ""
        if limit is not None:
            updates = thinned(
                self._sampled(where),
                limit,
                hurrahs=set(self._sampled(where, HAS_HURRAHS)),
                replayed=set(self._sampled(where, HAS_REPLAY)),
            )
            chosen = f" AND update_ IN ({', '.join(map(str, updates))})"
        rows = self._connection.execute(
            "SELECT sample FROM samples WHERE run = ? AND update_ BETWEEN ? AND ?"  # noqa: S608
            f"{chosen} ORDER BY update_",
            where,
        )
        return [Sample.model_validate_json(row[0]) for row in rows]

    def _sampled(self, where: tuple[str, int, int], condition: str = "1") -> list[int]:
        rows = self._connection.execute(
            "SELECT update_ FROM samples WHERE run = ? AND update_ BETWEEN ? AND ?"  # noqa: S608
            f" AND {condition} ORDER BY update_",
            where,
        )
        return [row[0] for row in rows]

    def celebrated(self, run: str) -> set[str]:
        """Return the words that were a hurrah."""
        rows = self._connection.execute(
            "SELECT DISTINCT word.value FROM samples, json_each(sample, '$.hurrahs') AS word"  # noqa: S608
            f" WHERE run = ? AND {HAS_HURRAHS}",
            (run,),
        )
        return {row[0] for row in rows}

    def milestones(self, run: str) -> list[Milestone]:
        """Return the milestones in order."""
        return milestones.of_run(self._connection, run)

    def checkpoints(self, run: str) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        rows = self._connection.execute(
            "SELECT checkpoint FROM checkpoints WHERE run = ? ORDER BY update_, rowid", (run,)
        )
        return [Checkpoint.model_validate_json(row[0]) for row in rows]

    def loss(
        self, run: str, first: int, last: int | None, points: int, factor: float = SMOOTHING
    ) -> ReducedLoss:
        """Return the loss from `first` to `last`, reduced to `points` buckets at the most.

        `factor` is how it is to be smoothed, one of `smoothing.FACTORS`.
        """
        self._show(run)
        reader = History(self._connection, run)
        reduced = reader.reduce(first, reader.last if last is None else last, points)
        if factor != SMOOTHING:
            smooth = smoothing.smoothed_at(self._connection, run, factor, reduced.update)
            reduced = replace(reduced, smooth=smooth)
        return reduced

    def work_out_smoothing(self, run: str, factor: float) -> bool:
        """Work out more of what comes of a factor; see `smoothing.work_out_more`."""
        self._show(run)
        return smoothing.work_out_more(self._connection, run, factor)

    def seconds_at(self, run: str, updates: Sequence[int] | NDArray[np.int64]) -> list[float]:
        """Return the seconds of training at each of `updates`, NaN where they are not known."""
        found = training_time.seconds_at(self._connection, run, updates)
        return [round(seconds, 3) for seconds in found.tolist()]

    def highest(self, run: str, first: int, last: int) -> int | None:
        """Return the update of the greatest loss from `first` to `last`; None if there is none."""
        self._show(run)
        return highest(History(self._connection, run), first, last)

    def validation(self, run: str, first: int, last: int, points: int) -> ValidationLoss:
        """Return the validation losses from `first` to `last`, evenly thinned to `points`."""
        rows = self._connection.execute(
            "SELECT update_, json_extract(sample, '$.validation_loss') AS loss FROM samples"
            " WHERE run = ? AND update_ BETWEEN ? AND ? AND loss IS NOT NULL ORDER BY update_",
            (run, first, last),
        ).fetchall()
        # The last is always among them.
        kept = rows[:: -max(1, -(-len(rows) // points))][::-1]
        return ValidationLoss(update=[row[0] for row in kept], loss=[row[1] for row in kept])

    def losses(self, run: str, first: int, last: int) -> NDArray[np.float64]:
        """Return the losses from `first` to `last`, as far as there are any."""
        self._show(run)
        return History(self._connection, run).losses(first, last)

    def first_below(self, run: str, smooth_loss: float) -> Search:
        """Look for the first update whose smooth loss is below; see `reached.first_below`."""
        self._show(run)
        return first_below(self._connection, run, smooth_loss)

    def chunk(self, run: str, after: int) -> tuple[int, NDArray[np.float64]] | None:
        """Return the number and the losses of the history's first chunk after the chunk `after`."""
        self._show(run)
        found = next(History(self._connection, run).chunks(after), None)
        return None if found is None else (found[0], found[2])

    def _show(self, run: str) -> None:
        if run in self._writers:
            self._writers[run].write()


class StoreThread:
    """The thread that owns the store, as the event loop sees it.

    Parameters
    ----------
    path : pathlib.Path
        The database's file.
    """

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._store = self._thread.submit(Store, path).result()

    async def __call__(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of `Store` on its thread: ``await store(Store.samples, run)``."""

        def work() -> T:
            return method(self._store, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Commit, close, and end the thread."""
        await self(Store.close)
        self._thread.shutdown()
