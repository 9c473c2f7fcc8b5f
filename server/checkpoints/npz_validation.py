"""Validation of an archive of arrays before it is read.

An archive may come from an untrusted source. zipfile and NumPy allocate as much memory as the
archive declares, so a small file could exhaust it: by compression, by a shape, or by parts that
overlap.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from functools import lru_cache
from typing import IO, Any

import numpy as np

__all__ = ["validate_archive"]

DType = np.dtype[Any]


# A checkpoint of four LSTM layers has about sixty.
MAX_ARRAYS = 1_000
# Booleans, integers, floats, and text for the description. No objects: they would be pickled.
KINDS = "biufU"
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# By version, how many bytes before a header have its length. NumPy reads no longer header.
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
MAX_HEADER_BYTES = 10_000
# The checkpoints of all runs together have few different headers, and a server that starts reads
# all of them: parsing them takes most of the time of reading a description.
MAX_CACHED_HEADERS = 512
ENCRYPTED = 0x1
# zipfile reads the whole directory of the archive, in about ten times its size of memory. An entry
# of it takes 46 bytes, a name, and what a large archive adds.
MAX_DIRECTORY_BYTES = 300 * MAX_ARRAYS
# The records at the end of an archive (APPNOTE 4.3.14 to 4.3.16): the signature, and the size of
# the directory, or in the locator the place of the large record. An archive of more than 2 GB has
# all three, in the order of the file; others have only the end.
LARGE_END = struct.Struct("<4s36xQ8x")
LOCATOR = struct.Struct("<4s4xQ4x")
END = struct.Struct("<4s8xI6x")


def validate_archive(file: IO[bytes]) -> None:
    """Check that reading all arrays takes no more memory than the size of the file.

    Parameters
    ----------
    file : binary file
        The archive; afterwards it is positioned at its start.

    Raises
    ------
    ValueError
        It would take more, or `write_archive` did not write it; the message says why.
    zipfile.BadZipFile
        It is not an archive.
    """
    size_bytes = file.seek(0, 2)
    if _directory_bytes(file, size_bytes) > MAX_DIRECTORY_BYTES:
        raise ValueError(f"it has too many parts: at most {MAX_ARRAYS:,} are allowed")
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_ARRAYS:
            raise ValueError(f"it has {len(parts):,} parts, and at most {MAX_ARRAYS:,} are allowed")
        if len({part.filename for part in parts}) < len(parts):
            raise ValueError("it has two parts with the same name")
        for part in parts:
            # Before the sizes, which a compressed file always fails.
            if part.compress_type != zipfile.ZIP_STORED or part.flag_bits & ENCRYPTED:
                raise ValueError("it is compressed, as numpy.savez_compressed does, or encrypted")
        if sum(part.file_size for part in parts) > size_bytes:
            raise ValueError("it declares more data than its size")
        for part in parts:
            _validate_part(archive, part)
    file.seek(0)


def _directory_bytes(file: IO[bytes], size_bytes: int) -> int:
    """Return the size of the archive's directory, as zipfile would read it."""
    end_place = size_bytes - END.size
    found = _record(file, END, b"PK\5\6", end_place)
    if found is None:
        # zipfile would accept a comment after the record; `write_archive` writes none.
        raise zipfile.BadZipFile("its end is missing")
    large_end_place = _record(file, LOCATOR, b"PK\6\7", end_place - LOCATOR.size)
    if large_end_place is None:
        return found
    large = _record(file, LARGE_END, b"PK\6\6", end_place - LOCATOR.size - LARGE_END.size)
    if large is None or large_end_place != end_place - LOCATOR.size - LARGE_END.size:
        raise zipfile.BadZipFile("its end is missing")
    return max(found, large)


def _record(file: IO[bytes], form: struct.Struct, signature: bytes, place: int) -> int | None:
    """Return the number in a record; None if there is no record of this kind."""
    if place < 0:
        return None
    file.seek(place)
    found, number = form.unpack(file.read(form.size))
    return int(number) if found == signature else None


@lru_cache(MAX_CACHED_HEADERS)
def _parse_header(version: tuple[int, int], header: bytes) -> tuple[tuple[int, ...], DType]:
    shape, _, dtype = HEADER_READERS[version](io.BytesIO(header))
    return shape, dtype


def _validate_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    name = part.filename[:60]
    if not part.filename.endswith(".npy"):
        raise ValueError(f"{name!r} is not an array")
    with archive.open(part) as file:
        version = np.lib.format.read_magic(file)
        if version not in LENGTH_BYTES:
            raise ValueError(f"{name!r} has an unknown version")
        length = file.read(LENGTH_BYTES[version])
        header = file.read(min(int.from_bytes(length, "little"), MAX_HEADER_BYTES + 1))
        shape, dtype = _parse_header(version, length + header)
        if dtype.hasobject or dtype.kind not in KINDS:
            raise ValueError(f"{name!r} has the type {dtype}; only numbers and text are allowed")
        array_bytes = part.file_size - file.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != array_bytes:
        raise ValueError(f"{name!r} does not have the size of its shape {shape}"[:200])
