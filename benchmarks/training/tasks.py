"""The tasks of the candidates, and their text."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells import DEFAULT_CELL
from server.rnn.vocabulary import Vocabulary

CORPUS = Path(__file__).parents[2] / "data" / "corpora" / "the-lamps-of-saltmere.txt"

LEARNING_RATE = 0.1
CLIP = 5.0

Indices = NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Updates of one network: float32, AdaGrad, gradients clipped by value.

    Attributes
    ----------
    cell : str
    hidden_size, sequence_length, batch_size : int
        m, T and B.
    """

    cell: str = DEFAULT_CELL
    hidden_size: int = 100
    sequence_length: int = 25
    batch_size: int = 1

    @property
    def characters(self) -> int:
        """The number of characters that an update reads."""
        return self.sequence_length * self.batch_size

    def __str__(self) -> str:
        m, T, B = self.hidden_size, self.sequence_length, self.batch_size
        return f"{self.cell}, m {m}, T {T}, B {B}"

    def sequences(self) -> Iterator[tuple[Indices, Indices]]:
        """Yield the inputs and targets of each update, of shape (T, B), without end.

        The text is cut into B equal streams, which start again when they end.
        """
        T, B = self.sequence_length, self.batch_size
        text = indices()
        length = (len(text) - 1) // B
        x = text[: length * B].reshape(B, length).T
        y = text[1 : length * B + 1].reshape(B, length).T
        while True:
            for start in range(0, length - T + 1, T):
                yield x[start : start + T], y[start : start + T]


@cache
def text() -> str:
    """Return the shipped text."""
    return CORPUS.read_text(encoding="utf-8")


@cache
def vocabulary() -> Vocabulary:
    """Return the text's vocabulary."""
    return Vocabulary.from_text(text())


@cache
def indices() -> Indices:
    """Return the text as indices."""
    return vocabulary().encode(text()).astype(np.int64)
