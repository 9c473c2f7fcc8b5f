"""Whether a sweep is possible, and which configurations it may try."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

from pydantic import ValidationError

from server.spec.description import allowed_values, schema_of
from server.spec.run_spec import RunSpec, SpecError
from server.sweeps.schemas import (
    MAX_SEED,
    Scalar,
    SweepSpec,
    ValueList,
    ValueRange,
    settings_text,
    value_text,
)
from server.sweeps.space import Choice, Configuration, Interval, SearchSpace

__all__ = ["NOT_VARIED", "check_parameters", "check_sweep", "run_spec_of", "search_space"]

NOT_VARIED = {
    "name": "names each run by itself",
    "seed": "sets the number of seeds with seeds",
    "paused": "starts its runs by itself",
    "corpus": "has one text, because the losses on different texts cannot be compared",
    "loss_smoothing": "compares smooth losses, which must all be smoothed alike",
} | dict.fromkeys(
    (
        *("threads", "pace", "sample_every", "sample_length", "checkpoint_every_s"),
        "watch_words",
    ),
    "varies only what changes the learning",
)
"""The fields that cannot be parameters, each with what a sweep does instead."""

MAX_VALUE_CHARACTERS = 60
CHECKED_CORNERS = 2_000
"""Of the corners of a search space, so many are checked when a sweep is requested."""


def check_parameters(sweep: SweepSpec) -> None:
    """Return if the parameters of a new sweep are fields that can vary.

    A stored sweep is not checked: it can still be read when fewer fields can vary than before.

    Raises
    ------
    SpecError
        A field cannot be a parameter.
    """
    for name in sweep.parameters:
        if name in NOT_VARIED:
            raise SpecError(
                f"parameters.{name}", f"cannot be a parameter: a sweep {NOT_VARIED[name]}"
            )


def search_space(sweep: SweepSpec) -> SearchSpace:
    """Return the configurations of a sweep.

    Raises
    ------
    SpecError
        A field cannot be a parameter, or a value is not one that it can have.
    """
    parameters: dict[str, Choice | Interval] = {}
    for name, parameter in sweep.parameters.items():
        if name not in RunSpec.model_fields:
            raise SpecError(f"parameters.{name}", "is not a field of a run's spec")
        if name in sweep.spec:
            raise SpecError(
                f"parameters.{name}", "cannot be a parameter and a field of spec at the same time"
            )
        if isinstance(parameter, ValueList):
            parameters[name] = _choice(name, parameter)
        else:
            parameters[name] = _interval(name, parameter, sweep)
    return SearchSpace(parameters)


def _choice(name: str, parameter: ValueList) -> Choice:
    values = [_valid(name, value) for value in parameter.values]
    for index, value in enumerate(values):
        if value in values[:index]:
            raise SpecError(f"parameters.{name}", f"has the value {value_text(value)} twice")
    return Choice(tuple(values))


def _interval(name: str, parameter: ValueRange, sweep: SweepSpec) -> Interval:
    kind = schema_of(name).get("type")
    if kind not in {"integer", "number"}:
        raise SpecError(f"parameters.{name}", "has no range, because it is no number: list values")
    if sweep.sampler == "grid":
        raise SpecError(
            f"parameters.{name}",
            "must list values for a grid; the samplers random and tpe draw from a range",
        )
    ends = [_valid(name, end) for end in (parameter.low, parameter.high)]
    low, high = (end for end in ends if isinstance(end, int | float))
    return Interval(low, high, log=parameter.log, integer=kind == "integer")


def _valid(name: str, value: Scalar) -> Scalar:
    """Return a value as the field of a run's spec has it."""
    try:
        found: Scalar = getattr(RunSpec.model_validate({name: value}), name)
    except ValidationError as error:
        shown = json.dumps(value)[:MAX_VALUE_CHARACTERS]
        raise SpecError(
            f"parameters.{name}", f"must be {allowed_values(name)}, which {shown} is not"
        ) from error
    return found


def run_spec_of(sweep: SweepSpec, configuration: Configuration, *, seed: int = 0) -> RunSpec:
    """Return the spec of a run of a sweep.

    Parameters
    ----------
    sweep : SweepSpec
        The sweep.
    configuration : dict
        The values of its parameters.
    seed : int
        How much to add to the first seed.

    Raises
    ------
    pydantic.ValidationError
        A value is not valid.
    """
    spec = RunSpec.model_validate(sweep.spec | configuration)
    return spec.model_copy(update={"seed": spec.seed + seed, "paused": False})


def check_sweep(sweep: SweepSpec, space: SearchSpace, measure: Callable[[RunSpec], object]) -> None:
    """Return if the fields that all runs have are valid, and the runs at the corners possible.

    Parameters
    ----------
    sweep : SweepSpec
        The sweep.
    space : SearchSpace
        Its configurations.
    measure : callable
        Raises `SpecError` if a run is not possible, because of its text or its size.

    Raises
    ------
    SpecError
        They are not.
    """
    _check_fixed_fields(sweep)
    first = next(space.corners())
    _check_goal(sweep, space, run_spec_of(sweep, first))
    corners = space.corners()
    if math.prod(len(each.corners) for each in space.parameters.values()) > CHECKED_CORNERS:
        # Sizes matter most at their greatest.
        greatest = {name: each.corners[-1] for name, each in space.parameters.items()}
        corners = itertools.chain([greatest], itertools.islice(corners, CHECKED_CORNERS))
    for corner in corners:
        try:
            measure(run_spec_of(sweep, corner))
        except SpecError as error:
            if error.field == "corpus":
                raise SpecError("spec.corpus", error.message) from error
            where = "parameters" if error.field in space.parameters else "spec"
            raise SpecError(
                f"{where}.{error.field}",
                f"{error.message} (in the run with {settings_text(corner)})",
            ) from error


def _check_fixed_fields(sweep: SweepSpec) -> None:
    fields = sweep.spec
    if fields.get("paused"):
        raise SpecError("spec.paused", "cannot be true: pause the sweep instead")
    if fields.get("name") is not None:
        raise SpecError("spec.name", "cannot be set: a sweep names its runs by itself")
    try:
        spec = RunSpec.model_validate(fields)
    except ValidationError as error:
        name = str(next(iter(error.errors()[0]["loc"]), ""))
        if name not in RunSpec.model_fields:
            raise SpecError(f"spec.{name[:60]}", "is not a field of a run's spec") from error
        raise SpecError(f"spec.{name}", f"must be {allowed_values(name)}") from error
    if (greatest := MAX_SEED - sweep.seeds + 1) < spec.seed:
        seeds = "one seed" if sweep.seeds == 1 else f"{sweep.seeds} seeds"
        raise SpecError("spec.seed", f"must be at most {greatest:,} in a sweep with {seeds}")


def _check_goal(sweep: SweepSpec, space: SearchSpace, run: RunSpec) -> None:
    updates = space.parameters.get("max_updates")
    if None in (run.max_updates, *(updates.corners if updates else ())):
        where = "spec" if updates is None else "parameters"
        raise SpecError(f"{where}.max_updates", "cannot be null: the runs of a sweep must end")
    if updates is not None and sweep.stop_early:
        raise SpecError(
            "stop_early",
            "cannot be true while max_updates is a parameter: runs are compared at equal shares of"
            " their updates",
        )
    if sweep.goal != "validation_loss":
        return
    held_out = space.parameters.get("validation_fraction")
    shares = (run.validation_fraction,) if held_out is None else held_out.corners
    if 0 in shares:
        raise SpecError(
            "goal",
            "cannot be validation_loss without a held-out part: set validation_fraction above 0",
        )
