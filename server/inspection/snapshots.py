"""The snapshots that a curve over the training is computed from."""

from __future__ import annotations

from server.checkpoints.snapshots import dense_updates

__all__ = ["MAX_SNAPSHOTS", "spread_over_training"]

MAX_SNAPSHOTS = 60
"""Of a curve: each has to be loaded, and reads the text."""


def spread_over_training(updates: list[int], most: int = MAX_SNAPSHOTS) -> list[int]:
    """Choose snapshots: the first, dense ones, then evenly many, always with the last.

    Parameters
    ----------
    updates : list of int
        Of all snapshots, ascending.
    most : int
        How many to choose at most, at least 2.

    Returns
    -------
    list of int
        Ascending.
    """
    if len(updates) <= most:
        return updates
    first = set(dense_updates(updates[-1]))
    dense = [update for update in updates if update in first][: most // 2]
    others = [update for update in updates if update not in dense]
    wanted = min(most - len(dense), len(others))
    # From the last one backwards, so that it is among them.
    even = [others[-1 - number * len(others) // wanted] for number in range(wanted)]
    return sorted(dense + even)
