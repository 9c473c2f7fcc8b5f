"""The updates at which a run writes samples, and the epochs that become milestones."""

from __future__ import annotations

__all__ = ["epoch_is_marked", "next_sample"]

MARKED_DIGITS = 2


def next_sample(update: int, every: int) -> int:
    """Return the first update after `update` at which a sample is written.

    Samples are written at 0, then after 1, 2 and 5 times each power of ten below `every`, because
    the text changes most at the start, then after every `every` updates.

    Parameters
    ----------
    update : int
        Updates made so far, at least 0.
    every : int
        Updates between two samples from then on, at least 1.

    Returns
    -------
    int
        An update above `update`.
    """
    regular = (update // every + 1) * every
    if update >= every:
        return regular
    power = 1
    while power < every:
        for dense in (power, 2 * power, 5 * power):
            if update < dense < every:
                return dense
        power *= 10
    return regular


def epoch_is_marked(epoch: int) -> bool:
    """Whether the start of an epoch, counted from 1, becomes a milestone.

    The first hundred do, then every tenth, from a thousand on every hundredth, and so on. A short
    text can have thousands of epochs per minute, too many to read or to send to every viewer.
    """
    spacing: int = 10 ** max(0, len(str(epoch)) - MARKED_DIGITS)
    return epoch % spacing == 0
