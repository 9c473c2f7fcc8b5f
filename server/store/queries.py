"""Queries of the database: functions of a `Store`, called on its thread."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from server.history import peaks, smoothing, threshold_search, training_time
from server.history.loss_history import History, ReducedLoss
from server.history.metric_history import MetricHistory, ReducedMetrics
from server.history.threshold_search import Search
from server.rnn.metrics import MEASURED_EVERY, METRICS
from server.spec.schemas import Checkpoint, Group, Milestone, Run, RunGroup, Sample, ValidationLoss
from server.store import milestones, sample_selection
from server.store.database import Store
from server.store.sample_selection import HAS_HURRAHS, VALIDATION_LOSS

__all__ = [
    "SampleSlice",
    "celebrated_words",
    "first_below",
    "has_sample",
    "highest_loss",
    "last_validated",
    "list_checkpoints",
    "list_groups",
    "list_milestones",
    "list_runs",
    "list_samples",
    "loss_chunk",
    "losses",
    "lowest_smooth",
    "lowest_validation",
    "metric_names",
    "metric_values",
    "metrics_on",
    "precompute_lowest",
    "precompute_smoothing",
    "queued_runs",
    "reduced_loss",
    "reduced_metrics",
    "report_remarks",
    "run_ids",
    "sample_slice",
    "sample_updates_near",
    "select_samples",
    "training_seconds",
    "validation_loss",
    "wall_rows",
]

log = logging.getLogger(__name__)

MAX_UPDATE = 2**62

SampleSlice = list[tuple[int, str]]
"""Samples in ascending order, each as its update and its JSON."""


# -- runs, milestones, checkpoints ----------------------------------------------------------------


def list_runs(store: Store) -> list[Run]:
    """Return all runs, newest first, except those whose JSON is not valid."""
    found = []
    store.write_buffers(store.changed_runs())
    rows = store.connection.execute(
        "SELECT runs.id, runs.run, run_groups.id, name FROM runs"
        " LEFT JOIN group_members ON group_members.run = runs.id"
        " LEFT JOIN run_groups ON run_groups.id = group_id ORDER BY number DESC"
    )
    for run, text, group, name in rows:
        try:
            read = Run.model_validate_json(text)
            read.group = None if group is None else RunGroup(id=group, name=name)
            found.append(read)
        except ValidationError as error:
            log.warning("run %s cannot be read and is not shown: %s", run, error)
    return found


def list_groups(store: Store) -> list[Group]:
    """Return all groups, newest first."""
    found: dict[str, Group] = {}
    rows = store.connection.execute(
        "SELECT run_groups.id, name, created_at, runs.id FROM run_groups"
        " JOIN group_members ON group_id = run_groups.id JOIN runs ON runs.id = group_members.run"
        " ORDER BY run_groups.rowid DESC, number"
    )
    for group, name, created_at, run in rows:
        added = Group(id=group, name=name, runs=[], created_at=created_at)
        found.setdefault(group, added).runs.append(run)
    return list(found.values())


def queued_runs(store: Store) -> list[str]:
    """Return the ids of the runs that waited to train when the queue last grew or was changed."""
    return [row[0] for row in store.connection.execute("SELECT run FROM queue ORDER BY position")]


def run_ids(store: Store) -> set[str]:
    """Return the ids of all runs, whether their JSON is valid or not."""
    return {row[0] for row in store.connection.execute("SELECT id FROM runs")}


def list_milestones(store: Store, run: str) -> list[Milestone]:
    """Return the milestones, in order of their updates."""
    return milestones.of_run(store.current(), run)


def list_checkpoints(store: Store, run: str) -> list[Checkpoint]:
    """Return the checkpoints, oldest first."""
    rows = store.connection.execute(
        "SELECT checkpoint FROM checkpoints WHERE run = ? ORDER BY update_, rowid", (run,)
    )
    return [Checkpoint.model_validate_json(row[0]) for row in rows]


def report_remarks(store: Store, run: str) -> str | None:
    """Return the JSON of the remarks in a run's report; None if there are none."""
    row = store.connection.execute(
        "SELECT remarks FROM report_remarks WHERE run = ?", (run,)
    ).fetchone()
    return None if row is None else str(row[0])


