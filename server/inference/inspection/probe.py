"""What a network computes while it reads a text."""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray

from server.concurrency.json_lines import Message
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import ProbeText
from server.rnn.inspection.activations import read_activations
from server.rnn.parameters import Array
from server.rnn.sampling.surprisal import likeliest, log_softmax
from server.rnn.vocabulary import Vocabulary

__all__ = ["probe_text"]

INT8_MAX = 127
DIGITS = 4


def probe_text(files: LoadedFiles, command: ProbeText) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    text = command.text
    known, places, unknown = known_characters(text, vocabulary)
    n, m = len(text), model.hidden_size
    layer = model.layers - 1 if command.layer is None else command.layer
    hidden = np.broadcast_to(model.state[model.architecture.name("h", layer)], (n, m))
    surprisal: list[float | None] = [None] * n
    top: list[list[tuple[str, float]]] = [[] for _ in range(n)]
    if len(known):
        read = read_activations(model, known[None])
        assert read.logits is not None
        # An unknown character changes nothing: its row is that of the known one before it.
        rows = np.maximum.accumulate(_rows(n, places))
        before_first = rows < 0
        hidden = np.where(before_first[:, None], hidden, read.hidden[layer, 0, rows])
        log_p = log_softmax(read.logits[0].astype(np.float64))
        bits = -log_p[np.arange(len(known) - 1), known[1:]] / math.log(2.0)
        for place, value in zip(places[1:].tolist(), bits.tolist(), strict=True):
            surprisal[place] = round(value, 3) if math.isfinite(value) else None
        named = _named(read.logits[0].astype(np.float64), command, vocabulary)
        top = [[] if row < 0 else named[row] for row in rows.tolist()]
    scale = _scale(hidden)
    return {
        "update": model.update,
        "unknown": unknown,
        "surprisal": surprisal,
        "top": top,
        "hidden": {
            "layer": layer,
            "shape": [n, m],
            "int8": _int8(hidden, scale),
            "max": scale,
        },
    }


def known_characters(
    text: str, vocabulary: Vocabulary
) -> tuple[NDArray[np.integer], NDArray[np.intp], list[int]]:
    """Separate the characters of a text that the vocabulary has from those that it lacks.

    Returns
    -------
    known : ndarray of int
        The indices of the known characters in the vocabulary, in the order of the text.
    places : ndarray of intp
        The index in the text of each known character.
    unknown : list of int
        The indices in the text of the others.
    """
    own = frozenset(vocabulary.characters)
    places = [place for place, character in enumerate(text) if character in own]
    unknown = [place for place, character in enumerate(text) if character not in own]
    known = vocabulary.encode("".join(text[place] for place in places))
    return known, np.array(places, dtype=np.intp), unknown


def _rows(n: int, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of the known character at each place of a text; -1 at the others."""
    rows = np.full(n, -1, dtype=np.intp)
    rows[places] = np.arange(len(places))
    return rows


def _named(
    logits: NDArray[np.float64], command: ProbeText, vocabulary: Vocabulary
) -> list[list[tuple[str, float]]]:
    """Return the likeliest next characters after each character, with their probabilities."""
    best = likeliest(logits, min(command.top, len(vocabulary)))
    with np.errstate(all="ignore"):
        if command.temperature > 0:
            p = np.exp(log_softmax(logits / command.temperature))
            chances = np.take_along_axis(p, best, axis=-1)
        else:
            chances = np.zeros(best.shape)
            chances[:, :1] = 1.0
    characters = vocabulary.characters
    return [
        [
            (characters[index], round(p, DIGITS) if math.isfinite(p) else 0.0)
            for index, p in zip(indices, probabilities, strict=True)
        ]
        for indices, probabilities in zip(best.tolist(), chances.tolist(), strict=True)
    ]


def _scale(hidden: Array) -> float:
    """Return the activation that 127 stands for: 1, or the greatest if it is greater."""
    finite = np.abs(hidden[np.isfinite(hidden)])
    return max(1.0, float(finite.max(initial=0.0)))


def _int8(hidden: Array, scale: float) -> str:
    scaled = np.nan_to_num(hidden / scale, nan=0.0, posinf=1.0, neginf=-1.0) * INT8_MAX
    return base64.b64encode(np.rint(scaled).astype(np.int8).tobytes()).decode("ascii")
