"""A sweep as clients see it, from its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Literal

from server.spec.run_spec import RunSpec
from server.spec.schemas import ApiModel, Run, RunState
from server.sweeps.schemas import Sweep, SweepBest, SweepRun, SweepSpec, SweepState, ValueList
from server.sweeps.space import SearchSpace
from server.sweeps.trials import StoredRun, Trial, trials_of

__all__ = ["StoredSweep", "describe", "in_unit", "result_of", "unit_of"]

PER_CHARACTER = "nats per character"
PER_SEQUENCE = "nats per sequence"


class StoredSweep(ApiModel):
    """A sweep as it is stored, without its runs.

    Attributes
    ----------
    importance : dict or None
        As in `Sweep`, of the runs that have ended.
    exhausted : bool
        Whether the sampler has no more configurations.
    deleting : {"sweep", "runs"} or None
        Whether the sweep is being deleted, alone or with its runs; None if it is not.
    """

    id: str
    name: str
    state: SweepState = SweepState.RUNNING
    spec: SweepSpec
    created_at: str
    importance: dict[str, float] | None = None
    exhausted: bool = False
    error: str | None = None
    deleting: Literal["sweep", "runs"] | None = None


def unit_of(spec: SweepSpec) -> str:
    """Return the unit of a sweep's values."""
    return PER_CHARACTER if "sequence_length" in spec.parameters else PER_SEQUENCE


def result_of(sweep: SweepSpec, run: Run) -> float | None:
    """Return the loss of a run that is the goal of a sweep; None if it has none, or diverged."""
    if run.diverged_since is not None:
        return None
    loss = run.smooth_loss if sweep.goal == "smooth_loss" else run.validation_loss
    return in_unit(sweep, run.spec, loss)


def in_unit(sweep: SweepSpec, run: RunSpec, loss: float | None) -> float | None:
    """Return a loss, in nats per sequence, in the unit of a sweep's values."""
    if loss is None or unit_of(sweep) == PER_SEQUENCE:
        return loss
    return loss / run.sequence_length


def describe(
    stored: StoredSweep,
    space: SearchSpace,
    runs: Sequence[StoredRun],
    find: Callable[[StoredRun], Run | None],
) -> Sweep:
    """Return a sweep as clients see it.

    Parameters
    ----------
    stored : StoredSweep
        The sweep.
    space : SearchSpace
        Its configurations.
    runs : sequence of StoredRun
        Its runs.
    find : callable
        Returns the run itself; None if it does not exist.
    """
    shown = [_shown(stored.spec, run, find(run)) for run in runs]
    trials = trials_of(runs, stored.spec.seeds)
    to_come = 0
    if not stored.exhausted and stored.state in {SweepState.RUNNING, SweepState.PAUSED}:
        to_come = int(min(stored.spec.runs, space.size)) - len(trials)
    return Sweep(
        id=stored.id,
        name=stored.name,
        state=stored.state,
        spec=stored.spec,
        created_at=stored.created_at,
        unit=unit_of(stored.spec),
        runs=shown,
        best=_best(trials, shown),
        importance=stored.importance,
        planned=len(runs) + _seeds_to_come(trials, runs, stored.spec) + to_come * stored.spec.seeds,
        started=len(runs),
        ended=sum(run.ended for run in runs),
        stopped_early=sum(run.stopped_early for run in runs),
        failed=sum(run.error is not None for run in runs),
        updates=sum(run.update for run in shown),
        planned_updates=_planned_updates(stored.spec, trials, to_come),
        error=stored.error,
    )


def _shown(sweep: SweepSpec, run: StoredRun, itself: Run | None) -> SweepRun:
    fields = {name: getattr(run, name) for name in SweepRun.model_fields}
    if itself is None:
        fields["run"] = None
    elif not run.ended:
        fields |= {"state": itself.state, "update": itself.update}
        if run.error is None and itself.state is not RunState.FAILED:
            fields["value"] = result_of(sweep, itself)
    return SweepRun.model_construct(**fields)


def _seeds_to_come(trials: Sequence[Trial], runs: Sequence[StoredRun], spec: SweepSpec) -> int:
    """Return how many runs are missing of the configurations that have begun."""
    begun = Counter(run.configuration for run in runs)
    return sum(
        spec.seeds - begun[number]
        for number, trial in enumerate(trials, start=1)
        if trial.outcome == "running"
    )


def _planned_updates(spec: SweepSpec, trials: Sequence[Trial], to_come: int) -> int:
    """Return the updates of all runs without early stopping.

    Where `max_updates` is a parameter, those of the configurations to come are estimated.
    """
    default: int = spec.spec.get("max_updates", RunSpec.model_fields["max_updates"].default)
    chosen = (trial.parameters.get("max_updates", default) for trial in trials)
    begun = [updates for updates in chosen if isinstance(updates, int)]
    parameter = spec.parameters.get("max_updates")
    estimate: float = default
    if isinstance(parameter, ValueList):
        estimate = fmean(value for value in parameter.values if isinstance(value, int))
    elif parameter is not None:
        estimate = (parameter.low + parameter.high) / 2
    return round(spec.seeds * (sum(begun) + to_come * estimate))


def _best(trials: Sequence[Trial], runs: Sequence[SweepRun]) -> SweepBest | None:
    complete = [
        (trial.value, number)
        for number, trial in enumerate(trials, start=1)
        if trial.value is not None
    ]
    if not complete:
        return None
    value, best = min(complete)
    return SweepBest(
        configuration=best,
        parameters=trials[best - 1].parameters,
        value=value,
        runs=[run.run for run in runs if run.configuration == best and run.run is not None],
    )