def own_losses(store: Store, run: str) -> bytes | None:
    """Return the bytes of the user's losses that are kept with a run; None if there are none."""
    row = store.connection.execute("SELECT rows FROM own_losses WHERE run = ?", (run,)).fetchone()
    return None if row is None else bytes(row[0])


# -- samples --------------------------------------------------------------------------------------


def has_sample(store: Store, run: str, update: int) -> bool:
    """Whether there is a sample of `update`."""
    found = store.current().execute(
        "SELECT 1 FROM samples WHERE run = ? AND update_ = ?", (run, update)
    )
    return found.fetchone() is not None


def list_samples(
    store: Store, run: str, first: int = 0, last: int | None = None, limit: int | None = None
) -> list[Sample]:
    """Return the samples from `first` to `last` in order, or a selection of at most `limit`.

    `server.store.sample_selection` describes the selection.
    """
    selected = None if limit is None else select_samples(store, run, first, last, limit)
    rows = _sample_rows(store, run, first, last, selected)
    return [Sample.model_validate_json(text) for _, text in rows]


def select_samples(store: Store, run: str, first: int, last: int | None, limit: int) -> list[int]:
    """Return the updates of at most `limit` samples from `first` to `last`, in order."""
    last = MAX_UPDATE if last is None else last
    return sample_selection.select_samples(store.current(), run, first, last, limit)


def sample_updates_near(store: Store, run: str, update: int) -> list[int]:
    """Return the updates of the last sample up to `update` and of the first one after it."""
    before, after = (
        store.current()
        .execute(
            "SELECT (SELECT max(update_) FROM samples WHERE run = :run AND update_ <= :update),"
            " (SELECT min(update_) FROM samples WHERE run = :run AND update_ > :update)",
            {"run": run, "update": update},
        )
        .fetchone()
    )
    return [found for found in (before, after) if found is not None]


def sample_slice(
    store: Store,
    run: str,
    first: int,
    last: int | None,
    *,
    characters: int,
    selected: Sequence[int] | None = None,
) -> SampleSlice:
    """Return the first samples from `first` to `last` as stored JSON.

    Parameters
    ----------
    store : Store
    run : str
        Id of the run.
    first, last : int, int or None
        Range of updates, both included; None: to the end.
    characters : int
        Length of all JSON together, at most; one sample is returned in any case.
    selected : sequence of int or None
        Only samples of these updates; None: all.
    """
    samples: SampleSlice = []
    for update, text in _sample_rows(store, run, first, last, selected):
        characters -= len(text)
        if samples and characters < 0:
            break
        samples.append((update, text))
    return samples


def _sample_rows(
    store: Store, run: str, first: int, last: int | None, selected: Sequence[int] | None
) -> Iterator[tuple[int, str]]:
    last = MAX_UPDATE if last is None else last
    if selected is None:
        return store.current().execute(
            "SELECT update_, sample FROM samples WHERE run = ? AND update_ BETWEEN ? AND ?"
            " ORDER BY update_",
            (run, first, last),
        )
    updates = [update for update in selected if first <= update <= last]
    return store.current().execute(
        "SELECT update_, sample FROM samples WHERE run = ?"
        " AND update_ IN (SELECT value FROM json_each(?)) ORDER BY update_",
        (run, json.dumps(updates)),
    )


def celebrated_words(store: Store, run: str) -> set[str]:
    """Return the watched words that samples already contain."""
    rows = store.current().execute(
        "SELECT DISTINCT word.value FROM samples, json_each(sample, '$.hurrahs') AS word"  # noqa: S608
        f" WHERE run = ? AND {HAS_HURRAHS}",
        (run,),
    )
    return {row[0] for row in rows}


