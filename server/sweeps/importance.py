"""How much each parameter matters for being among the best, by Optuna's PED-ANOVA.

Watanabe, Bansal and Hutter, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces (2023). It compares where the best tenth of the configurations lies with where
all lie, so only their order matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from server.sweeps.samplers.sampler import can_import_optuna, has_optuna
from server.sweeps.space import SearchSpace
from server.sweeps.trials import Trial

__all__ = ["MIN_CONFIGURATIONS", "importance"]

MIN_CONFIGURATIONS = 10
"""With fewer, the best tenth is not even one."""


def importance(trials: Sequence[Trial], space: SearchSpace) -> dict[str, float] | None:
    """Return the share of each parameter, the greatest first.

    Configurations that were stopped early are worse than those that went further, at the same
    update; failed ones are left out.

    Returns
    -------
    dict of str to float or None
        The shares add up to 1. None without Optuna, with a single parameter, with fewer than ten
        configurations that have ended, or if no parameter makes a difference.
    """
    ended = sorted(
        (trial for trial in trials if trial.outcome in {"complete", "stopped"}), key=_rank
    )
    if len(ended) < MIN_CONFIGURATIONS or len(space.parameters) < 2:
        return None
    if not (has_optuna() and can_import_optuna()):
        return None
    from server.sweeps.samplers import optuna_study  # noqa: PLC0415 - it imports Optuna

    ranked = [
        Trial(trial.parameters, "complete", float(place)) for place, trial in enumerate(ended)
    ]
    shares = optuna_study.importances(ranked, space)
    if not shares or not all(math.isfinite(share) for share in shares.values()):
        return None
    return {name: round(share, 4) for name, share in shares.items()}


def _rank(trial: Trial) -> tuple[float, float]:
    """Return a key that sorts complete trials by value, and then those that came further."""
    if trial.value is not None:
        return (-math.inf, trial.value)
    last = max(trial.rungs, default=0)
    return (-last, trial.rungs.get(last, math.inf))
