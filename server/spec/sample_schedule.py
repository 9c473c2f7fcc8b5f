"""When a run writes a sample, and which epochs get a mark."""

from __future__ import annotations

__all__ = ["epoch_is_marked", "next_sample"]

MARKED_DIGITS = 2


def next_sample(update: int, every: int) -> int:
    """Return the first update after `update` at which a sample is written.

    Samples come at 0, then after 1, 2 and 5 times each power of ten below `every`, since the text
    changes most at the start, then after every `every` updates.

    Parameters
    ----------
    update : int
        Updates made so far, 0 or more.
    every : int
        Updates between the regular samples, 1 or more.

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
    """Whether the beginning of an epoch, from 1, is worth a mark.

    The first hundred are, then every tenth, from a thousand on every hundredth, and so on: of a
    short text there may be thousands a minute, which nobody could read, nor any viewer be told.
    """
    spacing: int = 10 ** max(0, len(str(epoch)) - MARKED_DIGITS)
    return epoch % spacing == 0
