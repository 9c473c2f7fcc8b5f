"""The text as batches: parallel streams, one sequence after the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class TextTooShortError(ValueError):
    """The text is too short for one sequence of each stream and the character after it.

    Parameters
    ----------
    message : str
        One clear sentence.
    needed : int
        The least number of characters that is enough.
    """

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """The division of a text into batches, as arithmetic: the text itself is not needed.

    The text is cut into B contiguous streams of equal length; fewer than B characters are left
    over at its end and are not read. Update 1 reads the first T characters of each stream, update
    2 the next T, and so on. When fewer than T + 1 characters of each stream are left, a new epoch
    starts.

    Attributes
    ----------
    characters : int
        The length of the text, at least ``B (T + 1)``.
    streams, sequence_length : int
        B and T.
    """

    characters: int
    streams: int
    sequence_length: int

    @property
    def stream_length(self) -> int:
        """The number of characters in each stream."""
        return self.characters // self.streams

    @property
    def sequences(self) -> int:
        """The number of sequences of each stream in one epoch."""
        return (self.stream_length - 1) // self.sequence_length

    def locate(self, update: int) -> tuple[int, int]:
        """Return the epoch and the position in each stream of an update, both counted from 1.

        The position is counted from 0.
        """
        epochs, within = divmod(update - 1, self.sequences)
        return epochs + 1, within * self.sequence_length

    def text_positions(self, position: int) -> list[int]:
        """Return the index in the text of a position in each stream."""
        return [stream * self.stream_length + position for stream in range(self.streams)]


class BatchIterator:
    """Reads B streams of a text, T characters at a time, as `BatchLayout` describes.

    Parameters
    ----------
    text : ndarray of int, shape (n,)
        It is not copied.
    streams, sequence_length : int
        B and T, at least 1.

    Raises
    ------
    TextTooShortError
        If n is less than ``B (T + 1)``.

    Attributes
    ----------
    position : int
        The position in each stream of the next character; for the first stream it is also the
        position in the text. It may be set to any position with ``T + 1`` characters left.
    """

    def __init__(self, text: NDArray[np.integer], streams: int, sequence_length: int) -> None:
        T, needed = sequence_length, streams * (sequence_length + 1)
        if len(text) < needed:
            raise TextTooShortError(_too_short(len(text), streams, T), needed)
        self._layout = BatchLayout(len(text), streams, T)
        self.stream_length = self._layout.stream_length
        self._streams = text[: streams * self.stream_length].reshape(streams, self.stream_length)
        self._sequence_length = T
        self.position = 0

    @property
    def sequences(self) -> int:
        """The number of sequences of each stream in one epoch."""
        return self._layout.sequences

    @property
    def at_end(self) -> bool:
        """Whether no sequence is left in this epoch."""
        return self.stream_length - self.position < self._sequence_length + 1

    @property
    def next_index(self) -> int:
        """The next character of the first stream."""
        return int(self._streams[0, self.position])

    def peek(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the next sequence of each stream, without advancing.

        Returns
        -------
        x, y : ndarray of intp, shape (T, B)
            The characters, and the character that follows each of them.
        """
        end = self.position + self._sequence_length + 1
        text = np.ascontiguousarray(self._streams[:, self.position : end].T, dtype=np.intp)
        return text[:-1], text[1:]

    def advance(self) -> bool:
        """Advance by one sequence; return whether that starts a new epoch."""
        self.position += self._sequence_length
        if starts_epoch := self.at_end:
            self.position = 0
        return starts_epoch


def _too_short(length: int, streams: int, T: int) -> str:
    if streams == 1:
        needs = f"A sequence of {T:,} characters needs a text of at least {T + 1:,} to learn from"
    else:
        needs = (
            f"A batch of {streams:,} streams that read sequences of {T:,} characters needs a text "
            f"of at least {streams * (T + 1):,} to learn from"
        )
    if length > T:
        suggestion = f"; a batch_size of at most {length // (T + 1):,} is possible"
    elif length >= 2 * streams:
        suggestion = f"; a sequence_length of at most {length // streams - 1:,} is possible"
    else:
        suggestion = ""
    return f"{needs}; this one has {length:,}{suggestion}."
