"""The models and texts that the inference process has read last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.checkpoint_format import Which, load_model, new_trainer
from server.checkpoints.npz import DamagedArchiveError
from server.rnn.model import Model
from server.rnn.training.trainer import Trainer
from server.rnn.vocabulary import Vocabulary

__all__ = ["LoadedFiles", "new_model", "read_text"]

CORPORA_CACHED, MODELS_CACHED = 2, 4

V = TypeVar("V")


class LoadedFiles:
    """Loads models and texts, and keeps those used last in memory."""

    def __init__(self) -> None:
        self._corpora: OrderedDict[str, str] = OrderedDict()
        self._indices: OrderedDict[str, NDArray[np.integer]] = OrderedDict()
        self._models: OrderedDict[str, tuple[Model, Vocabulary]] = OrderedDict()

    def corpus(self, path: str) -> str:
        """Return a text.

        Raises
        ------
        OSError
            It cannot be read.
        """
        return _cached(self._corpora, path, CORPORA_CACHED, lambda: read_text(path))

    def indices(self, path: str, vocabulary: Vocabulary) -> NDArray[np.integer]:
        """Return the characters of a text as indices, which must not be changed.

        Raises
        ------
        OSError
            It cannot be read.
        server.rnn.vocabulary.UnknownCharacterError
            The vocabulary is that of another text.
        """
        # A text that is encoded is not needed as a string.
        key = f"{path} {vocabulary.characters}"
        return _cached(
            self._indices, key, CORPORA_CACHED, lambda: vocabulary.encode(read_text(path))
        )

    def model(
        self,
        path: str | None,
        which: Which,
        corpus_path: str,
        spec: dict[str, Any],
        *,
        keep: bool = True,
    ) -> tuple[Model, Vocabulary]:
        """Return a model and its vocabulary, which must not be changed.

        Parameters
        ----------
        path : str or None
            The file; None for the model of a run before its first update.
        which : str
            Which of the file's models.
        corpus_path : str
            The text of the run.
        spec : dict
            The run's spec.
        keep : bool, default True
            Whether to keep the model in memory; not worth it where many are read once.

        Raises
        ------
        DamagedArchiveError, OSError
            The model cannot be read.
        """
        if path is None:
            # The weights depend on the spec alone, the vocabulary on the text.
            key = f"{corpus_path} {sorted(spec.items())}"
            return _cached(
                self._models, key, MODELS_CACHED, lambda: new_model(corpus_path, spec), keep=keep
            )
        try:
            # A run that went back writes another file under the same name.
            key = f"{path} {which} {Path(path).stat().st_mtime_ns}"
            return _cached(
                self._models, key, MODELS_CACHED, lambda: load_model(Path(path), which), keep=keep
            )
        except FileNotFoundError as error:
            raise DamagedArchiveError("the model no longer exists") from error


def new_model(corpus_path: str, spec: dict[str, Any]) -> tuple[Model, Vocabulary]:
    """Return the model of a run before its first update, and its vocabulary."""
    text = read_text(corpus_path)
    vocabulary = Vocabulary.from_text(text)
    trainer: Trainer = new_trainer(vocabulary.encode(text), vocabulary, spec)
    return trainer.current_model(), vocabulary


def read_text(path: str) -> str:
    """Return the content of a file in UTF-8 as it is."""
    return Path(path).read_bytes().decode()


def _cached(
    cache: OrderedDict[str, V], key: str, size: int, load: Callable[[], V], *, keep: bool = True
) -> V:
    """Return the value of a key, loading it if needed; the least recently used value goes."""
    if key not in cache:
        value = load()
        if not keep:
            return value
        cache[key] = value
    cache.move_to_end(key)
    while len(cache) > size:
        cache.popitem(last=False)
    return cache[key]
