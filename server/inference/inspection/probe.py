"""What a network computes while it reads a text."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from server.concurrency.json_lines import Message
from server.inference.inspection.known_text import KnownText
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import (
    MeasureProbabilities,
    PredictCharacters,
    ProbeText,
)
from server.rnn.inspection.activations import read_activations
from server.rnn.inspection.time_gradients import saliency
from server.rnn.model import Model
from server.rnn.parameters import Array
from server.rnn.sampling.inference import Stepper
from server.rnn.sampling.surprisal import likeliest, log_softmax
from server.rnn.vocabulary import Vocabulary

__all__ = ["MAX_SALIENCY_CHARACTERS", "measure_probabilities", "predict_characters", "probe_text"]

MAX_SALIENCY_CHARACTERS = 400
"""All pairs take time and bytes by the square."""
CHARACTERS_AFTER = 100
"""Characters after the selected one for which saliencies are computed, if there are so many."""
INT8_MAX, UINT8_MAX = 127, 255
SURPRISAL_DIGITS, PROBABILITY_DIGITS, LOG_DIGITS = 3, 4, 6


def probe_text(files: LoadedFiles, command: ProbeText) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    n, m = len(command.text), model.hidden_size
    layer = model.layers - 1 if command.layer is None else command.layer
    hidden = np.broadcast_to(model.state[model.architecture.name("h", layer)], (n, m))
    bits = p = np.full(n, np.nan)
    top: list[list[tuple[str, float]]] = [[] for _ in range(n)]
    known = KnownText.of(command.text, vocabulary)
    if len(known.indices):
        read = read_activations(model, known.indices[None])
        hidden = np.where(known.rows[:, None] < 0, hidden, read.hidden[layer, 0, known.rows])
        assert read.logits is not None
        logits = read.logits[0].astype(np.float64)
        with np.errstate(all="ignore"):
            bits = -_of_characters(log_softmax(logits), known) / math.log(2.0)
            reshaped = _probabilities(logits, command.temperature)
        p = _of_characters(reshaped, known)
        best = likeliest(logits, min(command.top, len(vocabulary)))
        named = _named(best, np.take_along_axis(reshaped, best, axis=1), vocabulary)
        top = [[] if row < 0 else named[row] for row in known.rows.tolist()]
    return {
        "update": model.update,
        "unknown": known.unknown,
        "surprisal": _rounded(bits, SURPRISAL_DIGITS),
        "probability": _rounded(p, PROBABILITY_DIGITS),
        "top": top,
        "hidden": {"layer": layer, "shape": [n, m], **_as_int8(hidden)},
        "saliency": _saliency(model, known, n, command.index or 0) if command.saliency else None,
    }


def measure_probabilities(files: LoadedFiles, command: MeasureProbabilities) -> Message:
    """Carry out a command; raises as `probe_text`."""
    model, vocabulary = files.model(
        command.path, command.which, command.corpus_path, command.spec, keep=False
    )
    known = KnownText.of(command.text, vocabulary)
    p = np.full(len(command.text), np.nan)
    if len(known.indices) > 1:
        read = read_activations(model, known.indices[None])
        assert read.logits is not None
        p = _of_characters(_probabilities(read.logits[0].astype(np.float64), 1.0), known)
    return {"probability": _rounded(p, PROBABILITY_DIGITS)}


def predict_characters(files: LoadedFiles, command: PredictCharacters) -> Message:
    """Carry out a command; raises as `probe_text`."""
    model, vocabulary = files.model(
        command.path, command.which, command.corpus_path, command.spec, keep=False
    )
    known = KnownText.of(command.text, vocabulary)
    unknown = sorted({command.text[place] for place in known.unknown})
    reply = {"update": model.update, "characters": vocabulary.characters, "unknown": unknown}
    if unknown:
        return reply | {"predictions": []}
    read = read_activations(model, known.indices[None])
    assert read.logits is not None
    log_p = log_softmax(read.logits[0, -command.count - 1 : -1].astype(np.float64))
    if not np.isfinite(log_p).all():
        return reply | {"predictions": None}
    best = likeliest(log_p, min(command.top, len(vocabulary)))
    actual = known.indices[-command.count :]
    predictions = [
        [(vocabulary.characters[index], round(float(row[index]), LOG_DIGITS)) for index in named]
        for row, named in zip(
            log_p,
            (
                dict.fromkeys([*indices, own])
                for indices, own in zip(best.tolist(), actual.tolist(), strict=True)
            ),
            strict=True,
        )
    ]
    return reply | {"predictions": predictions}


@np.errstate(all="ignore")
def _probabilities(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return the probabilities at a temperature; at 0 the likeliest character has all."""
    if temperature > 0:
        return np.asarray(np.exp(log_softmax(logits / temperature)))
    p = np.zeros_like(logits)
    np.put_along_axis(p, likeliest(logits, 1), 1.0, axis=1)
    return p


