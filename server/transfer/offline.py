"""Exporting and importing without a server: for the command line."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from server.corpora.library import CorpusLibrary, UnknownCorpusError, find_corpus
from server.errors import ConflictError, LimitReachedError, UnknownRunError
from server.files.directory_lock import lock_directory
from server.files.durable import make_directory, replacing
from server.files.run_directories import RUNS, RunDirectories
from server.files.storage_quota import bytes_below
from server.installation import CORPORA
from server.passages.saved_passage_store import gallery_state
from server.runs.supervisor import DATABASE
from server.settings import Settings
from server.spec.schemas import Run
from server.store import queries
from server.store.database import Store
from server.store.migrations import VERSION, check_version, read_version
from server.transfer.archive_reader import Archive
from server.transfer.exporter import PreparedArchive, RunSource, prepare
from server.transfer.installation import (
    EXPORTS,
    IMPORTS,
    insert_rows,
    note_text,
    on_corpus,
    remove_leftovers,
    renewed,
)
from server.transfer.staging import FILES, ROWS, TEXT, StagedRun, StagingLimits, stage
from server.transfer.texts import KnownText

__all__ = ["import_file", "prepared_export", "write_archive_file"]

LOCK_TIMEOUT_S = 0.0


@contextlib.contextmanager
def prepared_export(data_dir: Path, run: str, *, with_text: bool) -> Iterator[PreparedArchive]:
    """Prepare the archive of a run in a data directory, which a server may be using.

    Raises
    ------
    UnknownRunError
        There is no such run.
    ConflictError
        The database is that of another version, or the run's text is missing.
    """
    database = data_dir / DATABASE
    check_version(database)
    if not database.exists():
        raise UnknownRunError(run)
    if (version := read_version(database)) < VERSION:
        raise ConflictError(
            f"{database} has version {version}, and {VERSION} is needed: start the server once."
        )
    try:
        corpus, text = find_corpus(CORPORA, data_dir, _corpus_of(database, run))
    except UnknownCorpusError as error:
        raise ConflictError("The text of the run is missing.") from error
    source = RunSource(run, database, data_dir / RUNS / run, corpus, text)
    scratch = data_dir / EXPORTS / secrets.token_hex(6)
    make_directory(scratch)
    try:
        yield prepare(source, scratch, with_text=with_text)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_archive_file(archive: PreparedArchive, path: Path, wrote: Callable[[int], None]) -> None:
    """Write an archive to a file, atomically and durably.

    Parameters
    ----------
    archive : PreparedArchive
        The archive.
    path : pathlib.Path
        The file; an existing one is replaced.
    wrote : callable
        Called with the number of bytes of each piece.
    """
    with replacing(path) as file:
        for piece in archive.pieces():
            file.write(piece)
            wrote(len(piece))


def import_file(settings: Settings, file: IO[bytes], text: Path | None) -> Run:
    """Import an archive into a data directory that no server uses.

    Parameters
    ----------
    settings : Settings
        The data directory and the limits.
    file : binary file
        The archive.
    text : pathlib.Path or None
        The text of the run, for an archive that does not contain it.

    Raises
    ------
    DirectoryInUseError
        A server uses the data directory.
    ArchiveError, SpecError
        As for `stage`.
    LimitReachedError
        There are too many runs, texts, saved passages or bytes.
    """
    data_dir = settings.data_dir
    make_directory(data_dir)
    with lock_directory(data_dir, LOCK_TIMEOUT_S):
        check_version(data_dir / DATABASE)
        library = CorpusLibrary(CORPORA, data_dir)
        with contextlib.closing(Store(data_dir / DATABASE)) as store:
            corpora = {run.corpus for run in queries.list_runs(store)}
            remove_leftovers(data_dir, library, corpora.__contains__)
            staging = data_dir / IMPORTS / secrets.token_hex(6)
            make_directory(staging)
            try:
                staged = _stage(settings, library, staging, file, text)
                _check_limits(settings, store, library, staged)
                return _install(store, library, data_dir, staging, staged)
            finally:
                shutil.rmtree(data_dir / IMPORTS, ignore_errors=True)


def _corpus_of(database: Path, run: str) -> str:
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        row = connection.execute(
            "SELECT json_extract(run, '$.corpus') FROM runs WHERE id = ?", (run,)
        ).fetchone()
    if row is None:
        raise UnknownRunError(run)
    return str(row[0])


def _stage(
    settings: Settings,
    library: CorpusLibrary,
    staging: Path,
    file: IO[bytes],
    text: Path | None,
) -> StagedRun:
    limits = StagingLimits(
        settings.max_import_bytes, settings.max_upload_bytes, settings.max_network_bytes
    )
    known = [
        KnownText(corpus.id, library.path(corpus.id), corpus.characters)
        for corpus in library.list()
    ]
    archive = Archive(file, limits.archive_bytes)
    return stage(archive, staging, known, text, limits)


def _check_limits(
    settings: Settings, store: Store, library: CorpusLibrary, staged: StagedRun
) -> None:
    counts = (
        (len(queries.run_ids(store)) + 1, settings.max_runs, "HURRAH_MAX_RUNS"),
        (
            len(library.list()) + (staged.known_text is None),
            settings.max_corpora,
            "HURRAH_MAX_CORPORA",
        ),
        (
            gallery_state(store).total + staged.passages,
            settings.max_saved_passages,
            "HURRAH_MAX_SAVED_PASSAGES",
        ),
        (bytes_below(settings.data_dir), settings.max_stored_bytes, "HURRAH_MAX_STORED_BYTES"),
    )
    for count, limit, name in counts:
        if count > limit:
            raise LimitReachedError(f"{name} is {limit:,}, which the run would exceed.")


def _install(
    store: Store, library: CorpusLibrary, data_dir: Path, staging: Path, staged: StagedRun
) -> Run:
    run = renewed(staged.run, queries.run_ids(store))
    directories = RunDirectories(data_dir / RUNS)
    added = None
    try:
        if staged.known_text is None:
            origin = staged.corpus
            added = secrets.token_hex(6)
            note_text(staging, added)
            library.restore(
                added,
                (staging / TEXT).read_bytes().decode("utf-8"),
                name=origin.name,
                licence=origin.licence,
                encoding=origin.encoding,
                repairs=tuple(origin.repairs),
            )
        run = on_corpus(run, library.get(added or staged.known_text or ""))
        directories.move_in(run.id, staging / FILES)
        insert_rows(store, run, staging / ROWS)
    except BaseException:
        directories.remove(run.id)
        if added is not None:
            with contextlib.suppress(UnknownCorpusError):
                library.remove(added)
        raise
    return run