def last_validated(store: Store, run: str, update: int) -> int | None:
    """Return the last update, `update` or before, whose sample has a validation loss."""
    (last,) = store.connection.execute(
        f"SELECT max(update_) FROM samples WHERE run = ? AND update_ <= ? AND {VALIDATION_LOSS}"  # noqa: S608
        " IS NOT NULL",
        (run, update),
    ).fetchone()
    return None if last is None else int(last)


def lowest_validation(store: Store, run: str, last: int) -> tuple[int, float] | None:
    """Return the lowest validation loss up to an update, after its update; None if none is."""
    row = store.connection.execute(
        f"SELECT update_, {VALIDATION_LOSS} AS loss FROM samples WHERE run = ?"  # noqa: S608
        " AND update_ <= ? AND loss IS NOT NULL ORDER BY loss, update_ LIMIT 1",
        (run, last),
    ).fetchone()
    return None if row is None else (int(row[0]), float(row[1]))


def validation_loss(store: Store, run: str, first: int, last: int, points: int) -> ValidationLoss:
    """Return at most `points` validation losses from `first` to `last`, evenly spaced."""
    updates = sample_selection.select_validated(store.connection, run, first, last, points)
    rows = store.connection.execute(
        f"SELECT update_, {VALIDATION_LOSS} FROM samples WHERE run = ?"  # noqa: S608
        " AND update_ IN (SELECT value FROM json_each(?)) ORDER BY update_",
        (run, json.dumps(updates)),
    ).fetchall()
    return ValidationLoss(update=[row[0] for row in rows], loss=[row[1] for row in rows])


# -- losses ---------------------------------------------------------------------------------------


def _history(store: Store, run: str) -> History:
    return History(store.current(run), run, store.smoothing(run))


def reduced_loss(
    store: Store,
    run: str,
    first: int,
    last: int | None,
    *,
    points: int,
    factor: float | None = None,
) -> ReducedLoss:
    """Return the loss from `first` to `last`, reduced to at most `points` buckets.

    `factor` is the smoothing factor, the run's own or one of `smoothing.FACTORS`; None: its own.
    """
    connection, own = store.current(run), store.smoothing(run)
    history = History(connection, run, own)
    reduced = history.reduce(first, history.last if last is None else last, points)
    if factor is not None and factor != own:
        smooth = smoothing.smoothed_at(connection, run, factor, reduced.update)
        reduced = replace(reduced, smooth=smooth)
    return reduced


def smooth_at(
    store: Store, run: str, updates: NDArray[np.int64], factor: float | None = None
) -> NDArray[np.float64]:
    """Return the smooth loss after each of `updates` that is in the history; they ascend.

    `factor` is the smoothing factor, the run's own or one of `smoothing.FACTORS`; None: its own.
    """
    history = _history(store, run)
    updates = updates[updates <= history.last]
    if not len(updates):
        return np.empty(0)
    if factor is not None and factor != store.smoothing(run):
        return smoothing.smoothed_at(store.current(run), run, factor, updates)
    return history.smooth_at(updates)


def precompute_lowest(store: Store, run: str) -> bool:
    """Store the lowest smooth loss of some more chunks; return whether there were any."""
    compute = partial(threshold_search.compute_more, store.current(run), run, store.smoothing(run))
    return store.write_derived(compute)


def lowest_smooth(store: Store, run: str, last: int) -> float | None:
    """Return the lowest smooth loss up to an update; None if the run has not reached it.

    `precompute_lowest` must have been called until it returned False.
    """
    return threshold_search.lowest(store.current(run), run, last, store.smoothing(run))


def precompute_smoothing(store: Store, run: str, factor: float) -> bool:
    """Store smoothed losses of some more chunks; see `smoothing.compute_more`."""
    if factor == store.smoothing(run):
        return False
    compute = partial(smoothing.compute_more, store.current(run), run, factor)
    return store.write_derived(compute)


