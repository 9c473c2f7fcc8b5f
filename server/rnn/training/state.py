"""The saved state of a trainer: its form, its older forms, and the checks before it is restored."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np

from server.rnn.backend.selection import KERNELS
from server.rnn.optimizers import OPTIMIZERS
from server.rnn.parameters import Array
from server.rnn.training.divergence import UPDATES
from server.rnn.training.settings import TrainerSettings

Scalar: TypeAlias = int | float | str | None

# How the names of the optimizer's arrays begin.
OPTIMIZER = "optimizer."

# Scalars that earlier versions did not save. The first one did not save those that had one possible
# value, nor AdaGrad's steps, which AdaGrad does not need.
_DEFAULTS: dict[str, Scalar] = {
    "cell": "rnn",
    "layers": 1,
    "batch_size": 1,
    "order": "sequential",
    "validation_fraction": 0.0,
    "test_fraction": 0.0,
    "optimizer": "adagrad",
    "optimizer_steps": 0,
    "kernel": "numpy",
    "validation_loss": None,
    "best_validation_update": None,
    "best_validation_loss": None,
    "best_validation_smooth_loss": None,
    "best_validation_next_index": None,
    "validation_update": None,
    "high_losses": 0,
    "high_losses_since": None,
    "diverged_since": None,
}

# The settings that must be equal in the trainer that saves a state and the one that restores it.
_IDENTITY = (
    *("cell", "hidden_size", "layers", "batch_size", "order", "dtype"),
    *("validation_fraction", "test_fraction"),
)

_NONE_BEFORE_UPDATE = {"loss", "smooth_loss", "best_update", "best_smooth_loss", "best_next_index"}
_MAY_BE_NONE = {"validation_update", "diverged_since"}
_NONE_WITHOUT_HIGH_LOSSES = {"high_losses_since", "diverged_since"}
_NONE_BEFORE_VALIDATION = {
    "best_validation_update",
    "best_validation_loss",
    "best_validation_smooth_loss",
    "best_validation_next_index",
}


# No training makes as many updates. The bound keeps arithmetic with a damaged number cheap.
_MAX_COUNT = 10**15


class StateError(ValueError):
    """A saved state does not fit the trainer that should resume from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All numbers in a trainer's state that are not arrays.

    Attributes
    ----------
    optimizer : str
        The name of the optimizer that the arrays belong to.
    optimizer_steps : int
        The number of steps it has made.
    kernel : str or None
        The code that computed the updates so far; see `backend.selection`.
    best_next_index, best_validation_next_index : int or None
        The next input character of each best model.

    high_losses, high_losses_since, diverged_since : int or None
        As in `divergence.DivergenceDetector`.

    The other fields are attributes of `trainer.Trainer`. `validation_update` is None if an earlier
    version measured the validation loss.
    """

    updates: int
    epoch: int
    learning_rate: float
    loss: float | None
    smooth_loss: float | None
    best_update: int | None
    best_smooth_loss: float | None
    validation_loss: float | None
    validation_update: int | None
    best_validation_update: int | None
    best_validation_loss: float | None
    best_validation_smooth_loss: float | None
    position: int
    optimizer: str
    optimizer_steps: int
    kernel: str | None
    best_next_index: int | None
    best_validation_next_index: int | None
    high_losses: int
    high_losses_since: int | None
    diverged_since: int | None


def identity(settings: TrainerSettings, vocabulary_size: int) -> dict[str, Scalar]:
    """Return the scalars that must be equal in the saving and the restoring trainer."""
    own: dict[str, Scalar] = {name: getattr(settings, name) for name in _IDENTITY}
    return {"vocabulary_size": vocabulary_size, **own}


def upgrade(
    arrays: Mapping[str, Array], scalars: Mapping[str, Scalar]
) -> tuple[dict[str, Array], dict[str, Scalar]]:
    """Return a state in its present form, whichever version saved it.

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
    return renamed, _DEFAULTS | dict(scalars)


def check_scalars(
    scalars: Mapping[str, Scalar], identity: Mapping[str, Scalar], stream_length: int
) -> Progress:
    """Return the progress that `scalars` describe.

    Parameters
    ----------
    scalars : mapping
        As saved.
    identity : mapping
        The trainer's own `identity`.
    stream_length : int
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
        "updates": (0, _MAX_COUNT),
        "optimizer_steps": (0, _MAX_COUNT),
        "epoch": (1, _MAX_COUNT),
        "position": (0, stream_length - 1),
        "best_update": (1, values["updates"]),
        "best_next_index": (0, last_index),
        "validation_update": (0, values["updates"]),
        "best_validation_update": (0, values["updates"]),
        "best_validation_next_index": (0, last_index),
        "high_losses": (0, UPDATES),
        "high_losses_since": (1, values["updates"]),
        "diverged_since": (1, values["updates"]),
    }
    must_be_none = _must_be_none(values)
    for name, value in values.items():
        if name in must_be_none:
            fits = value is None
        elif name in _MAY_BE_NONE and value is None:
            fits = True
        elif name == "optimizer":
            fits = value in OPTIMIZERS
        elif name == "kernel":
            fits = value in KERNELS or (value is None and values["updates"] == 0)
        elif name in limits:
            fits = type(value) is int and limits[name][0] <= value <= limits[name][1]
        else:
            fits = type(value) is float or (type(value) is int and abs(value) <= _MAX_COUNT)
        if not fits:
            raise StateError(f"The state's {name} cannot be {value!r}."[:200])
    return Progress(**values)


def _must_be_none(values: Mapping[str, Any]) -> set[str]:
    names = set(_NONE_BEFORE_UPDATE) if values["updates"] == 0 else set()
    if values["high_losses"] == 0:
        names |= _NONE_WITHOUT_HIGH_LOSSES
    if values["validation_loss"] is None:
        names |= _NONE_BEFORE_VALIDATION | {"validation_loss", "validation_update"}
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
            raise StateError(f"The state's {name} must have the shape {view.shape}.")
        if array.dtype != view.dtype:
            raise StateError(f"The state's {name} is {array.dtype}, not {view.dtype}.")


def _check_names(given: set[str], expected: set[str]) -> None:
    if missing := expected - given:
        raise StateError(f"The state lacks {', '.join(sorted(missing))}.")
    if unknown := given - expected:
        raise StateError(f"The state contains the unknown {', '.join(sorted(unknown))}.")
