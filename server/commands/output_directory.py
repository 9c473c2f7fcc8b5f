"""The folder that `train` leaves its results in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from server.commands.resume import TrainingError
from server.files.directory_lock import DirectoryInUseError, lock_directory

__all__ = [
    "BEST",
    "CHECKPOINT",
    "LOSSES",
    "LOSSES_HEADER",
    "SAMPLES",
    "AppendOnlyFile",
    "alone_in",
    "cut",
    "cut_losses",
    "naming",
    "new_folder",
]

CHECKPOINT = "checkpoint.npz"
BEST = "best.npz"
LOSSES = "losses.csv"
SAMPLES = "samples.txt"
LOSSES_HEADER = "update,epoch,position,loss,smooth_loss\n"


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, in which two trainings would write into each other's files.

    Raises
    ------
    TrainingError
        It is not there, or another process holds it.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock_directory(folder, timeout_s=0))
        except FileNotFoundError:
            raise TrainingError(f"There is no {CHECKPOINT} in {folder} to go on from.") from None
        except DirectoryInUseError:
            raise TrainingError(
                f"Another process trains in {folder}: wait until it has ended, or name another"
                " folder with --out."
            ) from None
        yield


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder for a training and hold it; it may be there, but without a training.

    Raises
    ------
    TrainingError
        It holds a training, or another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        if (folder / CHECKPOINT).exists():
            raise TrainingError(
                f"{folder} holds a training already: add --resume to go on with it, or name"
                " another folder with --out."
            )
        yield


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the operating system name this file.

    By itself it names what can't be opened, which may be a temporary file, and nothing when what
    is open can't be written.
    """
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


class AppendOnlyFile:
    """A text file that grows, and that is named by what goes wrong with it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    afresh : bool
        Whether what it holds is forgotten first.
    """

    def __init__(self, path: Path, *, afresh: bool) -> None:
        self._path = path
        self._file = path.open("w" if afresh else "a", encoding="utf-8")

    def write(self, text: str) -> None:
        """Add to it; what was added may not be on the disk yet."""
        with naming(self._path):
            self._file.write(text)

    def made_durable(self) -> int:
        """Let all that was written be on the disk; return how much it is, in bytes."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with naming(self._path):
            self._file.close()


def cut(path: Path, length_bytes: int) -> None:
    """Forget what was written to a file after it had this length."""
    with contextlib.suppress(FileNotFoundError):
        os.truncate(path, min(length_bytes, path.stat().st_size))


def cut_losses(path: Path, update: int) -> None:
    """Forget the losses after `update`, and a last line that a crash cut short."""
    kept: list[str] = [LOSSES_HEADER]
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        next(file, None)
        kept += [
            line for line in file if line.endswith("\n") and int(line.partition(",")[0]) <= update
        ]
    with naming(path):
        path.write_text("".join(kept), encoding="utf-8")