def training_seconds(
    store: Store, run: str, updates: Sequence[int] | NDArray[np.int64]
) -> list[float]:
    """Return the seconds of training at each of `updates`, NaN where unknown."""
    found = training_time.seconds_at(store.current(run), run, updates)
    return [round(seconds, 3) for seconds in found.tolist()]


def highest_loss(store: Store, run: str, first: int, last: int) -> int | None:
    """Return the update with the greatest loss from `first` to `last`; None if there is none."""
    return peaks.highest(_history(store, run), first, last)


def losses(store: Store, run: str, first: int, last: int) -> NDArray[np.float64]:
    """Return the loss of each update from `first` to `last`, or to the end of the history."""
    return _history(store, run).losses(first, last)


def first_below(store: Store, run: str, smooth_loss: float) -> Search:
    """Search for the first update with a lower smooth loss; see `threshold_search.first_below`."""
    search = partial(
        threshold_search.first_below, store.current(run), run, smooth_loss, store.smoothing(run)
    )
    return store.write_derived(search)


def loss_chunk(store: Store, run: str, after: int) -> tuple[int, NDArray[np.float64]] | None:
    """Return number and losses of the first chunk of the history after chunk `after`."""
    found = next(_history(store, run).chunks(after), None)
    return None if found is None else (found[0], found[2])


def wall_rows(store: Store, runs: Sequence[str], points: int) -> list[tuple[ReducedLoss, str]]:
    """Return the loss of each run in at most `points` buckets, and the text of its newest sample.

    The text is empty if there is no sample, and cut to a thousand characters.
    """
    found = []
    for run in runs:
        row = (
            store.current()
            .execute(
                "SELECT substr(json_extract(sample, '$.text'), 1, 1000) FROM samples"
                " WHERE run = ? ORDER BY update_ DESC LIMIT 1",
                (run,),
            )
            .fetchone()
        )
        text = "" if row is None or row[0] is None else str(row[0])
        found.append((reduced_loss(store, run, 1, None, points=points), text))
    return found


# -- metrics --------------------------------------------------------------------------------------


def reduced_metrics(
    store: Store,
    run: str,
    names: Sequence[str] | None,
    first: int,
    last: int | None,
    *,
    points: int,
) -> ReducedMetrics:
    """Return metrics of a run from `first` to `last`, reduced to at most `points` buckets.

    `names` are those of the metrics; None: all of `METRICS`. The range is cut to the history, and
    metrics that the run does not have are left out.
    """
    end = _history(store, run).last
    found = [name for name in metric_names(store, run) if names is None or name in names]
    history = MetricHistory(store.current(run), run)
    return history.reduce(found, max(first, 1), end if last is None else min(last, end), points)


def metrics_on(
    store: Store, run: str, names: Sequence[str], first: int, last: int, *, points: int
) -> ReducedMetrics:
    """Return metrics as `reduced_metrics`, in the same buckets for all runs.

    The range is not cut to the history, and metrics that the run does not have are NaN.
    """
    return MetricHistory(store.current(run), run).reduce(names, max(first, 1), last, points)


def metric_names(store: Store, run: str) -> list[str]:
    """Return the names of the metrics that a run has, in the order of `METRICS`."""
    known = MetricHistory(store.current(run), run).names
    return [name for name in METRICS if name in known]


def metric_values(
    store: Store, run: str, names: Sequence[str], updates: range
) -> list[NDArray[np.float64]] | None:
    """Return the values of each metric at measured updates, one after the other.

    None if the history does not contain them all.
    """
    if _history(store, run).last < updates[-1]:
        return None
    history = MetricHistory(store.current(run), run)
    first, last = updates[0] // MEASURED_EVERY, updates[-1] // MEASURED_EVERY
    return [history.values(name, first, last) for name in names]
