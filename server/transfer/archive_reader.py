"""Reading an archive that anyone may have made: nothing in it is believed before it is checked."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from math import isfinite
from typing import IO, Any

from pydantic import ValidationError

from server.store.migrations import VERSION as DATABASE_VERSION
from server.transfer.archive_format import (
    CHECKPOINTS,
    FORMAT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MODELS,
    REQUIRED,
    SNAPSHOTS,
    VERSION,
    ArchiveError,
    Manifest,
    MemberEntry,
    is_member_name,
)
from server.transfer.zip_layout import LOCAL, Part, directory, local_header, offsets, total_bytes

__all__ = ["Archive", "parse_json"]

NOT_A_RUN = "The file is not an exported run."
CHANGED = "The file is damaged, or was packed again by another program: {}."
PIECE_BYTES = 2**20
# The longest row is a saved passage of ten texts.
MAX_ROW_BYTES = 4_000_000
MAX_DOCUMENT_BYTES = 1_000_000


class Archive:
    """An archive whose layout, names and sizes have been checked.

    Parameters
    ----------
    file : binary file
        The archive; it must be seekable.
    max_bytes : int
        Its maximum size.

    Raises
    ------
    ArchiveError
        It is not an archive of a run, it is damaged, or a newer version made it.
    """

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        self._file = file
        self._size_bytes = file.seek(0, 2)
        if self._size_bytes > max_bytes:
            raise ArchiveError(
                f"The file has {self._size_bytes:,} bytes; the limit is {max_bytes:,}"
                " (HURRAH_MAX_IMPORT_BYTES)."
            )
        first, manifest = self._read_manifest()
        self.manifest = manifest
        self._entries = {entry.name: entry for entry in manifest.members}
        self._check_names()
        self._starts = self._check_layout(first)
        self._check_counts()

    @property
    def names(self) -> list[str]:
        """The names of all parts but the manifest, in their order."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def size_bytes(self, name: str) -> int:
        """Return the size of a part."""
        return self._entries[name].bytes

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a part, in hexadecimal digits."""
        return self._entries[name].sha256

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a part, at most a megabyte at a time."""
        start, left = self._starts[name], self._entries[name].bytes
        while left:
            self._file.seek(start)
            piece = self._file.read(min(left, PIECE_BYTES))
            if not piece:
                raise ArchiveError(CHANGED.format("it ends too early"))
            start, left = start + len(piece), left - len(piece)
            yield piece

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        """Return bytes of a part from an offset on; the range must be in the part."""
        self._file.seek(self._starts[name] + offset)
        return self._file.read(size)

    def document(self, name: str) -> str:
        """Return the text of a small part.

        Raises
        ------
        ArchiveError
            It is too large, or is not UTF-8.
        """
        if self._entries[name].bytes > MAX_DOCUMENT_BYTES:
            raise ArchiveError(f"The file's {name} is too large.")
        return _decoded(b"".join(self.pieces(name)), name)

    def rows(self, name: str) -> Iterator[str]:
        """Yield the lines of a part with a JSON value a line.

        Raises
        ------
        ArchiveError
            A line is too long, or is not UTF-8.
        """
        rest = b""
        for piece in self.pieces(name):
            *lines, rest = (rest + piece).split(b"\n")
            if max(len(rest), *map(len, lines), 0) > MAX_ROW_BYTES:
                raise ArchiveError(f"The file's {name} has a line that is too long.")
            for line in lines:
                yield _decoded(line, name)
        if rest:
            raise ArchiveError(f"The file's {name} ends within a line.")

    def verify(self, before_piece: Callable[[], None] = lambda: None) -> None:
        """Read everything and compare it with the checksums.

        Parameters
        ----------
        before_piece : callable
            Called again and again; it may raise to end this.

        Raises
        ------
        ArchiveError
            A part is not as it was written.
        """
        for part in self._parts[1:]:
            digest, crc = hashlib.sha256(), 0
            for piece in self.pieces(part.name):
                before_piece()
                digest.update(piece)
                crc = zlib.crc32(piece, crc)
            if crc != part.crc or digest.hexdigest() != self._entries[part.name].sha256:
                raise ArchiveError(CHANGED.format(f"{part.name} does not have its checksum"))

    def _read_manifest(self) -> tuple[Part, Manifest]:
        """Return the first part and its contents.

        A later format may differ in everything but the place and these two fields of the manifest.
        """
        ((_, start),) = offsets([(MANIFEST, 0)])
        self._file.seek(0)
        header = self._file.read(start)
        if len(header) < start:
            raise ArchiveError(NOT_A_RUN)
        size = int.from_bytes(header[-8:], "little")
        part = Part(MANIFEST, size, _crc_in(header))
        if size > MAX_MANIFEST_BYTES or header != local_header(part):
            raise ArchiveError(NOT_A_RUN)
        content = self._file.read(size)
        if zlib.crc32(content) != part.crc:
            raise ArchiveError(CHANGED.format(f"{MANIFEST} does not have its checksum"))
        fields = parse_json(_decoded(content, MANIFEST), MANIFEST)
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise ArchiveError(NOT_A_RUN)
        version, database = fields.get("version"), fields.get("database")
        newer_format = isinstance(version, int) and version > VERSION
        newer_rows = isinstance(database, int) and database > DATABASE_VERSION
        if newer_format or newer_rows:
            raise ArchiveError(
                "The file was exported by a newer version of Hurrah: import it with that version."
            )
        try:
            return part, Manifest.model_validate(fields)
        except ValidationError as error:
            raise ArchiveError(f"The file's {MANIFEST} is not valid: {_first(error)}.") from error

    def _check_names(self) -> None:
        if len(self._entries) < len(self.manifest.members):
            raise ArchiveError(CHANGED.format("two parts have the same name"))
        for name in self._entries:
            if not is_member_name(name):
                raise ArchiveError(CHANGED.format(f"{name!r} is not the name of a part"))
        if missing := REQUIRED - self._entries.keys():
            raise ArchiveError(CHANGED.format(f"{min(missing)} is missing"))

    def _check_layout(self, first: Part) -> dict[str, int]:
        """Return where each part begins, if the file has exactly the bytes of such an archive."""
        members = self.manifest.members
        sizes = [(MANIFEST, first.bytes), *((entry.name, entry.bytes) for entry in members)]
        if total_bytes(sizes) != self._size_bytes:
            raise ArchiveError(CHANGED.format("it does not have the size that it names"))
        self._parts, starts = [first], {}
        where = list(offsets(sizes))[1:]
        for entry, (header_at, start) in zip(members, where, strict=True):
            self._file.seek(header_at)
            self._parts.append(self._part(entry, self._file.read(start - header_at)))
            starts[entry.name] = start
        end = where[-1][1] + members[-1].bytes
        self._file.seek(end)
        if self._file.read() != directory(self._parts):
            raise ArchiveError(CHANGED.format("its directory does not list its parts"))
        return starts

    def _part(self, entry: MemberEntry, header: bytes) -> Part:
        part = Part(entry.name, entry.bytes, _crc_in(header))
        if header != local_header(part):
            raise ArchiveError(CHANGED.format(f"{entry.name} is not where it should be"))
        return part

    def _check_counts(self) -> None:
        counts = self.manifest.counts
        for folder, count in (
            (CHECKPOINTS, counts.checkpoints),
            (SNAPSHOTS, counts.snapshots),
            (MODELS, counts.models),
        ):
            if sum(name.startswith(f"{folder}/") for name in self._entries) != count:
                raise ArchiveError(CHANGED.format(f"it does not have {count:,} {folder}"))


def parse_json(text: str, what: str) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value in which every number is finite.

    Raises
    ------
    ArchiveError
        It is not JSON, or a number is not finite.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"The file's {what} is not valid JSON.") from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _finite(digits: str) -> float:
    if not isfinite(number := float(digits)):
        raise ValueError(f"{digits} is too large")
    return number


def _crc_in(header: bytes) -> int:
    """Return the checksum in a part's header; 0 if the header is cut off."""
    return int(LOCAL.unpack(header[: LOCAL.size])[6]) if len(header) >= LOCAL.size else 0


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"The file's {name} is not UTF-8.") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}"[:300]
