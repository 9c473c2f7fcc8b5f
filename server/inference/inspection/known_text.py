"""A text as a network reads it: without the characters that its vocabulary lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.vocabulary import Vocabulary

__all__ = ["KnownText"]


@dataclass(frozen=True, slots=True)
class KnownText:
    """A text without the characters that a vocabulary lacks.

    Attributes
    ----------
    indices : ndarray of int, shape (known,)
        The known characters.
    places : ndarray of intp, shape (known,)
        Where each is in the text.
    rows : ndarray of intp, shape (n,)
        For each character of the text, the number of the last known one up to it; -1: none.
    unknown : list of int
        Where the other characters are in the text.
    """

    indices: NDArray[np.integer]
    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    unknown: list[int]

    @classmethod
    def of(cls, text: str, vocabulary: Vocabulary) -> KnownText:
        """Separate the known characters of a text from the others."""
        own = frozenset(vocabulary.characters)
        known = np.array([character in own for character in text], dtype=bool)
        places = np.flatnonzero(known)
        indices = vocabulary.encode("".join(text[place] for place in places.tolist()))
        return cls(indices, places, np.cumsum(known) - 1, np.flatnonzero(~known).tolist())
