"""The snapshots that a curve over the training is computed from."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["spread_over_training"]


def spread_over_training(updates: Sequence[int], most: int) -> list[int]:
    """Choose snapshots: the first, dense ones, then evenly many, and the last.

    The next snapshots of a run hardly change the choice, so that cached results stay of use.

    Parameters
    ----------
    updates : sequence of int
        Of all snapshots, ascending.
    most : int
        How many to choose at most, at least 2.

    Returns
    -------
    list of int
        Ascending.
    """
    if not updates:
        return []
    distance = 1
    chosen = _spaced(updates, distance)
    while len(chosen) > most and distance <= updates[-1]:
        distance *= 2
        chosen = _spaced(updates, distance)
    # Of very many updates, there are more doublings than `most`.
    step = -(-len(chosen) // most)
    return chosen if step == 1 else sorted(chosen[::-1][::step])


def _spaced(updates: Sequence[int], distance: int) -> list[int]:
    """Choose the first, the last, and those between that are twice as late, or `distance` later."""
    chosen = [updates[0]]
    for update in updates:
        if update >= chosen[-1] + min(distance, max(1, chosen[-1])):
            chosen.append(update)
    return chosen if chosen[-1] == updates[-1] else [*chosen, updates[-1]]
