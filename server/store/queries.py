"""What can be asked of the database."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from server.history import smoothing, training_time
from server.history.loss_history import History, HistoryWriter, ReducedLoss
from server.history.peaks import highest
from server.history.threshold_search import Search, first_below
from server.rnn.training.trainer import SMOOTHING
from server.spec.schemas import Checkpoint, Milestone, Run, Sample, ValidationLoss
from server.store import milestones
from server.store.migrations import open_database
from server.store.sample_selection import HAS_HURRAHS, VALIDATION_LOSS, measured, thinned
from server.store.write_log import WriteLog

__all__ = ["SamplesPage", "StoreReads"]

log = logging.getLogger(__name__)

MAX_UPDATE = 2**62

SamplesPage = list[tuple[int, str]]
"""Samples in order, each as its update and its JSON."""


class StoreReads:
    """The database, as far as it is only read; see `server.store.database.Store`.

    Parameters
    ----------
    path : pathlib.Path
        The file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)
        self._writers: dict[str, HistoryWriter] = {}
        self._write_log = WriteLog(self._connection, self._write_out, self._writers.clear)

    @property
    def connection(self) -> sqlite3.Connection:
        """The one connection, for what reads the tables that have modules of their own."""
        return self._connection

    def runs(self) -> list[Run]:
        """Return all runs, newest first, but for those that another version left unreadable."""
        found = []
        for run, text in self._connection.execute("SELECT id, run FROM runs ORDER BY number DESC"):
            try:
                found.append(Run.model_validate_json(text))
            except ValidationError as error:
                log.warning("run %s is left out, it can't be read: %s", run, error)
        return found

    def run_ids(self) -> set[str]:
        """Return the ids of all runs, readable or not."""
        return {row[0] for row in self._connection.execute("SELECT id FROM runs")}

    def history_end(self, run: str) -> int:
        """Return the last update in the history, 0 when it is empty."""
        self._write_log.redo()
        return self._writer(run).last

    def _writer(self, run: str) -> HistoryWriter:
        if run not in self._writers:
            self._writers[run] = HistoryWriter(self._connection, run)
        return self._writers[run]

    def has_sample(self, run: str, update: int) -> bool:
        """Whether the sample at `update` is kept."""
        self._write_log.redo()
        found = self._connection.execute(
            "SELECT 1 FROM samples WHERE run = ? AND update_ = ?", (run, update)
        )
        return found.fetchone() is not None

    def samples(
        self, run: str, first: int = 0, last: int | None = None, limit: int | None = None
    ) -> list[Sample]:
        """Return the samples from one update to another in order, or at most `limit` of them.

        See `server.store.sample_selection` for which are left out.
        """
        self._write_log.redo()
        chosen = None if limit is None else self.thinned_updates(run, first, last, limit)
        rows = self._samples(run, first, last, chosen)
        return [Sample.model_validate_json(text) for _, text in rows]

    def thinned_updates(self, run: str, first: int, last: int | None, limit: int) -> list[int]:
        """Return the updates of at most `limit` samples from one update to another, in order."""
        self._write_log.redo()
        return thinned(self._connection, run, first, MAX_UPDATE if last is None else last, limit)

    def samples_page(
        self,
        run: str,
        first: int,
        last: int | None,
        characters: int,
        chosen: Sequence[int] | None = None,
    ) -> SamplesPage:
        """Return the first samples from one update to another, as they are kept.

        As many as have so many `characters` of JSON at the most, but one at least; only those at
        the updates that are `chosen`, where there are any such.
        """
        self._write_log.redo()
        page: SamplesPage = []
        for update, text in self._samples(run, first, last, chosen):
            characters -= len(text)
            if page and characters < 0:
                break
            page.append((update, text))
        return page

    def _samples(
        self, run: str, first: int, last: int | None, chosen: Sequence[int] | None
    ) -> Iterator[tuple[int, str]]:
        last = MAX_UPDATE if last is None else last
        if chosen is None:
            return self._connection.execute(
                "SELECT update_, sample FROM samples WHERE run = ? AND update_ BETWEEN ? AND ?"
                " ORDER BY update_",
                (run, first, last),
            )
        wanted = [update for update in chosen if first <= update <= last]
        return self._connection.execute(
            "SELECT update_, sample FROM samples WHERE run = ?"
            " AND update_ IN (SELECT value FROM json_each(?)) ORDER BY update_",
            (run, json.dumps(wanted)),
        )

    def celebrated(self, run: str) -> set[str]:
        """Return the words that were a hurrah."""
        self._write_log.redo()
        rows = self._connection.execute(
            "SELECT DISTINCT word.value FROM samples, json_each(sample, '$.hurrahs') AS word"  # noqa: S608
            f" WHERE run = ? AND {HAS_HURRAHS}",
            (run,),
        )
        return {row[0] for row in rows}

    def milestones(self, run: str) -> list[Milestone]:
        """Return the milestones in order."""
        self._write_log.redo()
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
        return self._write_log.read(partial(smoothing.work_out_more, self._connection, run, factor))

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
        updates = measured(self._connection, run, first, last, points)
        rows = self._connection.execute(
            f"SELECT update_, {VALIDATION_LOSS} FROM samples WHERE run = ?"  # noqa: S608
            " AND update_ IN (SELECT value FROM json_each(?)) ORDER BY update_",
            (run, json.dumps(updates)),
        ).fetchall()
        return ValidationLoss(update=[row[0] for row in rows], loss=[row[1] for row in rows])

    def losses(self, run: str, first: int, last: int) -> NDArray[np.float64]:
        """Return the losses from `first` to `last`, as far as there are any."""
        self._show(run)
        return History(self._connection, run).losses(first, last)

    def first_below(self, run: str, smooth_loss: float) -> Search:
        """Look for the first update whose smooth loss is below; see `reached.first_below`."""
        self._show(run)
        return self._write_log.read(partial(first_below, self._connection, run, smooth_loss))

    def chunk(self, run: str, after: int) -> tuple[int, NDArray[np.float64]] | None:
        """Return the number and the losses of the history's first chunk after the chunk `after`."""
        self._show(run)
        found = next(History(self._connection, run).chunks(after), None)
        return None if found is None else (found[0], found[2])

    # -- what is held in memory ------------------------------------------------------------------

    def _write_out(self) -> None:
        for writer in self._writers.values():
            writer.write()

    def _show(self, run: str) -> None:
        self._write_log.redo()
        if run in self._writers:
            self._write_log.read(self._writers[run].write)
