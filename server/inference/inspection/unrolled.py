"""The next update of a run, taken apart."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import new_trainer, restore_trainer
from server.checkpoints.npz import DamagedArchiveError, read_archive
from server.concurrency.json_lines import Message
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import UnrollUpdate
from server.rnn.inspection.unrolled import Unrolled
from server.rnn.inspection.update import NumberUpdate, ParameterUpdate, make_update
from server.rnn.parameters import Array
from server.rnn.training.trainer import StateError, Trainer
from server.rnn.vocabulary import Vocabulary

__all__ = ["unroll_update"]

INT8_MAX = 127
DIGITS = 6
"""Significant digits of the figures."""


def unroll_update(files: LoadedFiles, command: UnrollUpdate) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The checkpoint cannot be read.
    """
    text = files.corpus(command.corpus_path)
    vocabulary = Vocabulary.from_text(text)
    trainer = new_trainer(vocabulary.encode(text), vocabulary, command.spec)
    if command.path is not None:
        try:
            restore_trainer(trainer, vocabulary, *read_archive(Path(command.path)))
        except StateError as error:
            raise DamagedArchiveError(str(error)) from error
    return {"unrolled": _describe(trainer, vocabulary, command.steps, command.top)}


def _describe(trainer: Trainer, vocabulary: Vocabulary, steps: int, top: int) -> Message:
    """Make the next update with a trainer, and describe it."""
    settings = trainer.settings
    before: dict[str, Any] = {
        "update": trainer.updates + 1,
        "epoch": trainer.epoch,
        "position": trainer.position,
        "learning_rate": trainer.learning_rate,
        "dropout": settings.dropout if settings.layers > 1 else 0.0,
    }
    details = make_update(trainer, steps)
    unrolled, x, y = details.unrolled, details.batch.x[:, 0], details.batch.y[:, 0]
    n = len(unrolled.probabilities)
    p = unrolled.probabilities
    order = np.argsort(-p, axis=1, kind="stable")[:, :top]
    characters = vocabulary.characters
    return before | {
        "sequence_length": len(x),
        "streams": details.batch.x.shape[1],
        "zero_state": not any(state.any() for state in details.batch.state.values()),
        "inputs": list(vocabulary.decode(x[:n])),
        "targets": list(vocabulary.decode(y[:n])),
        "top": [
            [(characters[k], _figure(p[t, k]) or 0.0) for k in order[t].tolist()] for t in range(n)
        ],
        "target_probability": _figures(p[np.arange(n), y[:n]]),
        "loss": _figures(unrolled.losses[:n]),
        "loss_after": _figures(details.losses_after[:n]),
        "layers": [_layer(unrolled, layer) for layer in range(len(unrolled.hidden))],
        "parameters": [
            _norms(each)
            | {
                "terms": _figures(unrolled.contributions[each.name]),
                "sum_of_terms": _figure(unrolled.sums[each.name]),
            }
            for each in details.parameters
        ],
        "total": _norms(details.total)
        | {
            "loss": _figure(details.loss),
            "loss_after": _figure(details.loss_after),
            "numbers": trainer.parameters.flat.size,
            "clipped_numbers": details.clipped_numbers,
        },
        "number": _number(details.number),
    }


def _layer(unrolled: Unrolled, layer: int) -> Message:
    hidden, gradients = unrolled.hidden[layer], unrolled.hidden_gradients[layer]
    return {
        "hidden": _matrix(hidden, at_least=1.0),
        "gradients": _matrix(gradients),
        "from_output": _row_norms(unrolled.from_output[layer]),
        "from_later": {
            symbol: _row_norms(rows[layer]) for symbol, rows in unrolled.from_later.items()
        },
        "together": _row_norms(gradients),
    }


def _norms(update: ParameterUpdate) -> Message:
    fields = asdict(update)
    name, shape = fields.pop("name"), fields.pop("shape")
    return {"name": name, "shape": shape} | {key: _figure(norm) for key, norm in fields.items()}


def _number(number: NumberUpdate) -> Message:
    fields = asdict(number)
    place = {key: fields.pop(key) for key in ("parameter", "index")}
    return place | {key: _figure(value) for key, value in fields.items()}


def _matrix(array: Array, *, at_least: float = 0.0) -> Message:
    finite = np.abs(array[np.isfinite(array)])
    scale = max(at_least, float(finite.max(initial=0.0))) or 1.0
    scaled = np.nan_to_num(array / scale, nan=0.0, posinf=1.0, neginf=-1.0) * INT8_MAX
    content = np.rint(scaled).astype(np.int8).tobytes()
    return {
        "shape": list(array.shape),
        "int8": base64.b64encode(content).decode("ascii"),
        "max": scale,
    }


def _row_norms(rows: Array) -> list[float | None]:
    return _figures(np.linalg.norm(rows, axis=-1))


def _figures(values: Iterable[float]) -> list[float | None]:
    return [_figure(value) for value in values]


def _figure(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
