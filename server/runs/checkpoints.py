"""What a checkpoint file holds, and how a trainer or a model comes out of one.

A checkpoint holds everything needed to go on exactly as if nothing had happened: the trainer's
arrays (parameters, optimiser, carried state, the best model) under the trainer's own names, and a
description with its scalars, the vocabulary, the spec and the versions that wrote it. A model file
is the part of it that is needed to write text.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from server import __version__
from server.rnn.sampling import Model
from server.rnn.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from server.runs.archive import Arrays, DamagedArchiveError, Meta, read_archive
from server.runs.unflushed import ARRAY as UNFLUSHED

__all__ = [
    "checkpoint_contents",
    "load_model",
    "model_contents",
    "new_trainer",
    "restore_trainer",
]

FORMAT = 1
PARAMETERS = "parameters."
BEST = "best."

Which = Literal["best", "latest"]


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
    server.rnn.trainer.StateError
        It is not of such a network.
    """
    if meta.get("kind") != "checkpoint" or meta.get("format") != FORMAT:
        raise DamagedArchiveError("this is no checkpoint that this version can read")
    if meta["vocabulary"] != vocabulary.characters:
        raise DamagedArchiveError("the checkpoint was made with another text")
    own = {name: array for name, array in arrays.items() if name != UNFLUSHED}
    trainer.restore(own, meta["trainer"])


def model_contents(
    model: Model, vocabulary: Vocabulary, spec: dict[str, Any]
) -> tuple[Arrays, Meta]:
    """Return the arrays and the description of a model file."""
    arrays = {f"{PARAMETERS}{name}": array for name, array in model.parameters.items()}
    meta = _description("model", vocabulary, spec) | {
        "update": model.update,
        "smooth_loss": model.smooth_loss,
        "next_index": model.next_index,
    }
    return arrays | {"state": model.state}, meta


def load_model(path: Path, which: Which) -> tuple[Model, Vocabulary]:
    """Read a model from a checkpoint or a model file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    which : {"best", "latest"}
        For a checkpoint: the best model it holds (before the first update: the only one), or the
        one that stood when it was made. A model file holds one model.

    Raises
    ------
    DamagedArchiveError, OSError
        As for `read_archive`.
    """
    arrays, meta = read_archive(path)
    try:
        return _model(arrays, meta, which), Vocabulary(meta["vocabulary"])
    except KeyError as error:
        raise DamagedArchiveError(f"{path.name} lacks {error}") from error


def _model(arrays: Arrays, meta: Meta, which: Which) -> Model:
    if meta["kind"] == "model":
        prefix, next_index = "", meta["next_index"]
        update, smooth_loss = meta["update"], meta["smooth_loss"]
    else:
        scalars = meta["trainer"]
        if which == "best" and scalars["best_update"] is not None:
            prefix, next_index = BEST, scalars["best_next_index"]
            update, smooth_loss = scalars["best_update"], scalars["best_smooth_loss"]
        else:
            prefix, next_index = "", meta["next_index"]
            update, smooth_loss = scalars["updates"], scalars["smooth_loss"]
    start = prefix + PARAMETERS
    return Model(
        parameters={
            name.removeprefix(start): array
            for name, array in arrays.items()
            if name.startswith(start)
        },
        state=arrays[f"{prefix}state"],
        next_index=next_index,
        update=update,
        smooth_loss=smooth_loss,
    )


def _description(kind: str, vocabulary: Vocabulary, spec: dict[str, Any]) -> Meta:
    return {
        "kind": kind,
        "format": FORMAT,
        "hurrah": __version__,
        "numpy": np.__version__,
        "spec": spec,
        "vocabulary": vocabulary.characters,
    }
