"""The bytes of a zip file around its parts (PKWARE's APPNOTE 6.3.9), in the one way used here.

Every part is stored without compression, with sizes of 64 bits. So the whole layout follows from
the names, sizes and checksums of the parts: an archive can be sent before it is complete on any
disk, and a reader compares instead of parsing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Part", "directory", "local_header", "offsets", "total_bytes"]

# 4.3.7, 4.3.12, 4.3.14, 4.3.15, 4.3.16
LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
LARGE_END = struct.Struct("<4sQ2H2I4Q")
LOCATOR = struct.Struct("<4sIQI")
END = struct.Struct("<4s4H2IH")
# 4.5.3: the sizes of a part, and in the directory its offset too.
LOCAL_EXTRA = struct.Struct("<2H2Q")
CENTRAL_EXTRA = struct.Struct("<2H3Q")

ZIP64 = 1
VERSION_NEEDED = 45
MADE_BY_UNIX = 3 << 8 | VERSION_NEEDED
STORED, NO_FLAGS = 0, 0
# Midnight of 1 January 1980: the files in an archive of the same run are the same bytes.
TIME, DATE = 0, 1 << 5 | 1
PRIVATE_FILE = 0o100600 << 16
IN_EXTRA_32, IN_EXTRA_16 = 0xFFFF_FFFF, 0xFFFF


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an archive; `crc` is the CRC-32 of its bytes."""

    name: str
    bytes: int
    crc: int


def local_header(part: Part) -> bytes:
    """Return the bytes before a part."""
    name = part.name.encode("ascii")
    fields = LOCAL.pack(
        *(b"PK\3\4", VERSION_NEEDED, NO_FLAGS, STORED, TIME, DATE, part.crc),
        *(IN_EXTRA_32, IN_EXTRA_32, len(name), LOCAL_EXTRA.size),
    )
    sizes = LOCAL_EXTRA.pack(ZIP64, LOCAL_EXTRA.size - 4, part.bytes, part.bytes)
    return fields + name + sizes


def offsets(sizes: Iterable[tuple[str, int]]) -> Iterator[tuple[int, int]]:
    """Yield where each part's header and its bytes begin.

    Parameters
    ----------
    sizes : iterable of (str, int)
        Name and size in bytes of each part.
    """
    at = 0
    for name, size_bytes in sizes:
        start = at + LOCAL.size + len(name) + LOCAL_EXTRA.size
        yield at, start
        at = start + size_bytes


def directory(parts: list[Part]) -> bytes:
    """Return the bytes after the last part."""
    entries = []
    end = 0
    for part, (header, start) in zip(
        parts, offsets((part.name, part.bytes) for part in parts), strict=True
    ):
        end = start + part.bytes
        name = part.name.encode("ascii")
        fields = CENTRAL.pack(
            *(b"PK\1\2", MADE_BY_UNIX, VERSION_NEEDED, NO_FLAGS, STORED, TIME, DATE, part.crc),
            *(IN_EXTRA_32, IN_EXTRA_32, len(name), CENTRAL_EXTRA.size, 0, 0, 0),
            *(PRIVATE_FILE, IN_EXTRA_32),
        )
        extra = CENTRAL_EXTRA.pack(ZIP64, CENTRAL_EXTRA.size - 4, part.bytes, part.bytes, header)
        entries.append(fields + name + extra)
    listed = b"".join(entries)
    size, count = len(listed), len(parts)
    large_end = LARGE_END.pack(
        *(b"PK\6\6", LARGE_END.size - 12, MADE_BY_UNIX, VERSION_NEEDED, 0, 0),
        *(count, count, size, end),
    )
    locator = LOCATOR.pack(b"PK\6\7", 0, end + size, 1)
    last = END.pack(
        *(b"PK\5\6", 0, 0, IN_EXTRA_16, IN_EXTRA_16, IN_EXTRA_32, IN_EXTRA_32, 0),
    )
    return listed + large_end + locator + last


def total_bytes(sizes: Iterable[tuple[str, int]]) -> int:
    """Return the size of an archive with parts of these names and sizes."""
    listed = list(sizes)
    central = sum(CENTRAL.size + len(name) + CENTRAL_EXTRA.size for name, _ in listed)
    before = sum(LOCAL.size + len(name) + LOCAL_EXTRA.size + size for name, size in listed)
    return before + central + LARGE_END.size + LOCATOR.size + END.size
