"""What became of the configurations of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from pydantic import Field

from server.spec.schemas import RunState
from server.sweeps.schemas import SweepRun
from server.sweeps.space import Configuration

__all__ = ["StoredRun", "Trial", "trials_of"]

Outcome = Literal["running", "complete", "stopped", "failed"]


class StoredRun(SweepRun):
    """A run of a sweep as it is stored.

    Attributes
    ----------
    rungs : dict of int to float or None
        The loss at each update at which it was compared with others; None if it was not finite.
    """

    rungs: dict[int, float | None] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration and its result.

    Attributes
    ----------
    parameters : dict
        The configuration.
    outcome : {"running", "complete", "stopped", "failed"}
        Complete: all its seeds have made all their updates.
    value : float or None
        The mean over the seeds; None unless it is complete.
    rungs : dict of int to float
        The mean loss over the seeds at each update at which configurations are compared.
    """

    parameters: Configuration
    outcome: Outcome
    value: float | None = None
    rungs: Mapping[int, float] = field(default_factory=dict)


def trials_of(runs: Iterable[StoredRun], seeds: int) -> list[Trial]:
    """Return the result of each configuration, in their order.

    Parameters
    ----------
    runs : iterable of StoredRun
        The runs of a sweep.
    seeds : int
        How many runs a complete configuration has.
    """
    configurations: dict[int, list[StoredRun]] = {}
    for run in runs:
        configurations.setdefault(run.configuration, []).append(run)
    return [_trial(configurations[number], seeds) for number in sorted(configurations)]


def _trial(runs: list[StoredRun], seeds: int) -> Trial:
    outcomes = {_outcome(run) for run in runs}
    values = [run.value for run in runs if run.value is not None]
    outcome: Outcome = "running"
    for each in ("failed", "stopped"):
        if each in outcomes:
            outcome = each
            break
    else:
        if outcomes == {"complete"} and len(runs) == seeds:
            outcome = "complete"
    return Trial(
        parameters=runs[0].parameters,
        outcome=outcome,
        value=fmean(values) if outcome == "complete" else None,
        rungs=_mean_rungs(runs),
    )


def _outcome(run: StoredRun) -> Outcome:
    if not run.ended:
        return "stopped" if run.stopped_early else "running"
    if run.error is not None:
        return "failed"
    if run.state is not RunState.FINISHED:
        return "stopped"
    return "failed" if run.value is None else "complete"


def _mean_rungs(runs: list[StoredRun]) -> dict[int, float]:
    """Return the mean over the seeds that have come so far; infinite if one is not finite."""
    rungs: dict[int, list[float]] = {}
    for run in runs:
        for update, loss in run.rungs.items():
            rungs.setdefault(update, []).append(float("inf") if loss is None else loss)
    return {update: fmean(losses) for update, losses in sorted(rungs.items())}