def _of_characters(figures: NDArray[np.float64], known: KnownText) -> NDArray[np.float64]:
    """Return each character's figure, out of those of all characters that were predicted.

    It is not a number for unknown characters and the first known one.
    """
    found = np.full(len(known.rows), np.nan)
    predicted = np.arange(len(known.indices) - 1)
    found[known.places[1:]] = figures[predicted, known.indices[1:]]
    return found


def _named(
    best: NDArray[np.intp], chances: NDArray[np.float64], vocabulary: Vocabulary
) -> list[list[tuple[str, float]]]:
    """Return characters with their probabilities, which are 0 if they are not finite."""
    characters = vocabulary.characters
    rounded = np.round(np.nan_to_num(chances), PROBABILITY_DIGITS)
    return [
        [(characters[index], p) for index, p in zip(indices, row, strict=True)]
        for indices, row in zip(best.tolist(), rounded.tolist(), strict=True)
    ]


def _as_int8(hidden: Array) -> Message:
    """Return activations as bytes; 127 stands for 1, or for the greatest if it is greater."""
    finite = np.abs(hidden[np.isfinite(hidden)])
    scale = max(1.0, float(finite.max(initial=0.0)))
    shares = np.nan_to_num(hidden / scale, nan=0.0, posinf=1.0, neginf=-1.0)
    return {"int8": _base64(np.rint(shares * INT8_MAX).astype(np.int8)), "max": scale}


@np.errstate(all="ignore")
def _saliency(model: Model, known: KnownText, n: int, index: int) -> Message:
    """Return the saliencies of up to 400 characters of the text, among them the one at `index`."""
    last = min(n, max(index + 1 + CHARACTERS_AFTER, MAX_SALIENCY_CHARACTERS))
    first = max(0, last - MAX_SALIENCY_CHARACTERS)
    inside = (known.places >= first) & (known.places < last)
    size = last - first
    norms = np.zeros((size, size))
    if inside.any():
        stepper = Stepper(model)
        for character in known.indices[known.places < first].tolist():
            stepper.step(character)
        # With one stream.
        state = {name: view[0] for name, view in stepper.state.items()}
        places = known.places[inside] - first
        norms[np.ix_(places, places)] = saliency(model, known.indices[inside], state=state)
    greatest = norms.max(axis=1)
    shares = np.nan_to_num(norms / greatest[:, None], nan=0.0, posinf=0.0)
    return {
        "first": first,
        "shape": [size, size],
        "uint8": _base64(np.rint(shares * UINT8_MAX).astype(np.uint8)),
        "max": [float(f"{value:.4g}") if math.isfinite(value) else None for value in greatest],
    }


def _base64(array: NDArray[np.int8] | NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


def _rounded(figures: Iterable[float] | NDArray[np.float64], digits: int) -> list[float | None]:
    return [round(value, digits) if math.isfinite(value) else None for value in map(float, figures)]
