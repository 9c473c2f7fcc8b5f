"""Divergence to a finite loss: far above that of random guessing, for long."""

import math

FACTOR = 3
"""A loss is high above `FACTOR` times that of random guessing. The loss of a network that learns is
hardly ever above that of guessing; one that has diverged is mostly certain of wrong characters."""
NOTICE = "The training diverged at update "
"""The beginning of `divergence_notice`."""
UPDATES = 100
"""How many more high losses than others make a divergence, and how many more others end it."""


def divergence_notice(update: int) -> str:
    """Return a sentence about a divergence that began at an update."""
    return (
        f"{NOTICE}{update:,}: since then the loss has been more than {FACTOR} times that of random"
        " guessing."
    )


class DivergenceDetector:
    """Detects a loss that stays far above that of random guessing, T ln K.

    A single spike is not reported, and a divergence has not ended when some of its losses happen to
    be low, as they may be in short sequences.

    Parameters
    ----------
    sequence_length, vocabulary_size : int
        T and K.

    Attributes
    ----------
    high_losses : int
        How many more losses were high than not, from 0 to `UPDATES`.
    high_losses_since : int or None
        The update at which `high_losses` last became greater than 0; None while it is 0.
    diverged_since : int or None
        That update, from when `high_losses` reaches `UPDATES` until it is 0 again; otherwise None.
    """

    def __init__(self, sequence_length: int, vocabulary_size: int) -> None:
        self._limit = FACTOR * sequence_length * math.log(vocabulary_size)
        self.high_losses = 0
        self.high_losses_since: int | None = None
        self.diverged_since: int | None = None

    def add(self, loss: float, update: int) -> None:
        """Take note of the loss of an update, in nats per sequence."""
        if loss > self._limit:
            if self.high_losses == 0:
                self.high_losses_since = update
            self.high_losses = min(self.high_losses + 1, UPDATES)
            if self.high_losses == UPDATES and self.diverged_since is None:
                self.diverged_since = self.high_losses_since
        elif self.high_losses:
            self.high_losses -= 1
            if self.high_losses == 0:
                self.high_losses_since = self.diverged_since = None
