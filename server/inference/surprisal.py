"""The text that a run read at an update, and how surprising each character of it was."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from server.concurrency.json_lines import Message
from server.corpora.words import word_at
from server.inference.inspection.loading import LoadedFiles
from server.inference.messages import MeasureSurprisal
from server.rnn.sampling.surprisal import Surprisal, surprisal
from server.rnn.vocabulary import Vocabulary

__all__ = ["SurprisalReader", "multiply_adds", "streams_measured"]

SHOWN_BEFORE, SHOWN_AFTER = 400, 480
"""Characters shown before and after the text that was read."""
WARM_UP = 160
"""Characters read before those shown, so that the network's state is a usual one."""
TOP = 3
MOST_SURPRISING = 3
STREAMS_SHOWN = 3
"""Streams shown, out of those measured."""
MAX_STREAMS = 64
MAX_MULTIPLY_ADDS = 2e9
"""Limits of the streams measured; the second is about a second's work."""


def streams_measured(parameters: int, sequence_length: int, streams: int) -> int:
    """Return how many streams of an update are measured, at least 1.

    Parameters
    ----------
    parameters : int
        Of the network.
    sequence_length : int
        T.
    streams : int
        B.
    """
    affordable = int(MAX_MULTIPLY_ADDS / (_steps(sequence_length) * parameters))
    return max(1, min(streams, MAX_STREAMS, affordable))


def multiply_adds(parameters: int, sequence_length: int, streams: int) -> int:
    """Return about how many multiply-adds it takes to measure an update."""
    measured = streams_measured(parameters, sequence_length, streams)
    return measured * _steps(sequence_length) * parameters


def _steps(sequence_length: int) -> int:
    """Return the number of characters that the network reads in a stream, at most."""
    return WARM_UP + SHOWN_BEFORE + sequence_length + SHOWN_AFTER


class SurprisalReader:
    """Measures with a run's models how surprising the text was that the run read.

    Parameters
    ----------
    files : LoadedFiles
        The next reader asks for the same text, and often for the same network.
    """

    def __init__(self, files: LoadedFiles) -> None:
        self._files = files

    def measure(self, command: MeasureSurprisal) -> Message:
        """Return the content of the reply to a command.

        Raises
        ------
        DamagedArchiveError, OSError
            The model cannot be read.
        """
        model, vocabulary = self._files.model(
            command.path, "latest", command.corpus_path, command.spec
        )
        corpus = self._files.corpus(command.corpus_path)
        start = command.position + 1
        end = start + command.sequence_length
        shown = max(0, start - SHOWN_BEFORE)
        first = max(0, shown - WARM_UP)
        last = min(end + SHOWN_AFTER, command.part_length)
        measured = streams_measured(
            model.architecture.size, command.sequence_length, len(command.parts)
        )
        parts = command.parts[:measured]
        texts = [corpus[part + first : part + last] for part in parts]
        # From the beginning of a part the state is zero, as in training. From anywhere else the
        # carried state of the model is used, which the warm-up brings close to what it was.
        indices = np.stack([vocabulary.encode(text) for text in texts])
        reset = command.position - first if command.from_zero else 0
        found = surprisal(model, indices[:, reset:], TOP, carried=first > 0 and not reset)
        if reset:
            # The text before is shown too, as a network reads it that comes from further back.
            found = _joined(
                surprisal(model, indices[:, : reset + 1], TOP, carried=first > 0), found
            )
        # The first character of a part is never predicted.
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


def _joined(before: Surprisal, after: Surprisal) -> Surprisal:
    """Return the surprisals of two texts, one of which ends where the other begins."""
    pairs = [
        (before.nats, after.nats),
        (before.top, after.top),
        (before.top_probabilities, after.top_probabilities),
    ]
    return Surprisal(*(np.concatenate(pair, axis=1) for pair in pairs))


Expected = list[list[tuple[str, float]]]


def _expected(found: Surprisal, stream: int, read: slice, vocabulary: Vocabulary) -> Expected:
    """Return the likeliest characters in the place of each that was read, with probabilities."""
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
    """Return a stream's text, before, in and after what was read, with surprisals in bits."""
    inside = bits[read]
    known = np.where(np.isfinite(inside), inside, -np.inf)
    order = [int(i) for i in np.argsort(-known, kind="stable") if known[i] > -np.inf]
    return {
        "before": text[shown : read.start],
        "text": text[read],
        "after": text[read.stop :],
        "surprisal_before": _rounded(bits[shown : read.start]),
        "surprisal": _rounded(inside),
        "surprisal_after": _rounded(bits[read.stop :]),
        "top": expected,
        "most_surprising": [
            {
                "index": index,
                "character": text[read.start + index],
                "word": word_at(text, read.start + index),
                "surprisal": round(float(inside[index]), 3),
                "expected": expected[index],
            }
            for index in order[:MOST_SURPRISING]
        ],
    }


def _rounded(bits: NDArray[np.float64]) -> list[float | None]:
    return [round(value, 3) if math.isfinite(value) else None for value in bits.tolist()]
