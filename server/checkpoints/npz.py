"""`.npz` files of arrays and a description: written atomically, read without pickle."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from server.checkpoints.npz_validation import validate_archive
from server.files.durable import sync_directory
from server.files.failpoints import failpoint

__all__ = [
    "DAMAGE",
    "META",
    "Arrays",
    "DamagedArchiveError",
    "Meta",
    "check_parts",
    "read_archive",
    "read_meta",
    "write_archive",
]

Arrays = dict[str, NDArray[Any]]
Meta = dict[str, Any]

META = "meta"
# The key in the description that lists each part with its checksum. The directory of a zip file has
# no checksum of its own, so a part that it lost would go unnoticed.
PARTS = "parts"
ENDING = ".npy"

# Everything that zipfile, zlib and NumPy raise for invalid bytes. MemoryError and OSError are not
# included: they say nothing about the file.
DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, SyntaxError),
    *(RuntimeError, struct.error, zlib.error, zipfile.BadZipFile),
)


class DamagedArchiveError(ValueError):
    """The file is unreadable or inconsistent."""


def write_archive(path: Path, arrays: Arrays, meta: Meta, *, durable: bool = True) -> int:
    """Write `arrays` and `meta` to `path`, atomically replacing an existing file.

    Parameters
    ----------
    path : pathlib.Path
        The file; its directory must exist.
    arrays : dict of str to ndarray
        Written under their names, uncompressed, because weights hardly compress.
    meta : dict
        Any JSON object; written as a 0-d string array named "meta", together with "parts", the
        names of the arrays and their checksums.
    durable : bool
        Whether the file must survive a power failure once this returns.

    Returns
    -------
    int
        Size of the file, in bytes.

    Notes
    -----
    A reader sees the old file or the new one, never a part of it: the bytes go to a temporary file
    in the same directory, which is renamed once they are on the disk. Then the directory is
    synchronised, because it contains the name.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            _write(file, arrays, meta)
            size = file.tell()
            if durable:
                file.flush()
                failpoint("archive.written")
                os.fsync(file.fileno())
                failpoint("archive.synced")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        failpoint("archive.renamed")
        sync_directory(path.parent)
        failpoint("archive.directory_synced")
    return size


def _write(file: IO[bytes], arrays: Arrays, meta: Meta) -> None:
    """Write as `numpy.savez` would, with the checksums in the description."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            _write_part(archive, name, array)
        described = json.dumps(meta | {PARTS: _checksums(archive)}, ensure_ascii=False)
        _write_part(archive, META, np.array(described))


def _write_part(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    # The size is not known when the header is written.
    with archive.open(f"{name}{ENDING}", "w", force_zip64=True) as part:
        np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)


def _checksums(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the CRC-32 of each part except the description, by name."""
    sums = {part.filename.removesuffix(ENDING): part.CRC for part in archive.infolist()}
    sums.pop(META, None)
    return sums


def read_archive(path: Path) -> tuple[Arrays, Meta]:
    """Read back what `write_archive` wrote; the checksum of every part is verified.

    Raises
    ------
    DamagedArchiveError
        The file is truncated, was changed, or is not such an archive.
    OSError, MemoryError
        The file does not exist or cannot be read now, which says nothing about its contents.
    """
    with _open(path) as archive:
        meta = _read_meta(archive)
        return {name: _read_part(archive, name) for name in _checksums(archive)}, meta


def read_meta(path: Path) -> Meta:
    """Read only the description, and check that the parts it lists exist.

    Raises
    ------
    DamagedArchiveError, OSError, MemoryError
        As for `read_archive`, for the description only.
    """
    with _open(path) as archive:
        return _read_meta(archive)


def check_parts(path: Path) -> None:
    """Check that all parts exist and have their checksums, with a megabyte of them in memory.

    Raises
    ------
    DamagedArchiveError, OSError, MemoryError
        As for `read_archive`.
    """
    with _open(path) as archive:
        _read_meta(archive)
        if (part := archive.testzip()) is not None:
            raise ValueError(f"{part} does not have its checksum")


def _read_meta(archive: zipfile.ZipFile) -> Meta:
    meta = json.loads(str(_read_part(archive, META)))
    if not isinstance(meta, dict):
        raise TypeError("its description is not an object")
    # An early version did not list the parts.
    if meta.pop(PARTS, found := _checksums(archive)) != found:
        raise ValueError("its parts are not those that were written")
    return meta


def _read_part(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}{ENDING}") as part:
        array: NDArray[Any] = np.lib.format.read_array(part, allow_pickle=False)
        return array


@contextlib.contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    with path.open("rb") as file:
        try:
            validate_archive(file)
            with zipfile.ZipFile(file) as archive:
                yield archive
        except DAMAGE as error:
            raise DamagedArchiveError(f"{path.name} is damaged: {error}") from error
        except OSError as error:
            # EINVAL: the zip directory names an offset before the start of the file.
            if error.errno != errno.EINVAL:
                raise
            raise DamagedArchiveError(f"{path.name} is damaged: {error}") from error
