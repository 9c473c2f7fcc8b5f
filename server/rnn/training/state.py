"""What a trainer's state must look like before it is believed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np

from server.rnn.backend.selection import KERNELS
from server.rnn.optimizers import RULES
from server.rnn.parameters import Array
from server.rnn.training.settings import TrainerSettings

Scalar: TypeAlias = int | float | str | None

# What the first version, which knew but one of each, did not say. AdaGrad counts no steps.
_FIRST_VERSION: dict[str, Scalar] = {
    "cell": "rnn",
    "layers": 1,
    "batch_size": 1,
    "validation_fraction": 0.0,
    "optimizer": "adagrad",
    "optimizer_steps": 0,
    "kernel": "numpy",
    "validation_loss": None,
    "best_validation_update": None,
    "best_validation_loss": None,
    "best_validation_smooth_loss": None,
    "best_validation_next_index": None,
}

# The settings that a state is made for.
_IDENTITY = (
    "cell",
    "hidden_size",
    "layers",
    "batch_size",
    "validation_fraction",
    "dtype",
)

_NONE_AT_FIRST = {"loss", "smooth_loss", "best_update", "best_smooth_loss", "best_next_index"}
_NONE_BEFORE_VALIDATION = {
    "best_validation_update",
    "best_validation_loss",
    "best_validation_smooth_loss",
    "best_validation_next_index",
}


class StateError(ValueError):
    """A saved state does not fit the trainer that is to go on from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a training has come; the fields are described at `trainer.Trainer`.

    Attributes
    ----------
    optimizer : str
        The update rule that the optimiser's arrays belong to.
    optimizer_steps : int
        The number of steps it has made.
    kernel : str or None
        What computed the updates so far; see `kernels`.
    best_next_index, best_validation_next_index : int or None
        The input character that comes next for the best model.
    """

    updates: int
    epoch: int
    position: int
    learning_rate: float
    optimizer: str
    optimizer_steps: int
    kernel: str | None
    loss: float | None
    smooth_loss: float | None
    best_update: int | None
    best_smooth_loss: float | None
    best_next_index: int | None
    validation_loss: float | None
    best_validation_update: int | None
    best_validation_loss: float | None
    best_validation_smooth_loss: float | None
    best_validation_next_index: int | None


def identity(settings: TrainerSettings, vocabulary_size: int) -> dict[str, Scalar]:
    """Return what a state is made for: it fits no trainer that differs in any of it."""
    own: dict[str, Scalar] = {name: getattr(settings, name) for name in _IDENTITY}
    return {"vocabulary_size": vocabulary_size, **own}


def upgrade(
    arrays: Mapping[str, Array], scalars: Mapping[str, Scalar]
) -> tuple[dict[str, Array], dict[str, Scalar]]:
    """Return a state in today's form, also if the first version saved it.

    Parameters
    ----------
    arrays, scalars : mapping
        As saved. The first version had one carried vector, under the name ``state``.

    Returns
    -------
    arrays, scalars : dict
    """
    names = {"state": "state.h", "best.state": "best.state.h"}
    renamed = {
        names.get(name, name): array[None] if name in names and np.ndim(array) == 1 else array
        for name, array in arrays.items()
    }
    return renamed, _FIRST_VERSION | dict(scalars)


def check_scalars(
    scalars: Mapping[str, Scalar], identity: Mapping[str, Scalar], part_length: int
) -> Progress:
    """Return the progress that `scalars` describe.

    Parameters
    ----------
    scalars : mapping
        As saved.
    identity : mapping
        The scalars that must be equal to the trainer's own, `vocabulary_size` among them.
    part_length : int
        The number of characters that each stream reads in an epoch.

    Returns
    -------
    Progress

    Raises
    ------
    StateError
        If a scalar is missing, unknown, of the wrong type or out of range.
    """
    names = [field.name for field in fields(Progress)]
    _check_names(set(scalars), {*names, *identity})
    for name, own in identity.items():
        if scalars[name] != own:
            raise StateError(f"The state is for {name} {scalars[name]}, the trainer for {own}.")
    values: dict[str, Any] = {name: scalars[name] for name in names}
    last_index = int(str(identity["vocabulary_size"])) - 1
    limits = {
        "updates": (0, math.inf),
        "optimizer_steps": (0, math.inf),
        "epoch": (1, math.inf),
        "position": (0, part_length - 1),
        "best_update": (1, values["updates"]),
        "best_next_index": (0, last_index),
        "best_validation_update": (0, values["updates"]),
        "best_validation_next_index": (0, last_index),
    }
    must_be_none = _must_be_none(values)
    for name, value in values.items():
        if name in must_be_none:
            fits = value is None
        elif name == "optimizer":
            fits = value in RULES
        elif name == "kernel":
            fits = value in KERNELS or (value is None and values["updates"] == 0)
        elif name in limits:
            fits = type(value) is int and limits[name][0] <= value <= limits[name][1]
        else:
            fits = type(value) in {int, float}
        if not fits:
            raise StateError(f"The state's {name} cannot be {value!r}.")
    return Progress(**values)


def _must_be_none(values: Mapping[str, Any]) -> set[str]:
    names = set(_NONE_AT_FIRST) if values["updates"] == 0 else set()
    if values["validation_loss"] is None:
        names |= _NONE_BEFORE_VALIDATION | {"validation_loss"}
    elif values["best_validation_update"] is None:
        # The loss was not a finite number.
        names |= _NONE_BEFORE_VALIDATION
    elif values["best_validation_update"] == 0:
        names.add("best_validation_smooth_loss")
    return names


def check_arrays(arrays: Mapping[str, Array], own: Mapping[str, Array]) -> None:
    """Check that `arrays` have the names, shapes and types of `own`.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As saved.
    own : mapping of str to ndarray
        The trainer's.

    Raises
    ------
    StateError
        If they differ.
    """
    _check_names(set(arrays), set(own))
    for name, view in own.items():
        array = arrays[name]
        if not isinstance(array, np.ndarray) or array.shape != view.shape:
            raise StateError(f"The state's {name} has not the shape {view.shape}.")
        if array.dtype != view.dtype:
            raise StateError(f"The state's {name} is {array.dtype}, not {view.dtype}.")


def _check_names(given: set[str], expected: set[str]) -> None:
    if missing := expected - given:
        raise StateError(f"The state lacks {', '.join(sorted(missing))}.")
    if unknown := given - expected:
        raise StateError(f"The state holds the unknown {', '.join(sorted(unknown))}.")
