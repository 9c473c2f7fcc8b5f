"""Arrays and a description in one `.npz` file: written whole or not at all, read without pickle."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from server.runs.faults import reach
from server.runs.inspection import inspect_archive

__all__ = [
    "Arrays",
    "DamagedArchiveError",
    "Meta",
    "copy_durably",
    "read_archive",
    "read_meta",
    "write_archive",
]

Arrays = dict[str, NDArray[Any]]
Meta = dict[str, Any]

META = "meta"

# All that zipfile, zlib and NumPy raise over bytes that are not what they should be.
DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, OSError, OverflowError, MemoryError, SyntaxError),
    *(RuntimeError, struct.error, zlib.error, zipfile.BadZipFile),
)


class DamagedArchiveError(ValueError):
    """The file can't be read, or is not what it says it is."""


def write_archive(path: Path, arrays: Arrays, meta: Meta, *, durable: bool = True) -> int:
    """Write `arrays` and `meta` to `path`, replacing what was there in one step.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder must exist.
    arrays : dict of str to ndarray
        Written under their names, uncompressed: weights don't compress.
    meta : dict
        Anything JSON can hold; written as a 0-d string array named "meta".
    durable : bool
        Whether the file must be there after a power cut when this returns.

    Returns
    -------
    int
        Size of the file, in bytes.

    Notes
    -----
    A reader sees the old file or the new one, never a part: the bytes go to a temporary file in the
    same folder, which is renamed once they are on the disk. The folder is synchronised after that,
    since a name is data of its folder.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    described = json.dumps(meta, ensure_ascii=False)
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **{META: np.array(described)}, **arrays)
            size = file.tell()
            if durable:
                file.flush()
                reach("archive.written")
                os.fsync(file.fileno())
                reach("archive.synced")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        reach("archive.renamed")
        sync_folder(path.parent)
        reach("archive.kept")
    return size


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file as `write_archive` writes one: whole or not at all, and there for good."""
    temporary = target.with_name(f".{target.stem}.tmp")
    try:
        shutil.copyfile(source, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_archive(path: Path) -> tuple[Arrays, Meta]:
    """Read back what `write_archive` wrote; the checksum of every part is verified.

    Raises
    ------
    DamagedArchiveError
        The file is cut short, was changed, or is no such archive.
    OSError
        The file is not there or can't be opened.
    """
    with _opened(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
        return arrays, _as_meta(arrays.pop(META))


def read_meta(path: Path) -> Meta:
    """Read the description alone.

    Raises
    ------
    DamagedArchiveError, OSError
        As for `read_archive`, as far as the description is concerned.
    """
    with _opened(path) as archive:
        return _as_meta(archive[META])


def _as_meta(described: NDArray[Any]) -> Meta:
    meta = json.loads(str(described))
    if not isinstance(meta, dict):
        raise TypeError("its description is no object")
    return meta


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    # Opened here, because NumPy leaves the file open when it turns out to be damaged.
    with path.open("rb") as file:
        try:
            inspect_archive(file)
            with np.load(file, allow_pickle=False) as archive:
                if not isinstance(archive, NpzFile):
                    raise DamagedArchiveError(f"{path.name} is no archive of arrays")
                yield archive
        except DAMAGE as error:
            raise DamagedArchiveError(f"{path.name} is damaged: {error}") from error
