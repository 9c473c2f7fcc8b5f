"""The contents of checkpoint and model files, and how to load a trainer or a model from one.

A checkpoint has everything needed to continue exactly: the trainer's arrays (parameters, optimizer,
carried state, best model) under the trainer's own names, and a description with its scalars, the
vocabulary, the spec and the versions that wrote it. A model file has the part that is needed to
write text: ``parameters.*``, ``state.*`` of one stream, and the kind of network.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from server import __version__
from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, read_archive
from server.checkpoints.unflushed import PREFIX as UNFLUSHED
from server.rnn.backend.selection import NUMBA, TILES
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
    "trainer_settings",
]

# Format 1 has a single carried vector, ``state``, instead of ``state.*``.
FORMAT, FORMATS = 2, (1, 2)
PARAMETERS, STATE = "parameters.", "state."

FINGERPRINT_DIGITS = 24

Which = Literal["best", "best_validation", "latest"]


def new_trainer(
    indices: NDArray[np.integer], vocabulary: Vocabulary, spec: dict[str, Any]
) -> Trainer:
    """Create the trainer that a spec describes, at update 0."""
    return Trainer(indices, len(vocabulary), trainer_settings(spec), vocabulary)


def trainer_settings(spec: dict[str, Any]) -> TrainerSettings:
    """Return the part of a spec that the trainer needs."""
    return TrainerSettings(**{field.name: spec[field.name] for field in fields(TrainerSettings)})


def checkpoint_contents(
    trainer: Trainer, vocabulary: Vocabulary, spec: dict[str, Any]
) -> tuple[Arrays, Meta]:
    """Return the arrays and the description of a trainer's checkpoint."""
    arrays, scalars = trainer.state()
    meta = _description("checkpoint", vocabulary, spec)
    next_index = trainer.current_model().next_index
    meta |= {"threads": trainer.settings.used_threads, "cores": available_cores()}
    return arrays, meta | {"trainer": scalars, "next_index": next_index}


def restore_trainer(trainer: Trainer, vocabulary: Vocabulary, arrays: Arrays, meta: Meta) -> None:
    """Restore a trainer from a checkpoint.

    Raises
    ------
    DamagedArchiveError
        It is not a checkpoint, its format is unknown, or it is of another corpus.
    server.rnn.training.trainer.StateError
        It is of another network.
    """
    if meta.get("kind") != "checkpoint" or meta.get("format") not in FORMATS:
        raise DamagedArchiveError("this version cannot read it as a checkpoint")
    if meta.get("vocabulary") != vocabulary.characters:
        raise DamagedArchiveError("the checkpoint belongs to another corpus")
    if not isinstance(meta.get("trainer"), dict):
        raise DamagedArchiveError("the checkpoint's description is damaged: it has no trainer")
    own = {name: each for name, each in arrays.items() if not name.startswith(UNFLUSHED)}
    try:
        trainer.restore(own, meta["trainer"])
    except (AttributeError, KeyError, TypeError) as error:
        raise DamagedArchiveError(f"the checkpoint's description is damaged: {error}") from error


def describe_differences(trainer: Trainer, meta: Meta) -> list[str]:
    """Return how the training of a restored trainer differs from that before its checkpoint.

    Parameters
    ----------
    trainer : Trainer
        The restored trainer.
    meta : dict
        The description of the checkpoint.

    Returns
    -------
    list of str
        One sentence for each difference. Empty if the trainer continues byte for byte, and with as
        many cores as it can use.
    """
    differences = []
    kernel = meta["trainer"].get("kernel")
    if kernel is not None and trainer.kernel != kernel:
        names: dict[str, str] = {
            "numpy": "NumPy",
            TILES: "NumPy",
            NUMBA: "Numba",
            "numba": "An earlier version of the loops compiled by Numba",
        }
        differences.append(
            f"{names[kernel]} computed the updates so far but is not available here:"
            f" {names[str(trainer.kernel)]} continues, equal up to rounding, not byte for byte."
        )
    if (version := meta.get("numpy", np.__version__)) != np.__version__:
        differences.append(
            f"NumPy {str(version)[:40]} computed the updates so far, and NumPy {np.__version__}"
            " continues: equal up to rounding, perhaps not byte for byte."
        )
    threads, now = meta.get("blas_threads"), blas_threads()
    if threads is not None and now is not None and threads != now:
        differences.append(
            f"The number of threads of the linear algebra was {str(threads)[:40]} and is {now} now:"
            " equal up to rounding, perhaps not byte for byte."
        )
    # Earlier versions had one thread.
    before, threads = meta.get("threads", 1), trainer.settings.used_threads
    if before != threads:
        differences.append(
            f"The number of threads was {str(before)[:40]} and is {threads} now: equal up to"
            " rounding, not byte for byte."
        )
    cores = available_cores()
    if cores < threads and meta.get("cores") != cores:
        differences.append(
            f"The run has {threads} threads, but there {'is' if cores == 1 else 'are'} only"
            f" {cores} core{'s' * (cores > 1)} here: the results are the same, but training is"
            " slower."
        )
    return differences


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas_threads() -> str | None:
    """Return the number of threads that NumPy's linear algebra may use; None: not known."""
    found = {os.environ.get(f"{library}_NUM_THREADS") for library in ("OPENBLAS", "MKL")}
    found.add(os.environ.get("VECLIB_MAXIMUM_THREADS"))
    # Which of the libraries is in use is not known, but one that differs from the others was set.
    chosen = sorted(each for each in found if each is not None)
    return next((each for each in chosen if each != "1"), chosen[0] if chosen else None)


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
        For a checkpoint: the best model by smooth loss or by validation loss, or the model at the
        checkpoint's update, which also replaces a missing best one. A model file has one model.

    Raises
    ------
    DamagedArchiveError, OSError
        As for `read_archive`.
    """
    arrays, meta = read_archive(path)
    try:
        model, vocabulary = _model(arrays, meta, which), Vocabulary(meta["vocabulary"])
        if model.vocabulary_size != len(vocabulary):
            raise ModelError("its vocabulary has another size")
        for name, array in (model.parameters | model.state).items():
            if not np.isfinite(array).all():
                raise ModelError(f"{name} has numbers that are not finite")
    except KeyError as error:
        raise DamagedArchiveError(f"{path.name} lacks {error}") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise DamagedArchiveError(f"{path.name} has no model: {error}") from error
    return model, vocabulary


def fingerprint(model: Model, vocabulary: Vocabulary) -> str:
    """Return a hash of a model: 24 hexadecimal digits.

    It covers everything that a text depends on, so a model has the same fingerprint in a
    checkpoint, in a snapshot and in a model file.
    """
    scalars = [vocabulary.characters, model.cell, model.layers, model.next_index, model.update]
    digest = hashlib.sha256(json.dumps(scalars).encode())
    for prefix, arrays in ((PARAMETERS, model.parameters), (STATE, model.state)):
        for name, array in sorted(arrays.items()):
            digest.update(f"{prefix}{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def _model(arrays: Arrays, meta: Meta, which: Which) -> Model:
    if meta["format"] not in FORMATS:
        raise ModelError("this version cannot read its format")
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
        "blas_threads": blas_threads(),
        "spec": spec,
        "vocabulary": vocabulary.characters,
    }
