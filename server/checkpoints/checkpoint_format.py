"""What a checkpoint file holds, and how a trainer or a model comes out of one.

A checkpoint holds everything needed to go on exactly as if nothing had happened: the trainer's
arrays (parameters, optimiser, carried state, the best model) under the trainer's own names, and a
description with its scalars, the vocabulary, the spec and the versions that wrote it. A model file
is the part of it that is needed to write text: ``parameters.*``, ``state.*`` of one stream, and
what kind of network they are of.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from server import __version__
from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, read_archive
from server.checkpoints.unflushed import ARRAY as UNFLUSHED
from server.rnn.model import Model, ModelError
from server.rnn.training.state import upgrade
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary

__all__ = [
    "FINGERPRINT_DIGITS",
    "checkpoint_contents",
    "describe_differences",
    "fingerprint",
    "load_model",
    "model_contents",
    "new_trainer",
    "restore_trainer",
]

# The first format had one carried vector, ``state``, in place of ``state.*``.
FORMAT, FORMATS = 2, (1, 2)
PARAMETERS, STATE = "parameters.", "state."

FINGERPRINT_DIGITS = 24

Which = Literal["best", "best_validation", "latest"]


def new_trainer(
    indices: NDArray[np.integer], vocabulary: Vocabulary, spec: dict[str, Any]
) -> Trainer:
    """Make the trainer that a run's spec describes, at update 0."""
    settings = {field.name: spec[field.name] for field in fields(TrainerSettings)}
    return Trainer(indices, len(vocabulary), TrainerSettings(**settings))


def checkpoint_contents(
    trainer: Trainer, vocabulary: Vocabulary, spec: dict[str, Any]
) -> tuple[Arrays, Meta]:
    """Return the arrays and the description of a trainer's checkpoint."""
    arrays, scalars = trainer.state()
    meta = _description("checkpoint", vocabulary, spec)
    next_index = trainer.current_model().next_index
    return arrays, meta | {"trainer": scalars, "next_index": next_index}


def restore_trainer(trainer: Trainer, vocabulary: Vocabulary, arrays: Arrays, meta: Meta) -> None:
    """Set a trainer to where a checkpoint stands.

    Raises
    ------
    DamagedArchiveError
        It is no checkpoint of this version or of this text.
    server.rnn.training.trainer.StateError
        It is not of such a network.
    """
    if meta.get("kind") != "checkpoint" or meta.get("format") not in FORMATS:
        raise DamagedArchiveError("this is no checkpoint that this version can read")
    if meta.get("vocabulary") != vocabulary.characters:
        raise DamagedArchiveError("the checkpoint was made with another text")
    own = {name: array for name, array in arrays.items() if name != UNFLUSHED}
    try:
        trainer.restore(own, meta["trainer"])
    except (AttributeError, KeyError, TypeError) as error:
        raise DamagedArchiveError(f"the checkpoint's description is damaged: {error}") from error


def describe_differences(trainer: Trainer, meta: Meta) -> list[str]:
    """Say why a restored trainer may not go on byte for byte, in sentences; none if it does.

    Parameters
    ----------
    trainer : Trainer
        As `restore_trainer` left it.
    meta : dict
        The description of the checkpoint.
    """
    said = []
    begun_with = meta["trainer"].get("kernel")
    if begun_with is not None and trainer.kernel != begun_with:
        names = {"numba": "Numba", "numpy": "NumPy"}
        said.append(
            f"{names[begun_with]}, which computed the updates so far, can't be had here: from here"
            f" on {names[str(trainer.kernel)]} does, which is equal to rounding, not to the byte."
        )
    if (version := meta.get("numpy", np.__version__)) != np.__version__:
        said.append(
            f"The updates so far were computed with NumPy {version}, those from here on with"
            f" {np.__version__}: that is equal to rounding, perhaps not to the byte."
        )
    return said


def model_contents(
    model: Model, vocabulary: Vocabulary, spec: dict[str, Any]
) -> tuple[Arrays, Meta]:
    """Return the arrays and the description of a model file."""
    arrays = {f"{PARAMETERS}{name}": array for name, array in model.parameters.items()}
    arrays |= {f"{STATE}{name}": array for name, array in model.state.items()}
    meta = _description("model", vocabulary, spec) | {
        "update": model.update,
        "smooth_loss": model.smooth_loss,
        "next_index": model.next_index,
        "cell": model.cell,
        "layers": model.layers,
    }
    return arrays, meta


def load_model(path: Path, which: Which) -> tuple[Model, Vocabulary]:
    """Read a model from a checkpoint or a model file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    which : {"best", "best_validation", "latest"}
        For a checkpoint: the best model it holds, by smooth loss or by validation, or the one
        that stood when it was made, which is also what there is in place of one that it lacks. A
        model file holds one model.

    Raises
    ------
    DamagedArchiveError, OSError
        As for `read_archive`.
    """
    arrays, meta = read_archive(path)
    try:
        model, vocabulary = _model(arrays, meta, which), Vocabulary(meta["vocabulary"])
        if model.vocabulary_size != len(vocabulary):
            raise ModelError("its vocabulary is not of its size")
    except KeyError as error:
        raise DamagedArchiveError(f"{path.name} lacks {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise DamagedArchiveError(f"{path.name} holds no model: {error}") from error
    return model, vocabulary


def fingerprint(model: Model, vocabulary: Vocabulary) -> str:
    """Return what tells a model from all others: 24 hexadecimal digits.

    It is a hash of all that a text depends on, and so the same wherever the model is found: in a
    checkpoint, a snapshot or a file of its own.
    """
    about = [vocabulary.characters, model.cell, model.layers, model.next_index, model.update]
    digest = hashlib.sha256(json.dumps(about).encode())
    for prefix, arrays in ((PARAMETERS, model.parameters), (STATE, model.state)):
        for name, array in sorted(arrays.items()):
            digest.update(f"{prefix}{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def _model(arrays: Arrays, meta: Meta, which: Which) -> Model:
    if meta["format"] not in FORMATS:
        raise ModelError("this version can't read its format")
    saved = meta["trainer"] if meta["kind"] == "checkpoint" else meta
    arrays, upgraded = upgrade(arrays, saved)
    scalars: Meta = dict(upgraded)
    prefix, update, smooth_loss, next_index = "", "updates", "smooth_loss", meta["next_index"]
    if meta["kind"] == "model":
        update = "update"
    elif which != "latest" and scalars[f"{which}_update"] is not None:
        prefix = f"{which}."
        update, smooth_loss = f"{which}_update", f"{which}_smooth_loss"
        next_index = scalars[f"{which}_next_index"]
    return Model(
        parameters=_named(arrays, prefix + PARAMETERS),
        state={name: np.atleast_2d(a)[0] for name, a in _named(arrays, prefix + STATE).items()},
        next_index=next_index,
        update=scalars[update],
        smooth_loss=scalars[smooth_loss],
        cell=scalars["cell"],
        layers=scalars["layers"],
    )


def _named(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _description(kind: str, vocabulary: Vocabulary, spec: dict[str, Any]) -> Meta:
    return {
        "kind": kind,
        "format": FORMAT,
        "hurrah": __version__,
        "numpy": np.__version__,
        "spec": spec,
        "vocabulary": vocabulary.characters,
    }
