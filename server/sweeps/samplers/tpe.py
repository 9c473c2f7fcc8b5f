"""Configurations that resemble the best ones so far, by Optuna."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna

from server.sweeps.samplers.optuna_study import distributions_of, frozen, new_study
from server.sweeps.samplers.random import RandomSampler
from server.sweeps.space import Configuration, Interval, SearchSpace, key_of
from server.sweeps.trials import Trial

__all__ = ["TpeSampler"]

ATTEMPTS = 10
"""To draw a configuration that is new; then one is drawn at random."""


class TpeSampler:
    """Draws configurations by the tree-structured Parzen estimator.

    The first ten are drawn at random. Each is asked of a new study, which is told all trials in
    their order: so nothing but the trials has to be stored.

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
        self._distributions = distributions_of(space)
        self._random = RandomSampler(space, seed)

    def draw(self, trials: Sequence[Trial]) -> Configuration | None:
        """Return the next configuration after these trials; None if there are no more."""
        known = {key_of(trial.parameters) for trial in trials}
        for attempt in range(ATTEMPTS):
            numbers = np.random.default_rng([self._seed, len(trials), attempt])
            drawn = self._ask(trials, int(numbers.integers(2**32)))
            if key_of(drawn) not in known:
                return drawn
        return self._random.draw(trials)

    def _ask(self, trials: Sequence[Trial], seed: int) -> Configuration:
        study = new_study(optuna.samplers.TPESampler(seed=seed))
        study.add_trials([frozen(trial, self._distributions) for trial in trials])
        asked = study.ask(self._distributions).params
        drawn: Configuration = {}
        for name, parameter in self._space.parameters.items():
            value = asked[name]
            drawn[name] = parameter.rounded(value) if isinstance(parameter, Interval) else value
        return drawn
