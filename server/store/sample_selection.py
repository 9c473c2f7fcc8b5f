"""Which samples to show when there are too many: few enough, and all important ones.

Samples are found by point queries on indices. How many queries are needed depends on the number of
samples wanted, not on the number stored: a run may have a million, and all calls share one thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

__all__ = ["HAS_HURRAHS", "HAS_REPLAY", "VALIDATION_LOSS", "select_samples", "select_validated"]

# The newest quarter of the limit is always shown.
NEWEST_SHARE = 4
# Where samples are spaced so unevenly that less than half of the limit is used, the gaps between
# those found are searched again, at most so often.
MAX_ROUNDS = 8

# The same text as in the partial indices, or SQLite could not use these.
HAS_HURRAHS = "json_array_length(sample, '$.hurrahs') > 0"
HAS_REPLAY = "json_type(sample, '$.replay') = 'object'"
VALIDATION_LOSS = "json_extract(sample, '$.validation_loss')"

ALL = "samples WHERE"
# With the index named, because SQLite might otherwise read all samples of a run.
WITH_HURRAHS = f"samples INDEXED BY samples_with_hurrahs WHERE {HAS_HURRAHS} AND"
WITH_REPLAYS = f"samples INDEXED BY samples_with_replays WHERE {HAS_REPLAY} AND"
VALIDATED = f"samples INDEXED BY samples_with_validation WHERE {VALIDATION_LOSS} IS NOT NULL AND"

# The first and the last update of a range, both included.
Span = tuple[int, int]


def select_samples(
    connection: sqlite3.Connection, run: str, first: int, last: int, limit: int
) -> list[int]:
    """Select at most `limit` of the updates at which a run wrote samples.

    Parameters
    ----------
    connection : sqlite3.Connection
        Only indices are read.
    run : str
        Id of the run.
    first, last : int
        Range of updates, both included.
    limit : int
        At least 1.

    Returns
    -------
    list of int
        Ascending: all updates if they are few enough. Otherwise the newest quarter of `limit`, then
        hurrahs, the first sample, replays and the others, each evenly spaced in what is left of the
        limit. Spacing is measured in updates: where samples are dense, no more are selected.
    """
    index = _SampleIndex(connection, run)
    newest = index.some("DESC", ALL, (first, last), limit + 1)
    if len(newest) <= limit:
        return newest[::-1]
    del newest[max(1, limit // NEWEST_SHARE) :]
    older, remaining = (first, newest[-1] - 1), limit - len(newest)
    selected = _evenly_spaced(index, WITH_HURRAHS, older, set(), remaining)
    if len(selected) < remaining:
        selected.update(index.some("ASC", ALL, older, 1))
    for samples in (WITH_REPLAYS, ALL):
        selected |= _evenly_spaced(index, samples, older, selected, remaining - len(selected))
    return sorted(selected.union(newest))


def select_validated(
    connection: sqlite3.Connection, run: str, first: int, last: int, limit: int
) -> list[int]:
    """Select samples with a validation loss: the last one, and others evenly spaced.

    Parameters and result are those of `select_samples`.
    """
    index, span = _SampleIndex(connection, run), (first, last)
    newest = set(index.some("DESC", VALIDATED, span, 1))
    return sorted(newest | _evenly_spaced(index, VALIDATED, span, newest, limit - len(newest)))


def _evenly_spaced(
    index: _SampleIndex, samples: str, span: Span, selected: Collection[int], remaining: int
) -> set[int]:
    """Return samples that are not selected yet: all, or at most `remaining`, evenly spaced."""
    if remaining <= 0:
        return set()
    known = index.first(samples, [(update, update) for update in selected])
    enough = remaining + len(known) + 1
    some = index.some("ASC", samples, span, enough)
    found = set(some).difference(known)
    if len(some) < enough and len(found) <= remaining:
        return found
    found = set()
    for _ in range(MAX_ROUNDS):
        spans = index.nonempty(samples, _gaps(span, found.union(known)))
        found |= index.first(samples, _grid(spans, remaining - len(found)))
        if not spans or 2 * len(found) >= remaining:
            break
    return found


def _gaps(span: Span, known: Collection[int]) -> list[Span]:
    """Return the parts of a span between known updates."""
    edges = (span[0] - 1, *sorted(known), span[1] + 1)
    return [(left + 1, right - 1) for left, right in pairwise(edges) if left + 1 < right]


def _grid(spans: Sequence[Span], count: int) -> list[Span]:
    """Return at most `count` evenly spaced updates in spans, each with the end of its span."""
    if not spans:
        return []
    ends = np.cumsum([last - first + 1 for first, last in spans])
    offsets = np.arange(0, ends[-1], -(-int(ends[-1]) // count))
    which = np.searchsorted(ends, offsets, side="right")
    updates = np.array(spans)[which, 1] - (ends[which] - 1 - offsets)
    return [(update, spans[n][1]) for update, n in zip(updates.tolist(), which, strict=True)]


class _SampleIndex:
    """Queries for a run's samples by update; `samples` is one of the constants above."""

    def __init__(self, connection: sqlite3.Connection, run: str) -> None:
        self._connection = connection
        self._run = run

    def some(self, order: str, samples: str, span: Span, count: int) -> list[int]:
        """Return at most `count` samples of a span, from its start ("ASC") or its end ("DESC")."""
        rows = self._connection.execute(
            f"SELECT update_ FROM {samples} run = ? AND update_ BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY update_ {order} LIMIT ?",
            (self._run, *span, count),
        )
        return [row[0] for row in rows]

    def first(self, samples: str, spans: Sequence[Span]) -> set[int]:
        """Return the first sample of each span that has any."""
        return {update for update in self._edges("ASC", samples, spans) if update is not None}

    def nonempty(self, samples: str, spans: Sequence[Span]) -> list[Span]:
        """Return the spans that have samples, cut to their first and last sample."""
        edges = (self._edges(order, samples, spans) for order in ("ASC", "DESC"))
        return [
            (first, last)
            for first, last in zip(*edges, strict=True)
            if first is not None and last is not None
        ]

    def _edges(self, order: str, samples: str, spans: Sequence[Span]) -> list[int | None]:
        rows = self._connection.execute(
            f"SELECT (SELECT update_ FROM {samples} run = ?"  # noqa: S608
            " AND update_ BETWEEN json_extract(value, '$[0]') AND json_extract(value, '$[1]')"
            f" ORDER BY update_ {order} LIMIT 1) FROM json_each(?)",
            (self._run, json.dumps(spans)),
        )
        return [row[0] for row in rows]
