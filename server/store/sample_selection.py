"""Which of many samples to show: few enough to read, and none of those that matter left out.

They are found by probes of the database's indices, whose number depends on how many are wanted and
not on how many there are: a run may have a million, and everybody waits for the store's one thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

__all__ = ["HAS_HURRAHS", "HAS_REPLAY", "VALIDATION_LOSS", "measured", "thinned"]

NEWEST_SHARE = 4
# How often what lies between those found is probed again, where samples lie so unevenly that less
# than half of the room is filled.
MAX_ROUNDS = 8

# Conditions word for word as in the partial indices, or these could not be used.
HAS_HURRAHS = "json_array_length(sample, '$.hurrahs') > 0"
HAS_REPLAY = "json_type(sample, '$.replay') = 'object'"
VALIDATION_LOSS = "json_extract(sample, '$.validation_loss')"

ALL = "samples WHERE"
# By name, or SQLite might walk through all of a run's samples and look into each.
WITH_HURRAHS = f"samples INDEXED BY samples_with_hurrahs WHERE {HAS_HURRAHS} AND"
WITH_REPLAYS = f"samples INDEXED BY samples_with_replays WHERE {HAS_REPLAY} AND"
MEASURED = f"samples INDEXED BY samples_with_validation WHERE {VALIDATION_LOSS} IS NOT NULL AND"

# From an update to another, both included.
Span = tuple[int, int]


def thinned(
    connection: sqlite3.Connection, run: str, first: int, last: int, limit: int
) -> list[int]:
    """Choose at most `limit` of the updates at which a run's samples were written.

    Parameters
    ----------
    connection : sqlite3.Connection
        To the database, of which only indices are read.
    run : str
        Id of the run.
    first, last : int
        Where to begin and to end.
    limit : int
        At least 1.

    Returns
    -------
    list of int
        Ascending: all where they are few enough; else the newest quarter of `limit`, then hurrahs,
        the first, replays and the others, each evenly thinned into the room there is. Evenly is
        meant of updates: where samples lie closer, no more of them are chosen.
    """
    probes = _Probes(connection, run)
    newest = probes.some("DESC", ALL, (first, last), limit + 1)
    if len(newest) <= limit:
        return newest[::-1]
    del newest[max(1, limit // NEWEST_SHARE) :]
    older, room = (first, newest[-1] - 1), limit - len(newest)
    chosen = _evenly(probes, WITH_HURRAHS, older, set(), room)
    if len(chosen) < room:
        chosen.update(probes.some("ASC", ALL, older, 1))
    for samples in (WITH_REPLAYS, ALL):
        chosen |= _evenly(probes, samples, older, chosen, room - len(chosen))
    return sorted(chosen.union(newest))


def measured(
    connection: sqlite3.Connection, run: str, first: int, last: int, limit: int
) -> list[int]:
    """Choose, as `thinned`, of the samples with a validation loss: the last, and others evenly."""
    probes, span = _Probes(connection, run), (first, last)
    newest = set(probes.some("DESC", MEASURED, span, 1))
    return sorted(newest | _evenly(probes, MEASURED, span, newest, limit - len(newest)))


def _evenly(
    probes: _Probes, samples: str, span: Span, chosen: Collection[int], room: int
) -> set[int]:
    """Return samples not yet chosen: all, or so many as there is room for, evenly spaced."""
    if room <= 0:
        return set()
    known = probes.first(samples, [(update, update) for update in chosen])
    enough = room + len(known) + 1
    some = probes.some("ASC", samples, span, enough)
    found = set(some).difference(known)
    if len(some) < enough and len(found) <= room:
        return found
    found = set()
    for _ in range(MAX_ROUNDS):
        spans = probes.within(samples, _between(span, found.union(known)))
        found |= probes.first(samples, _places(spans, room - len(found)))
        if not spans or 2 * len(found) >= room:
            break
    return found


def _between(span: Span, known: Collection[int]) -> list[Span]:
    """Return what is left of a span without the updates that are known."""
    edges = (span[0] - 1, *sorted(known), span[1] + 1)
    return [(left + 1, right - 1) for left, right in pairwise(edges) if left + 1 < right]


def _places(spans: Sequence[Span], count: int) -> list[Span]:
    """Return at most `count` evenly spaced updates of spans, each with the end of its own."""
    if not spans:
        return []
    ends = np.cumsum([last - first + 1 for first, last in spans])
    offsets = np.arange(0, ends[-1], -(-int(ends[-1]) // count))
    which = np.searchsorted(ends, offsets, side="right")
    updates = np.array(spans)[which, 1] - (ends[which] - 1 - offsets)
    return [(update, spans[n][1]) for update, n in zip(updates.tolist(), which, strict=True)]


class _Probes:
    """A run's samples, found by their updates; `samples` is one of the constants above."""

    def __init__(self, connection: sqlite3.Connection, run: str) -> None:
        self._connection = connection
        self._run = run

    def some(self, order: str, samples: str, span: Span, count: int) -> list[int]:
        """Return the first of a span (`ASC`), or the last (`DESC`), `count` at the most."""
        rows = self._connection.execute(
            f"SELECT update_ FROM {samples} run = ? AND update_ BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY update_ {order} LIMIT ?",
            (self._run, *span, count),
        )
        return [row[0] for row in rows]

    def first(self, samples: str, spans: Sequence[Span]) -> set[int]:
        """Return the first of each span that has any."""
        return {update for update in self._edges("ASC", samples, spans) if update is not None}

    def within(self, samples: str, spans: Sequence[Span]) -> list[Span]:
        """Return the spans that have any, from their first to their last."""
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
