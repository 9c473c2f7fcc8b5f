"""Directories and files that survive a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["clear_unfinished", "copy_durably", "make_directory", "sync_directory"]


def clear_unfinished(directory: Path, process: int) -> None:
    """Delete the unfinished files of an ended process, by its id, in all subdirectories."""
    for path in directory.glob(f"*/.*.{process}.tmp"):
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
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create a directory and its parents as needed, durably."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)
