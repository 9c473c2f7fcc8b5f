"""The walk through a text: parallel streams, sequence by sequence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class TextTooShortError(ValueError):
    """The text has no room for one sequence of each stream and the character after it.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters with which it would do.
    """

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """How a text is divided into batches: positions and counts, by arithmetic alone.

    Attributes
    ----------
    characters : int
        Length of the text.
    streams, sequence_length : int
        B and T. The text must have room for a sequence of each stream and the character after it.
    """

    characters: int
    streams: int
    sequence_length: int

    @property
    def part_length(self) -> int:
        """The number of characters that each stream reads in a pass."""
        return self.characters // self.streams

    @property
    def sequences(self) -> int:
        """The number of sequences in one pass."""
        return (self.part_length - 1) // self.sequence_length

    def place(self, update: int) -> tuple[int, int]:
        """Return the pass, from 1, and the place in each part at which an update, from 1, reads."""
        passes, within = divmod(update - 1, self.sequences)
        return passes + 1, within * self.sequence_length

    def starts(self, position: int) -> list[int]:
        """Return where in the text each stream is that stands at a place of its part."""
        return [stream * self.part_length + position for stream in range(self.streams)]


class BatchIterator:
    """Walks B streams through a text, T characters at a time.

    The text is cut into B contiguous parts of equal length (what is left over at its end, fewer
    than B characters, is not read), and each stream reads one of them. When fewer than T + 1
    characters of a part are left, all begin their parts anew.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
        It is kept, not copied.
    streams, sequence_length : int
        B and T, at least 1.

    Raises
    ------
    TextTooShortError
        If n is less than ``B (T + 1)``.

    Attributes
    ----------
    position : int
        The place, in each part, of the next character to be read; in the text, that of the first
        stream. It may be set to any place with ``T + 1`` characters left.
    part_length : int
        The number of characters of a part.
    """

    def __init__(self, text: NDArray[np.integer], streams: int, sequence_length: int) -> None:
        T, needed = sequence_length, streams * (sequence_length + 1)
        if len(text) < needed:
            raise TextTooShortError(_too_short(len(text), streams, T), needed)
        self._route = BatchLayout(len(text), streams, T)
        self.part_length = self._route.part_length
        self._parts = text[: streams * self.part_length].reshape(streams, self.part_length)
        self._sequence_length = T
        self.position = 0

    @property
    def sequences(self) -> int:
        """The number of sequences in one pass."""
        return self._route.sequences

    @property
    def at_end(self) -> bool:
        """Whether no sequence is left in this pass."""
        return self.part_length - self.position < self._sequence_length + 1

    @property
    def next_index(self) -> int:
        """The next character that the first stream reads."""
        return int(self._parts[0, self.position])

    def read(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the next sequence of each stream, without going on.

        Returns
        -------
        x, y : ndarray of intp, shape (T, B)
            The characters, and those that follow.
        """
        end = self.position + self._sequence_length + 1
        text = np.ascontiguousarray(self._parts[:, self.position : end].T, dtype=np.intp)
        return text[:-1], text[1:]

    def advance(self) -> bool:
        """Go on by a sequence; return whether that begins a new pass."""
        self.position += self._sequence_length
        if begins := self.at_end:
            self.position = 0
        return begins


def _too_short(length: int, streams: int, T: int) -> str:
    if streams == 1:
        needs = f"A sequence of {T:,} characters needs a text of at least {T + 1:,} to learn from"
    else:
        needs = (
            f"A batch of {streams:,} streams that read sequences of {T:,} characters needs a text "
            f"of at least {streams * (T + 1):,} to learn from"
        )
    if length > T:
        would_do = f"; a batch_size of at most {length // (T + 1):,} would do"
    elif length >= 2 * streams:
        would_do = f"; a sequence_length of at most {length // streams - 1:,} would do"
    else:
        would_do = ""
    return f"{needs}; this one has {length:,}{would_do}."
