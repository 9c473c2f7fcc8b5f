"""Which of many samples to show: few enough to read, and none of those that matter left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["thinned"]

NEWEST_SHARE = 4


def thinned(
    updates: Sequence[int], limit: int, *, hurrahs: Collection[int], replayed: Collection[int]
) -> list[int]:
    """Choose at most `limit` of the updates at which samples were written.

    Parameters
    ----------
    updates : sequence of int
        Ascending and distinct.
    limit : int
        At least 1.
    hurrahs, replayed : collections of int
        The updates whose samples hold a hurrah; those whose samples have a replay.

    Returns
    -------
    list of int
        Ascending: all where they are few enough; else the newest quarter of `limit`, then hurrahs,
        the first, replays and the others, the last two each evenly thinned into the room there is.
    """
    if len(updates) <= limit:
        return list(updates)
    newest = max(1, limit // NEWEST_SHARE)
    chosen = set(updates[-newest:])
    older = updates[:-newest]
    for wanted in (
        [update for update in older if update in hurrahs],
        older[:1],
        [update for update in older if update in replayed],
        older,
    ):
        left = [update for update in wanted if update not in chosen]
        chosen.update(_evenly(left, limit - len(chosen)))
    return sorted(chosen)


def _evenly(updates: Sequence[int], limit: int) -> Sequence[int]:
    """Return about evenly spaced ones, at most `limit` of them."""
    if limit <= 0:
        return []
    return updates[:: max(1, -(-len(updates) // limit))]
