"""The commands that export and import whole runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from server.corpora.library import CorpusTooShortError, UnknownCorpusError
from server.errors import ConflictError, UnknownRunError
from server.files.directory_lock import DirectoryInUseError
from server.files.disk_errors import StorageError, as_storage_error
from server.settings import Settings
from server.spec.run_spec import SpecError
from server.spec.schemas import Run
from server.store.migrations import MigrationError, NewerDatabaseError
from server.transfer.archive_format import ArchiveError
from server.transfer.offline import import_file, prepared_export, write_archive_file

__all__ = ["TransferError", "export_to_file", "import_from_file"]

EXPLAINED = (
    *(ArchiveError, UnknownRunError, ConflictError, StorageError, MigrationError),
    *(NewerDatabaseError, CorpusTooShortError, UnknownCorpusError),
)
"""Errors whose messages are sentences."""


class TransferError(RuntimeError):
    """The command failed; the message is one sentence."""


def export_to_file(data_dir: Path, run: str, file: Path, *, with_text: bool) -> int:
    """Export a run, with a progress bar, and return the size of the file in bytes.

    Raises
    ------
    TransferError
        There is no such run, or it cannot be read or written.
    """
    console = Console(stderr=True)
    with _explained(data_dir, file), contextlib.ExitStack() as stack:
        with console.status("Collecting the run"):
            archive = stack.enter_context(prepared_export(data_dir, run, with_text=with_text))
        columns = TextColumn("Writing"), BarColumn(), DownloadColumn()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=archive.size_bytes)
            write_archive_file(archive, file, lambda size: progress.advance(task, size))
        return archive.size_bytes


def import_from_file(settings: Settings, file: Path, text: Path | None) -> Run:
    """Import a run and return it.

    Raises
    ------
    TransferError
        The file is not an exported run, a limit is reached, or a server uses the data directory.
    """
    # As in `serve`: other users of the machine must not read what is stored.
    os.umask(0o077)
    console = Console(stderr=True)
    with (
        _explained(settings.data_dir, file),
        file.open("rb") as archive,
        console.status("Checking and importing the run"),
    ):
        return import_file(settings, archive, text)


@contextlib.contextmanager
def _explained(data_dir: Path, file: Path) -> Iterator[None]:
    """Raise `TransferError` with a sentence about an error in the block."""
    try:
        yield
    except DirectoryInUseError as error:
        raise TransferError(
            f"A server uses {data_dir}: stop it, or import the file on its page."
        ) from error
    except SpecError as error:
        raise TransferError(f"{error.field} {error.message}.") from error
    except EXPLAINED as error:
        raise TransferError(f"{str(error).rstrip('.')}.") from error
    except sqlite3.Error as error:
        raise TransferError(str(as_storage_error(error) or f"The database: {error}.")) from error
    except OSError as error:
        raise TransferError(f"{error.filename or file}: {error.strerror}.") from error
