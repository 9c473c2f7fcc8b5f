"""The directories of a node: one for each placement, and the cache of texts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from server.files.directory_lock import DirectoryInUseError, lock_directory

__all__ = ["corpus_path", "file_hash", "scratch_directory"]

OTHERS = 0o077


def _root() -> Path:
    """Return the directory of this user's files; TMPDIR chooses where it is.

    Raises
    ------
    PermissionError
        It belongs to another user, or others can use it.
    """
    root = Path(tempfile.gettempdir()) / f"hurrah-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if status.st_uid != os.getuid() or status.st_mode & OTHERS or root.is_symlink():
        raise PermissionError(f"{root} is not private")
    return root


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Yield a new directory for a placement; it is deleted at the end.

    Those of agents that were killed are deleted first.
    """
    parent = _root() / "placements"
    parent.mkdir(exist_ok=True)
    for left in parent.iterdir():
        with contextlib.suppress(DirectoryInUseError, FileNotFoundError), lock_directory(left, 0):
            shutil.rmtree(left, ignore_errors=True)
    # Hidden from other agents until it is locked.
    directory = Path(tempfile.mkdtemp(dir=_root()))
    try:
        with lock_directory(directory, 0):
            directory = directory.rename(parent / directory.name)
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def corpus_path(sha256: str) -> Path:
    """Return where the text with this SHA-256 is in the cache, or is to be."""
    cache = _root() / "texts"
    cache.mkdir(exist_ok=True)
    return cache / f"{sha256}.txt"


def file_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file in hexadecimal; None if there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
