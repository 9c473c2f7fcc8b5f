"""Histories in chunks of 4,096 numbers, each with summaries of its blocks of 64 numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "CHUNK", "ChunkWriter", "Floats", "chunk_of"]

BLOCK = 64
CHUNK = 4_096

Floats = NDArray[np.float64]


class ChunkWriter(ABC):
    """Appends numbers to a history; buffers the last, incomplete chunk.

    Parameters
    ----------
    chunk : int
        The last chunk in the history; 0 if it is empty.
    stored : bytes
        The numbers of that chunk, float64.
    """

    def __init__(self, chunk: int, stored: bytes) -> None:
        self._buffer = np.empty(CHUNK)
        self._start(chunk, np.frombuffer(stored, dtype=np.float64))

    def _start(self, chunk: int, stored: Floats) -> None:
        self._chunk = chunk
        self._count = self._written = len(stored)
        self._buffer[: self._count] = stored

    @property
    def last(self) -> int:
        """The last number in the history, counted from 1; 0 when it is empty."""
        return self._chunk * CHUNK + self._count

    @property
    def changed(self) -> bool:
        """Whether numbers of the incomplete chunk are not written."""
        return self._count > self._written

    def append(self, first: int, numbers: Floats) -> bool:
        """Append the numbers from `first` on; those that are in the history are skipped.

        Returns
        -------
        bool
            Whether a chunk became complete, and was written to the open transaction.

        Raises
        ------
        ValueError
            There is a gap between the history and `first`.
        """
        if first > self.last + 1:
            raise ValueError(f"numbers from {first} on, but the history ends at {self.last}")
        numbers = numbers[self.last + 1 - first :]
        chunk = self._chunk
        while len(numbers):
            part = numbers[: CHUNK - self._count]
            self._buffer[self._count : self._count + len(part)] = part
            self._count += len(part)
            numbers = numbers[len(part) :]
            if self._count == CHUNK:
                self._write_chunk(self._chunk, self._buffer)
                self._start(self._chunk + 1, np.empty(0))
        return self._chunk > chunk

    def write(self) -> None:
        """Write the incomplete chunk to the open transaction."""
        if self.changed:
            self._write_chunk(self._chunk, self._buffer[: self._count])
            self._written = self._count

    @abstractmethod
    def _write_chunk(self, chunk: int, numbers: Floats) -> None:
        """Write a chunk, whose numbers are complete if there are `CHUNK`."""


def chunk_of(number: int) -> int:
    """Return the chunk of a number, which is counted from 1."""
    return (number - 1) // CHUNK
