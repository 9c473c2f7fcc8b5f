"""Directories and files that survive a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["clear_unfinished", "copy_durably", "make_folder", "sync_folder"]


def clear_unfinished(folder: Path, process: int) -> None:
    """Delete the unfinished files of a process that has ended, by its id, in `folder`'s folders."""
    for path in folder.glob(f"*/.*.{process}.tmp"):
        path.unlink(missing_ok=True)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file atomically and durably, as `write_archive` writes one."""
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
    """Make the names in a directory durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a directory and its parents as needed, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
