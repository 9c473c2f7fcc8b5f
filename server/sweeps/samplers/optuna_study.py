"""The configurations and trials of a sweep in Optuna's types; import it only if it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from server.sweeps.space import Choice, Interval, SearchSpace
from server.sweeps.trials import Trial

__all__ = ["distributions_of", "frozen", "importances", "new_study"]

STATES = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def new_study(sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    """Return an empty study in memory, of which a low value is the goal."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=sampler)


def distributions_of(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the distribution of each parameter."""
    return {name: _distribution(each) for name, each in space.parameters.items()}


def _distribution(parameter: Choice | Interval) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if parameter.integer:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def frozen(trial: Trial, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a trial with what has become of it."""
    return create_trial(
        state=STATES[trial.outcome],
        value=trial.value,
        params=trial.parameters,
        distributions=dict(distributions),
        intermediate_values=dict(trial.rungs),
    )


def importances(trials: Sequence[Trial], space: SearchSpace) -> dict[str, float]:
    """Return the share of each parameter by PED-ANOVA, the greatest first."""
    distributions = distributions_of(space)
    study = new_study()
    study.add_trials([frozen(trial, distributions) for trial in trials])
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
