"""Folders and files that are there after a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["clear_unfinished", "copy_durably", "make_folder", "sync_folder"]


def clear_unfinished(folder: Path, process: int) -> None:
    """Remove what a process that is dead was writing, by its id, in the folders of `folder`."""
    for path in folder.glob(f"*/.*.{process}.tmp"):
        path.unlink(missing_ok=True)


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


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, as far as they are not there; durable."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
