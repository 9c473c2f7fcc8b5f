"""The directory in which `train` saves its results."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from server.commands.resume import TrainingError
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.spec.schemas import LossOnTest

__all__ = [
    "BEST",
    "CHECKPOINT",
    "LOSSES",
    "LOSSES_HEADER",
    "METRICS",
    "SAMPLES",
    "TEST",
    "AppendOnlyFile",
    "create_output_directory",
    "default_output_directory",
    "lock_output_directory",
    "read_test",
    "truncate",
    "truncate_losses",
    "with_filename",
]

CHECKPOINT = "checkpoint.npz"
BEST = "best.npz"
LOSSES = "losses.csv"
METRICS = "metrics.csv"
SAMPLES = "samples.txt"
TEST = "test.json"
LOSSES_HEADER = "update,epoch,position,loss,smooth_loss\n"


def default_output_directory(text: Path) -> Path:
    """Return the directory of a text's results: its name without the ending, or "NAME-training".

    The second is for a name that a file has, such as that of a text without an ending.
    """
    directory = Path(text.stem)
    return Path(f"{text.stem}-training") if directory.is_file() else directory


@contextlib.contextmanager
def lock_output_directory(directory: Path) -> Iterator[None]:
    """Lock the directory, so that no second training writes to its files.

    Raises
    ------
    TrainingError
        The directory does not exist, or another process has locked it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock_directory(directory, timeout_s=0))
        except FileNotFoundError:
            raise TrainingError(f"There is no {CHECKPOINT} in {directory} to resume.") from None
        except DirectoryInUseError:
            raise TrainingError(
                f"Another process trains in {directory}: wait until it has ended, or choose another"
                " directory with --out."
            ) from None
        yield


@contextlib.contextmanager
def create_output_directory(directory: Path) -> Iterator[None]:
    """Create and lock a directory for a new training. It may exist, but without a checkpoint.

    Raises
    ------
    TrainingError
        It is a file, or contains a checkpoint, or another process has locked it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise TrainingError(
            f"{directory} is a file, or inside one: choose a directory with --out."
        ) from None
    with lock_output_directory(directory):
        if (directory / CHECKPOINT).exists():
            raise TrainingError(
                f"{directory} already contains a training: add --resume to continue it, or choose"
                " another directory with --out."
            )
        yield


def read_test(path: Path) -> LossOnTest | None:
    """Return the measurement of the test part in a file; None if there is no such file.

    Raises
    ------
    TrainingError
        It cannot be read.
    """
    try:
        return LossOnTest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise TrainingError(f"{path} cannot be read by this version.") from None


@contextlib.contextmanager
def with_filename(path: Path) -> Iterator[None]:
    """Set the file name of operating system errors.

    By default they name the file that could not be opened, which may be a temporary one, and no
    file if writing to an open file fails.
    """
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


class AppendOnlyFile:
    """A text file that is only appended to. Its errors have its name.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    overwrite : bool
        Whether earlier content is deleted first.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path = path
        self._file = path.open("w" if overwrite else "a", encoding="utf-8")

    def write(self, text: str) -> None:
        """Append text. It is durable only after `sync`."""
        with with_filename(self._path):
            self._file.write(text)

    def sync(self) -> int:
        """Make all that was written durable, and return the file's size in bytes."""
        with with_filename(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with with_filename(self._path):
            self._file.close()


def truncate(path: Path, size_bytes: int) -> None:
    """Cut a file to at most this size. It may be missing."""
    with contextlib.suppress(FileNotFoundError):
        os.truncate(path, min(size_bytes, path.stat().st_size))


def truncate_losses(path: Path, update: int) -> None:
    """Remove the losses after `update`, and a last line that is incomplete after a crash."""
    lines: list[str] = [LOSSES_HEADER]
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        next(file, None)
        lines += [
            line for line in file if line.endswith("\n") and int(line.partition(",")[0]) <= update
        ]
    with with_filename(path):
        path.write_text("".join(lines), encoding="utf-8")
