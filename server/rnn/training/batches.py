"""The text as batches: parallel streams, one sequence after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Order: TypeAlias = Literal["sequential", "shuffled"]
ORDERS: Mapping[Order, str] = {"sequential": "as written", "shuffled": "shuffled"}
"""The orders in which an epoch may read its sequences, and their labels."""


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
    over at its end and are not read. Each stream is cut into sequences of T characters. In
    sequential order, update 1 reads the first sequence of each stream, update 2 the next, and so
    on. When fewer than T + 1 characters of each stream are left, a new epoch starts. In shuffled
    order, each epoch reads the same sequences in an order of its own.

    Attributes
    ----------
    characters : int
        The length of the text, at least ``B (T + 1)``.
    streams, sequence_length : int
        B and T.
    order : {"sequential", "shuffled"}
        The order in which an epoch reads the sequences.
    """

    characters: int
    streams: int
    sequence_length: int
    order: Order = "sequential"

    @property
    def stream_length(self) -> int:
        """The number of characters in each stream."""
        return self.characters // self.streams

    @property
    def sequences(self) -> int:
        """The number of sequences of each stream in one epoch."""
        return (self.stream_length - 1) // self.sequence_length

    def sequence_order(self, epoch: int) -> NDArray[np.int32] | None:
        """Return the sequences of an epoch in the order in which it reads them.

        The order depends only on the number of sequences and the epoch. So runs with different
        seeds read the text in the same order, and the order of the updates before a fork is known
        whatever the fork's seed is.

        Parameters
        ----------
        epoch : int
            Counted from 1.

        Returns
        -------
        ndarray of shape (sequences,), int32, or None
            None in sequential order.
        """
        if self.order == "sequential":
            return None
        # NumPy promises the same numbers in every version for `RandomState` alone. Positions in a
        # stored history must not change when NumPy is upgraded.
        random = np.random.RandomState(epoch % 2**32)
        shuffled: NDArray[np.int32] = random.permutation(np.arange(self.sequences, dtype=np.int32))
        return shuffled

    def locate(self, update: int) -> tuple[int, int]:
        """Return the epoch of an update, counted from 1, and its position in each stream, from 0.

        In shuffled order this takes a time proportional to the number of sequences.
        """
        epochs, within = divmod(update - 1, self.sequences)
        order = self.sequence_order(epochs + 1)
        sequence = within if order is None else int(order[within])
        return epochs + 1, sequence * self.sequence_length

    def find_update(self, epoch: int, position: int) -> int:
        """Return the update of an epoch that reads a position in each stream.

        Beyond the last sequence, it is the update that reads the last one.
        """
        sequence = min(position // self.sequence_length, self.sequences - 1)
        order = self.sequence_order(epoch)
        within = sequence if order is None else int(np.flatnonzero(order == sequence)[0])
        return (epoch - 1) * self.sequences + within + 1

    def starts_from_zero(self, update: int) -> bool:
        """Whether the state before an update is zero: it begins an epoch, or the text jumps."""
        epochs, within = divmod(update - 1, self.sequences)
        order = self.sequence_order(epochs + 1)
        jumps = order is not None and order[within] != order[within - 1] + 1
        return within == 0 or bool(jumps)

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
    order : {"sequential", "shuffled"}
        The order of the sequences in an epoch.

    Raises
    ------
    TextTooShortError
        If n is less than ``B (T + 1)``.

    Attributes
    ----------
    position : int
        The position in each stream of the next character; for the first stream it is also the
        position in the text. In sequential order it may be set to any position with ``T + 1``
        characters left.
    jumped : bool
        Whether the text before `position` is not what was read last, in the same epoch.
    """

    def __init__(
        self,
        text: NDArray[np.integer],
        streams: int,
        sequence_length: int,
        order: Order = "sequential",
    ) -> None:
        T, needed = sequence_length, streams * (sequence_length + 1)
        if len(text) < needed:
            raise TextTooShortError(_too_short(len(text), streams, T), needed)
        self._layout = BatchLayout(len(text), streams, T, order)
        self.stream_length = self._layout.stream_length
        self._streams = text[: streams * self.stream_length].reshape(streams, self.stream_length)
        self._sequence_length = T
        self.begin_epoch(1)

    def begin_epoch(self, epoch: int) -> None:
        """Go to the first sequence of an epoch, counted from 1."""
        self._order = self._layout.sequence_order(epoch)
        self._place = 0
        self.position = 0 if self._order is None else self._position_at(self._order, 0)
        self.jumped = False

    def seek(self, epoch: int, position: int) -> None:
        """Go to a position of an epoch, at which a sequence must start (see `has_sequence_at`)."""
        self.begin_epoch(epoch)
        self.position = position
        if self._order is not None:
            sequence = position // self._sequence_length
            self._place = int(np.flatnonzero(self._order == sequence)[0])

    def has_sequence_at(self, position: int) -> bool:
        """Whether a sequence may start at a position; in sequential order it may at any."""
        if self._order is None:
            return True
        sequence, within = divmod(position, self._sequence_length)
        return within == 0 and sequence < self.sequences

    def _position_at(self, order: NDArray[np.int32], place: int) -> int:
        return int(order[place]) * self._sequence_length

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

    @property
    def text_positions(self) -> list[int]:
        """The index in the text of the next character of each stream."""
        return self._layout.text_positions(self.position)

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
        """Advance by one sequence; return whether that starts a new epoch.

        In shuffled order, `begin_epoch` must then be called.
        """
        self.position += self._sequence_length
        if self._order is None:
            if starts_epoch := self.at_end:
                self.position = 0
            return starts_epoch
        self._place += 1
        if self._place == len(self._order):
            return True
        following, self.position = self.position, self._position_at(self._order, self._place)
        self.jumped = self.position != following
        return False


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
