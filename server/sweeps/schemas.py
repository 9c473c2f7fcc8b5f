"""Sweeps, as they are requested, stored and sent to clients."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from server.spec.run_spec import MAX_NAME_CHARACTERS, StrictModel, printable
from server.spec.schemas import ApiModel, RunState

__all__ = [
    "Goal",
    "SamplerName",
    "Scalar",
    "Sweep",
    "SweepBest",
    "SweepRun",
    "SweepSpec",
    "SweepState",
    "ValueList",
    "ValueRange",
    "settings_text",
    "value_text",
]

# Of a run's name, after that of its sweep.
NUMBER_CHARACTERS = 40
MAX_PARAMETERS = 20
MAX_VALUES = 100
MAX_CONFIGURATIONS = 1_000
MAX_SEEDS = 20
# The greatest integer that JavaScript, and so the page, represents exactly.
MAX_SEED = 2**53 - 1

Scalar = bool | int | float | str | None
"""The value of a field of a run's spec that a sweep may vary."""


def value_text(value: Scalar) -> str:
    """Return a value as JSON and the option ``--vary`` write it, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def settings_text(configuration: Mapping[str, Scalar]) -> str:
    """Return the values of a configuration in one line: "clip null, hidden_size 100"."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in configuration.items())


SamplerName = Literal["grid", "random", "tpe"]
Goal = Literal["smooth_loss", "validation_loss"]


class SweepState(StrEnum):
    """The state of a sweep."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


def _scalars(values: object) -> object:
    if isinstance(values, list) and not all(map(_is_scalar, values)):
        raise ValueError("must contain finite numbers, texts, true, false or null only")
    return values


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int | str)


class ValueList(StrictModel):
    """The values that a field takes."""

    values: Annotated[
        list[Scalar], Field(min_length=1, max_length=MAX_VALUES), BeforeValidator(_scalars)
    ]


class ValueRange(StrictModel):
    """The range of a number, both ends included; on a logarithmic scale if `log` is true."""

    low: float | int
    high: float | int
    log: bool = False

    @model_validator(mode="after")
    def _check_ends(self) -> ValueRange:
        if self.low >= self.high:
            raise ValueError("must have a low that is less than its high")
        if self.log and self.low <= 0:
            raise ValueError("must have a low above 0, because its scale is logarithmic")
        return self


def _kind(value: object) -> str | None:
    if isinstance(value, ValueList | ValueRange):
        return type(value).__name__
    if not isinstance(value, dict):
        return None
    return "ValueList" if "values" in value else "ValueRange"


Parameter = Annotated[
    Annotated[ValueList, Tag("ValueList")] | Annotated[ValueRange, Tag("ValueRange")],
    Discriminator(
        _kind,
        custom_error_type="parameter",
        custom_error_message="must be an object with values, or with low and high",
    ),
]


def _not_empty(parameters: dict[str, Parameter]) -> dict[str, Parameter]:
    if not parameters:
        raise ValueError("must name at least one field that varies")
    return parameters


def _visible(name: str | None) -> str | None:
    if name is not None and not (name := printable(name)):
        raise ValueError("must contain at least one visible character")
    return name


class SweepSpec(StrictModel):
    """A sweep, as requested.

    Attributes
    ----------
    name : str or None
        None: made up.
    spec : dict
        The fields of a run's spec that all runs have.
    parameters : dict
        What each of the other fields may be.
    sampler : {"grid", "random", "tpe"}
        How the configurations are chosen.
    runs : int
        The greatest number of configurations.
    seeds : int
        Runs of each configuration, with the seeds from `spec`'s on.
    goal : {"smooth_loss", "validation_loss"}
        The loss at the last update that should be low.
    stop_early : bool
        Whether runs that are worse than most others at the same update are stopped.
    seed : int
        The seed of the sampler.
    """

    name: Annotated[
        str | None,
        Field(min_length=1, max_length=MAX_NAME_CHARACTERS - NUMBER_CHARACTERS),
        AfterValidator(_visible),
    ] = None
    spec: dict[str, Any] = Field(default_factory=dict)
    parameters: Annotated[
        dict[str, Parameter], Field(max_length=MAX_PARAMETERS), AfterValidator(_not_empty)
    ]
    sampler: SamplerName = "random"
    runs: Annotated[int, Field(ge=1, le=MAX_CONFIGURATIONS)] = 20
    seeds: Annotated[int, Field(ge=1, le=MAX_SEEDS)] = 1
    goal: Goal = "smooth_loss"
    stop_early: bool = False
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0


class SweepRun(ApiModel):
    """A run of a sweep.

    Attributes
    ----------
    run : str or None
        Its id; None if it was deleted, or if a run with these settings is not possible.
    configuration : int
        The number of its configuration, from 1; the runs of one differ in the seed only.
    value : float or None
        The goal's loss when the run ended; before, its present loss. None if there is none yet, and
        if the run failed or diverged.
    update : int
        Updates made so far.
    state : RunState
        "stopped" also for a run that was stopped early.
    ended : bool
        Whether it has ended; from then on nothing here changes, whatever is done with the run.
    stopped_early : bool
        Whether it is, or was, stopped because it was worse than most others at the same update.
    error : str or None
        Why it failed, in a sentence.
    """

    run: str | None
    configuration: int
    parameters: dict[str, Scalar]
    seed: int
    value: float | None = None
    update: int = 0
    state: RunState = RunState.QUEUED
    ended: bool = False
    stopped_early: bool = False
    error: str | None = None


class SweepBest(ApiModel):
    """The configuration with the lowest mean value of those whose runs made all their updates."""

    configuration: int
    parameters: dict[str, Scalar]
    value: float
    runs: list[str]


class Sweep(ApiModel):
    """A sweep as it is now.

    Attributes
    ----------
    unit : str
        The unit of the values: "nats per sequence" like the losses of a run, or "nats per
        character" where the length of the sequence is a parameter.
    runs : list of SweepRun
        In the order in which they started.
    planned, started, ended, stopped_early, failed : int
        How many runs there will be, have started and have ended; of the latter, how many were
        stopped early, and how many have no value. `planned` falls if a configuration ends early:
        its other seeds are not run.
    updates, planned_updates : int
        The updates that the runs have made, and those that they would make without early stopping.
    importance : dict or None
        The share of each parameter in what makes a configuration one of the best; None without
        Optuna or with too few configurations.
    error : str or None
        Why the sweep was paused or ended early, in a sentence.
    """

    id: str
    name: str
    state: SweepState
    spec: SweepSpec
    created_at: str
    unit: str
    runs: list[SweepRun]
    best: SweepBest | None
    importance: dict[str, float] | None
    planned: int
    started: int
    ended: int
    stopped_early: int
    failed: int
    updates: int
    planned_updates: int
    error: str | None
