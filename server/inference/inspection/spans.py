"""Where in a run's text the same units are active as in a stretch of another text."""

from __future__ import annotations

import numpy as np

from server.concurrency.json_lines import Message
from server.inference.inspection.known_text import KnownText
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import FindSpans
from server.rnn.inspection.activations import read_activations
from server.rnn.inspection.series import read_series
from server.rnn.inspection.spans import Span, active_throughout, find_spans

__all__ = ["find_unit_spans", "searched_characters"]

MAX_CHARACTERS, MIN_CHARACTERS = 100_000, 4_000
MAX_MULTIPLY_ADDS = 6 * 10**9
"""A network reads at most so much of the text, and less if it is large: about a second's work."""

WARM_UP = 200
"""Characters read before each part of the text; see `WARM_UP` in `units`."""

MAX_SPANS = 30
CONTEXT, MAX_SHOWN = 60, 240
"""Characters shown before and after a span, and of the span itself at most."""


def searched_characters(parameters: int, characters: int) -> int:
    """Return how many characters of a text a network reads to find spans.

    Parameters
    ----------
    parameters : int
        Of the network.
    characters : int
        The length of the text, at least 2.
    """
    affordable = max(MIN_CHARACTERS, MAX_MULTIPLY_ADDS // parameters)
    return min(MAX_CHARACTERS, affordable, characters - _warm_up(characters))


def _warm_up(characters: int) -> int:
    return min(WARM_UP, characters // 4)


@np.errstate(all="ignore")
def find_unit_spans(files: LoadedFiles, command: FindSpans) -> Message:
    """Carry out a command.

    Raises
    ------
    DamagedArchiveError, OSError
        The model cannot be read.
    """
    model, vocabulary = files.model(command.path, command.which, command.corpus_path, command.spec)
    known = KnownText.of(command.text, vocabulary)
    start, end = np.searchsorted(known.places, [command.start, command.end]).tolist()
    if start == end:
        return {"known": False}
    h = read_activations(model, known.indices[None], logits=False).hidden[command.layer, 0]
    signs = active_throughout(h, start, end, command.threshold, edges=command.edges)
    units = np.flatnonzero(signs)
    if command.unit is not None:
        units = units[units == command.unit]
    corpus = files.corpus(command.corpus_path)
    n, warm_up = searched_characters(model.architecture.size, len(corpus)), _warm_up(len(corpus))
    # In the middle of the text: its beginning is often a title and a list of contents.
    first = max(warm_up, (len(corpus) - n) // 2)
    spans: list[Span] = []
    if len(units):
        indices = vocabulary.encode(corpus[first - warm_up : first + n])
        rows = command.layer * model.hidden_size + units
        read = read_series(model, indices, warm_up)[rows].T
        # At least half of the units, so that a span still has something in common.
        least = (len(units) + 1) // 2
        spans = find_spans(signs[units] * read > command.threshold, MAX_SPANS, least)
    means = h[start:end, units].mean(axis=0)
    return {
        "known": True,
        "update": model.update,
        "units": [
            {"unit": unit, "sign": sign, "activation": round(mean, 3)}
            for unit, sign, mean in zip(
                units.tolist(), signs[units].tolist(), means.tolist(), strict=True
            )
        ],
        "searched": {"from": first, "to": first + n},
        "spans": [
            _described(corpus, first + span.start, first + span.end)
            | {"units": units[list(span.units)].tolist()}
            for span in spans
        ],
    }


def _described(corpus: str, start: int, end: int) -> Message:
    """Return a span of a text, with the text around it."""
    return {
        "from": start,
        "to": end,
        "before": corpus[max(0, start - CONTEXT) : start],
        "text": corpus[start : min(end, start + MAX_SHOWN)],
        "after": corpus[end : end + CONTEXT],
    }
