"""Files that an agent sends: checked, and durable before they are acknowledged."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import IO

from server.cluster.frames import FrameError
from server.files.durable import sync_directory
from server.files.failpoints import failpoint

__all__ = ["ReceivedFile"]

WRITE_BYTES = 2**20


class ReceivedFile:
    """A file that is being received in pieces.

    Parameters
    ----------
    target : pathlib.Path
        The file to write; it appears complete or not at all.
    size : int
        Its size in bytes.
    sha256 : str
        Its SHA-256 in hexadecimal.
    """

    def __init__(self, target: Path, size: int, sha256: str) -> None:
        self._target = target
        self._size = size
        self._sha256 = sha256
        # The process id, so that what is left of a server that was killed is found.
        self._temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._received = 0
        self._error: OSError | None = None

    @property
    def complete(self) -> bool:
        """Whether all pieces are here."""
        return self._received >= self._size

    @property
    def must_write(self) -> bool:
        """Whether `write` should be called before the next piece."""
        return len(self._buffer) >= WRITE_BYTES

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises
        ------
        FrameError
            The file becomes larger than was said.
        """
        self._received += len(piece)
        if self._received > self._size:
            raise FrameError("a file is larger than was said")
        self._buffer += piece

    def write(self) -> None:
        """Write the pieces so far; an error is kept for `finish`."""
        piece, self._buffer = bytes(self._buffer), bytearray()
        self._hash.update(piece)
        if self._error is None:
            try:
                if self._file is None:
                    self._file = self._temporary.open("wb")
                self._file.write(piece)
            except OSError as error:
                self._error = error

    def finish(self) -> None:
        """Make the file durable under its name, once it is complete.

        Raises
        ------
        OSError
            It cannot be written, or its bytes are not those that were sent.
        """
        self.write()
        try:
            if self._error is not None:
                raise self._error
            if self._file is None or self._hash.hexdigest() != self._sha256:
                raise OSError("The file was damaged on its way.")
            failpoint("cluster.file")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.replace(self._target)
            sync_directory(self._target.parent)
            failpoint("cluster.file_stored")
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the file, and remove what is not complete."""
        if self._file is not None:
            # On a full disk it fails again to write what is in its buffer.
            with contextlib.suppress(OSError):
                self._file.close()
        self._temporary.unlink(missing_ok=True)
