"""Stopping runs that are worse than most others: asynchronous successive halving.

Li et al., A System for Massively Parallel Hyperparameter Tuning (2020), in the form that never
waits for other runs: at each rung, a run goes on if its configuration is among the best third of
those that have come there so far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from server.sweeps.trials import Trial

__all__ = ["REDUCTION", "falls_behind", "rungs"]

REDUCTION = 3
"""One of so many configurations goes on at each rung."""
RUNGS = 2
"""At a ninth and at a third of the updates."""


def rungs(max_updates: int) -> list[int]:
    """Return the updates at which runs are compared, in ascending order."""
    updates = {max_updates // REDUCTION**power for power in range(RUNGS, 0, -1)}
    return sorted(updates - {0})


def falls_behind(trials: Sequence[Trial], own: int, rung: int) -> bool:
    """Whether a configuration is not among those that go on at a rung.

    Parameters
    ----------
    trials : sequence of Trial
        All configurations.
    own : int
        The index of the configuration, which has come to the rung.
    rung : int
        The update at which they are compared.
    """
    losses = [trial.rungs[rung] for trial in trials if rung in trial.rungs]
    loss = trials[own].rungs[rung]
    better = sum(other < loss for other in losses)
    return math.isinf(loss) or better >= max(1, len(losses) // REDUCTION)
