"""The distinct characters of a text, and the conversion of text to indices and back."""

import sys
from typing import Self

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.integer]

# UTF-32 in the machine's own byte order is the string's code points as an array of uint32.
_UTF32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"

# Characters encoded at a time, to save memory: code points take twice the memory of indices.
_PART = 1 << 20


class UnknownCharacterError(ValueError):
    """A text contains characters that are not in the vocabulary.

    Parameters
    ----------
    characters : list of str
        The distinct unknown characters in order of appearance.
    """

    def __init__(self, characters: list[str]) -> None:
        shown = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:10])
        more = f" and {len(characters) - 10} more" if len(characters) > 10 else ""
        super().__init__(f"The network does not know the characters {shown}{more}.")
        self.characters = characters


class Vocabulary:
    """The K characters of a network: distinct Unicode code points in ascending order.

    Parameters
    ----------
    characters : str
        The K distinct characters, ascending by code point; ``characters[k]`` has index k.

    Raises
    ------
    ValueError
        If `characters` is empty, or not distinct and ascending.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_text("hurrah")
    >>> vocabulary.characters
    'ahru'
    >>> vocabulary.encode("hurrah").tolist()
    [1, 3, 2, 2, 0, 1]
    """

    __slots__ = ("_code_points", "_index_of", "_unknown", "characters")

    def __init__(self, characters: str) -> None:
        code_points = _code_points(characters)
        if not characters or bool(np.any(code_points[1:] <= code_points[:-1])):
            raise ValueError(
                "A vocabulary needs one or more distinct characters in ascending order."
            )
        self.characters = characters
        self._code_points = code_points
        dtype = np.uint16 if len(characters) < 1 << 16 else np.int32
        self._unknown = np.iinfo(dtype).max
        self._index_of = np.full(int(code_points[-1]) + 2, self._unknown, dtype=dtype)
        self._index_of[code_points] = np.arange(len(characters))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the vocabulary of the distinct characters of `text`.

        Parameters
        ----------
        text : str
            At least one character of any script.

        Returns
        -------
        Vocabulary

        Raises
        ------
        ValueError
            If `text` is empty.
        """
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r})"

    def encode(self, text: str) -> Indices:
        """Return the index of each character of `text`.

        Parameters
        ----------
        text : str
            Any length, also empty.

        Returns
        -------
        ndarray of shape (len(text),), uint16 or int32
            uint16 if K is at most 65,535: 20 million characters then take 40 MB.

        Raises
        ------
        UnknownCharacterError
            If `text` contains characters that are not in the vocabulary; the error names them.
        """
        indices = np.empty(len(text), dtype=self._index_of.dtype)
        for start in range(0, len(text), _PART):
            part = text[start : start + _PART]
            # "clip" maps code points beyond the table to its last entry, which is unknown.
            known = self._index_of.take(_code_points(part), mode="clip")
            indices[start : start + _PART] = known
            if np.any(known == self._unknown):
                raise UnknownCharacterError(self.split_known(text)[1])
        return indices

    def decode(self, indices: Indices) -> str:
        """Return the text of `indices`.

        Parameters
        ----------
        indices : array_like of int, shape (n,)
            Each in ``range(K)``.

        Returns
        -------
        str
            n characters.

        Raises
        ------
        IndexError
            If an index is outside ``range(K)``.
        """
        indices = np.asarray(indices, dtype=np.intp)
        if indices.size and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"A character's index must be from 0 to {len(self) - 1}.")
        return self._code_points[indices].tobytes().decode(_UTF32, "surrogatepass")

    def split_known(self, text: str) -> tuple[str, list[str]]:
        """Separate the characters of `text` that are in the vocabulary from those that are not.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        known : str
            `text` without its unknown characters.
        unknown : list of str
            The distinct unknown characters in order of appearance.
        """
        own = frozenset(self.characters)
        known = "".join(c for c in text if c in own)
        return known, list(dict.fromkeys(c for c in text if c not in own))


def _code_points(text: str) -> NDArray[np.uint32]:
    # "surrogatepass" encodes lone surrogates too.
    return np.frombuffer(text.encode(_UTF32, "surrogatepass"), dtype=np.uint32)
