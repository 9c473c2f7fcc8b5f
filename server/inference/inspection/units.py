"""The features of the text that the units of a network follow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz import DamagedArchiveError
from server.concurrency.json_lines import Message
from server.corpora.text_features.features import Stretch, text_features
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import FindUnits, ReadUnitHistory
from server.rnn.architecture import Architecture
from server.rnn.inspection.correlation import (
    correlate,
    correlations,
    find_followed,
    standardise,
    untrained_scale,
)
from server.rnn.inspection.series import cut_parts, read_parts, read_series
from server.rnn.inspection.untrained import untrained_model
from server.rnn.model import Model
from server.rnn.training.settings import TrainerSettings
from server.rnn.vocabulary import Vocabulary

__all__ = ["UnitReader", "stretch_length"]

STRETCH_CHARACTERS = 50_000
"""The length of each of the two stretches."""

HISTORY_STEP = 4
"""Every snapshot of a run reads one of so many parts of the second stretch."""

MIN_STRETCH_CHARACTERS = 2_000
MAX_MULTIPLY_ADDS, MAX_STATES = 10**10, 10**7
"""A large network reads less: at most so much work, and so many hidden states in memory, but at
least `MIN_STRETCH_CHARACTERS` if the text has them."""

WARM_UP = 200
"""Characters read before each part of a stretch. The state then depends little on earlier ones,
except in networks that have several stable courses, such as an oscillation in one of its phases."""

CONTEXT = 1_000
"""Characters around a stretch: a quotation or a sentence may have begun before it."""

UNTRAINED_UNITS = 400
"""Units of untrained networks that those of a network are compared with, in each layer."""

UNTRAINED_SEED = 1_000_000
"""The seed of the first untrained network, which no run is likely to have."""

SCALES_CACHED, HISTORY_BYTES = 8, 64_000_000

Floats = NDArray[np.float32]


def stretch_length(parameters: int, units: int, characters: int) -> int:
    """Return the length of each of the two stretches that a network reads.

    Parameters
    ----------
    parameters, units : int
        Of the network.
    characters : int
        The length of the text.
    """
    affordable = min(MAX_MULTIPLY_ADDS // parameters, MAX_STATES // units)
    length = min(STRETCH_CHARACTERS, max(MIN_STRETCH_CHARACTERS, affordable), characters // 2)
    # A round number of characters has a fast Fourier transform.
    return length // 1_000 * 1_000 if length > 1_000 else length


@dataclass(frozen=True, slots=True)
class _Texts:
    """The two stretches of a text that the networks of a run read, and their features.

    Attributes
    ----------
    sizes : Architecture
        Of the networks.
    indices : list of ndarray of int, shape (warm_up + n,)
        Each stretch, with the characters before it.
    warm_up : list of int
        How many characters come before each stretch.
    names : list of str
        The names of the features.
    features : list of ndarray of uint16, shape (features, n)
    history_parts : ndarray of int, shape (parts, warm_up + length)
        Some parts of the second stretch, each with the characters before it.
    history_features : ndarray of float32, shape (features, at most parts length)
        Those of these parts, standardised.
    """

    sizes: Architecture
    indices: list[NDArray[np.integer]]
    warm_up: list[int]
    names: list[str]
    features: list[NDArray[np.uint16]]
    history_parts: NDArray[np.integer]
    history_features: Floats


class UnitReader:
    """Finds what the units of networks follow, and keeps what it has computed.

    Parameters
    ----------
    files : LoadedFiles
        The models and the texts.
    """

    def __init__(self, files: LoadedFiles) -> None:
        self._files = files
        self._texts_key: object = None
        self._texts_value: _Texts | None = None
        self._scales: OrderedDict[object, NDArray[np.floating]] = OrderedDict()
        # float16 is exact to three digits, which is all that a curve shows.
        self._history: OrderedDict[object, NDArray[np.float16]] = OrderedDict()

    def find(self, command: FindUnits) -> Message:
        """Find the feature that each unit follows.

        Raises
        ------
        DamagedArchiveError, OSError
            The model cannot be read.
        """
        texts = self._texts(command)
        model, _ = self._files.model(
            command.path, command.which, command.corpus_path, command.spec, keep=False
        )
        first, second = (
            correlate(_standardised_series(model, indices, warm_up), features)
            for indices, warm_up, features in zip(
                texts.indices, texts.warm_up, texts.features, strict=True
            )
        )
        untrained = np.repeat(self._untrained(command, texts), model.hidden_size, axis=0)
        found = find_followed(first, second, untrained)
        return {
            "update": model.update,
            "characters": texts.features[0].shape[1],
            "features": len(texts.names),
            "units": [
                [texts.names[feature], round(r, 3), round(limit, 3)] if feature >= 0 else None
                for feature, r, limit in zip(
                    found.feature.tolist(), found.r.tolist(), found.limit.tolist(), strict=True
                )
            ],
        }

    def history(self, command: ReadUnitHistory) -> Message:
        """Return the correlation of a unit with a feature in each of several models of a run.

        Raises
        ------
        OSError
            A model cannot be read now. Those that no longer exist or are damaged are left out.
        """
        texts = self._texts(command)
        if command.feature not in texts.names:
            return {"known": False}
        column = texts.names.index(command.feature)
        row = command.layer * texts.sizes.hidden_size + command.unit
        updates, correlations = [], []
        for update, r in self._correlations(command, texts):
            updates.append(update)
            correlations.append(round(float(r[row, column]), 3))
        return {"known": True, "update": updates, "correlation": correlations}

    def _correlations(
        self, command: ReadUnitHistory, texts: _Texts
    ) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield the update of each model, and the correlations (units, features)."""
        parts, features, warm_up = texts.history_parts, texts.history_features, texts.warm_up[1]
        for update, path in command.snapshots:
            try:
                key = path, Path(path).stat().st_mtime_ns, len(texts.names)
                if key not in self._history:
                    model, _ = self._files.model(
                        path, "latest", command.corpus_path, command.spec, keep=False
                    )
                    series = read_parts(model, parts, warm_up)[:, : features.shape[1]]
                    r = standardise(series) @ features.T
                    self._history[key] = r.astype(np.float16)
            except (DamagedArchiveError, FileNotFoundError):
                continue
            self._history.move_to_end(key)
            yield update, self._history[key]
        while sum(r.nbytes for r in self._history.values()) > HISTORY_BYTES:
            self._history.popitem(last=False)

    def _texts(self, command: FindUnits | ReadUnitHistory) -> _Texts:
        """Return the stretches of a run's text. Only those used last are kept: they are large."""
        spec = command.spec
        names = ("cell", "hidden_size", "layers")
        key = command.corpus_path, command.characters_to_learn, *(spec[name] for name in names)
        if self._texts_value is None or key != self._texts_key:
            text = self._files.corpus(command.corpus_path)
            vocabulary = Vocabulary.from_text(text)
            sizes = Architecture(
                vocabulary_size=len(vocabulary), **{name: spec[name] for name in names}
            )
            self._texts_value = _read_texts(text, command.characters_to_learn, vocabulary, sizes)
            self._texts_key = key
        return self._texts_value

    def _untrained(self, command: FindUnits, texts: _Texts) -> NDArray[np.floating]:
        """Return the scales of untrained networks: one row a layer, one column a feature."""
        sizes, spec = texts.sizes, command.spec
        settings = TrainerSettings(
            cell=sizes.cell,
            layers=sizes.layers,
            hidden_size=sizes.hidden_size,
            init_scale=spec["init_scale"],
            dtype=spec["dtype"],
        )
        key = command.corpus_path, command.characters_to_learn, settings
        if key not in self._scales:
            found = []
            for number in range(-(-UNTRAINED_UNITS // sizes.hidden_size)):
                untrained = untrained_model(
                    sizes.vocabulary_size, replace(settings, seed=UNTRAINED_SEED + number)
                )
                r = correlations(
                    _standardised_series(untrained, texts.indices[0], texts.warm_up[0]),
                    texts.features[0],
                )
                found.append(r.reshape(sizes.layers, sizes.hidden_size, -1))
            self._scales[key] = np.stack(
                [untrained_scale(layer) for layer in np.concatenate(found, axis=1)]
            )
        self._scales.move_to_end(key)
        while len(self._scales) > SCALES_CACHED:
            self._scales.popitem(last=False)
        return self._scales[key]


def _standardised_series(model: Model, indices: NDArray[np.integer], warm_up: int) -> Floats:
    """Return what `read_series` returns, standardised."""
    series = read_series(model, indices, warm_up)
    return standardise(series, out=series)


def _read_texts(text: str, characters: int, vocabulary: Vocabulary, sizes: Architecture) -> _Texts:
    """Cut two stretches out of a text, in the middle of each half of its first `characters`."""
    half = characters // 2
    length = stretch_length(sizes.size, sizes.layers * sizes.hidden_size, characters)
    stretches, indices, warm_up = [], [], []
    for begin in (0, half):
        start = max(begin + (half - length) // 2, min(WARM_UP, length // 4))
        end = min(start + length, begin + half)
        first, before = max(0, start - CONTEXT), max(0, start - WARM_UP)
        stretches.append(Stretch(text[first : end + CONTEXT], start - first, end - first))
        indices.append(vocabulary.encode(text[before:end]))
        warm_up.append(start - before)
    found = text_features(stretches)
    parts = cut_parts(indices[1], warm_up[1])
    n, part = found.values[1].shape[1], parts.shape[1] - warm_up[1]
    # The parts beyond the end of the stretch are the last ones, and are cut off again.
    columns = np.arange(n)[np.arange(n) // part % HISTORY_STEP == 0]
    return _Texts(
        sizes,
        indices,
        warm_up,
        found.names,
        found.values,
        parts[::HISTORY_STEP],
        standardise(found.values[1][:, columns]),
    )
