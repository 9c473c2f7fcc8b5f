"""What was read at an update, and how surprising each character of it was: the scribe's part."""

from __future__ import annotations

import math
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.checkpoint_format import load_model
from server.checkpoints.npz import DamagedArchiveError
from server.concurrency.json_lines import Message
from server.rnn.model import Model
from server.rnn.sampling.surprisal import Surprisal, surprisal
from server.rnn.vocabulary import Vocabulary

__all__ = ["SurprisalReader"]

# Characters that are shown around what was read, and those that are read before them so that the
# network has come into its stride.
SHOWN_BEFORE, SHOWN_AFTER, WARMING = 400, 480, 160
TOP = 3
MOST_SURPRISING = 3
# Of many streams, so many are shown, out of as many as some multiply-adds allow (a second's work).
STREAMS_SHOWN = 3
MOST_STREAMS = 64
MOST_WORK = 2e9

# What is held in memory: the next reader asks for the same book, and often for the same network.
BOOKS_KEPT, MODELS_KEPT = 2, 4

V = TypeVar("V")
FirstModel = Callable[[str, dict[str, Any]], tuple[Model, Vocabulary]]


class SurprisalReader:
    """Reads with a run's model what the run read.

    Parameters
    ----------
    first_model : callable
        Takes a corpus' path and a spec, and returns a run's model before its start.
    """

    def __init__(self, first_model: FirstModel) -> None:
        self._first_model = first_model
        self._books: OrderedDict[str, str] = OrderedDict()
        self._models: OrderedDict[str, tuple[Model, Vocabulary]] = OrderedDict()

    def answer(self, command: Message) -> Message:
        """Answer the command `read`.

        Parameters
        ----------
        command : dict
            `path` of the model (None: the run's first), `spec`, `corpus_path`; `parts`, where each
            stream's part begins; `part_length`, `position` in each part and `sequence_length`.
            All in characters.

        Returns
        -------
        dict
            ``{"model_update", "passages"}``: see `server.analysis.surprisal.UpdateSurprisal`.

        Raises
        ------
        DamagedArchiveError, OSError
            The model can't be read.
        """
        model, vocabulary = self._model(command)
        book = _kept(
            self._books,
            command["corpus_path"],
            BOOKS_KEPT,
            lambda: Path(command["corpus_path"]).read_bytes().decode(),
        )
        start = command["position"] + 1
        end = start + command["sequence_length"]
        shown = max(0, start - SHOWN_BEFORE)
        first = max(0, shown - WARMING)
        last = min(end + SHOWN_AFTER, command["part_length"])
        steps = last - first
        room = int(MOST_WORK / (steps * model.architecture.size))
        parts = command["parts"][: max(1, min(MOST_STREAMS, room))]
        texts = [book[part + first : part + last] for part in parts]
        # From the part's beginning as in training; from anywhere else with a state that the network
        # is used to, which some characters bring to where it would be.
        indices = np.stack([vocabulary.encode(text) for text in texts])
        found = surprisal(model, indices, TOP, carried=first > 0)
        # The first character of a part was never guessed.
        bits = np.concatenate(
            [np.full((len(parts), 1), np.nan), found.nats / math.log(2.0)], axis=1
        )
        read = slice(start - first, end - first)
        order = np.argsort(-bits[:, read].sum(axis=1), kind="stable")[:STREAMS_SHOWN]
        return {
            "model_update": model.update,
            "passages": [
                _passage(
                    texts[stream],
                    bits[stream],
                    _expected(found, stream, read, vocabulary),
                    read,
                    shown - first,
                )
                | {"stream": stream + 1, "position": parts[stream] + start}
                for stream in order.tolist()
            ],
        }

    def _model(self, command: Message) -> tuple[Model, Vocabulary]:
        path = command["path"]
        if path is None:
            return self._first_model(command["corpus_path"], command["spec"])
        try:
            # A file of the same name may be another one: a run that went back writes it anew.
            name = f"{path} {Path(path).stat().st_mtime_ns}"
            return _kept(self._models, name, MODELS_KEPT, lambda: load_model(Path(path), "latest"))
        except FileNotFoundError as error:
            raise DamagedArchiveError("the model is not there any more") from error


def _kept(kept: OrderedDict[str, V], key: str, most: int, make: Callable[[], V]) -> V:
    """Return what is kept by that name, or make it, and let the longest unused go."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return kept[key]


Expected = list[list[tuple[str, float]]]


def _expected(found: Surprisal, stream: int, read: slice, vocabulary: Vocabulary) -> Expected:
    """Return what was likeliest in the place of each character that was read, and how likely."""
    guesses = slice(read.start - 1, read.stop - 1)
    characters = vocabulary.characters
    return [
        [
            (characters[index], round(p, 4) if math.isfinite(p) else 0.0)
            for index, p in zip(indices, probabilities, strict=True)
        ]
        for indices, probabilities in zip(
            found.top[stream, guesses].tolist(),
            found.top_probabilities[stream, guesses].tolist(),
            strict=True,
        )
    ]


def _passage(
    text: str, bits: NDArray[np.float64], expected: Expected, read: slice, shown: int
) -> Message:
    """Return one stream's text around what was read, each character with its surprisal."""
    inside = bits[read]
    known = np.where(np.isfinite(inside), inside, -np.inf)
    order = [int(i) for i in np.argsort(-known, kind="stable") if known[i] > -np.inf]
    return {
        "before": text[shown : read.start],
        "text": text[read],
        "after": text[read.stop :],
        "surprisal_before": _plain(bits[shown : read.start]),
        "surprisal": _plain(inside),
        "surprisal_after": _plain(bits[read.stop :]),
        "top": expected,
        "most_surprising": [
            {
                "index": index,
                "character": text[read.start + index],
                "word": _word_at(text, read.start + index),
                "surprisal": round(float(inside[index]), 3),
                "expected": expected[index],
            }
            for index in order[:MOST_SURPRISING]
        ],
    }


def _plain(bits: NDArray[np.float64]) -> list[float | None]:
    return [round(value, 3) if math.isfinite(value) else None for value in bits.tolist()]


def _word_at(text: str, index: int) -> str | None:
    """Return the word that a character belongs to; None if it belongs to none."""

    def belongs(at: int) -> bool:
        return 0 <= at < len(text) and (
            unicodedata.category(text[at])[0] in "LM" or text[at] in "'\u2019"
        )

    if not belongs(index):
        return None
    start = end = index
    while belongs(start - 1):
        start -= 1
    while belongs(end + 1):
        end += 1
    return text[start : end + 1].strip("'\u2019") or None
