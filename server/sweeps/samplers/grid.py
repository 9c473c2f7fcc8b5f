"""All configurations, in a random order."""

from __future__ import annotations

import random
from collections.abc import Sequence

from server.spec.run_spec import SpecError
from server.sweeps.space import Choice, Configuration, SearchSpace
from server.sweeps.trials import Trial

__all__ = ["GridSampler"]

MAX_SIZE = 1_000_000


class GridSampler:
    """Chooses the configurations of a grid in a random order.

    The first ones are then a fair selection if a sweep does not run all, and early stopping
    compares each with others from everywhere.

    Parameters
    ----------
    space : SearchSpace
        Its parameters have listed values.
    seed : int
        Of the order.

    Raises
    ------
    SpecError
        There are more than a million configurations.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        if space.size > MAX_SIZE:
            raise SpecError(
                "parameters", f"has more than {MAX_SIZE:,} combinations: use the sampler random"
            )
        self._values = {
            name: parameter.values
            for name, parameter in space.parameters.items()
            if isinstance(parameter, Choice)
        }
        self._order = list(range(int(space.size)))
        random.Random(seed).shuffle(self._order)  # noqa: S311 - not for cryptography

    def draw(self, trials: Sequence[Trial]) -> Configuration | None:
        """Return the next configuration after these trials; None if there are no more."""
        if len(trials) >= len(self._order):
            return None
        index, configuration = self._order[len(trials)], {}
        for name, values in self._values.items():
            index, place = divmod(index, len(values))
            configuration[name] = values[place]
        return configuration
