"""Configurations that are independent of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.sweeps.space import Configuration, SearchSpace, key_of
from server.sweeps.trials import Trial

__all__ = ["RandomSampler"]

ATTEMPTS = 100
"""To draw a configuration that is new; then the remaining ones are listed, if they are few."""
MAX_LISTED = 100_000


class RandomSampler:
    """Draws each configuration at random, never the same one twice.

    Parameters
    ----------
    space : SearchSpace
        The configurations.
    seed : int
        Of the random numbers.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._seed = seed

    def draw(self, trials: Sequence[Trial]) -> Configuration | None:
        """Return the next configuration after these trials; None if there are no more."""
        known = {key_of(trial.parameters) for trial in trials}
        numbers = np.random.default_rng([self._seed, len(trials)])
        for _ in range(ATTEMPTS):
            drawn = {
                name: parameter.at(numbers.random())
                for name, parameter in self._space.parameters.items()
            }
            if key_of(drawn) not in known:
                return drawn
        if self._space.size > MAX_LISTED:
            return None
        left = [each for each in self._space.all() if key_of(each) not in known]
        return left[numbers.integers(len(left))] if left else None
