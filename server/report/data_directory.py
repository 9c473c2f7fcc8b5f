"""A report of a run in a data directory, without its server."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from server.analysis.loss_analysis import LossAnalysis
from server.corpora.library import UnknownCorpusError, find_corpus
from server.files.run_directories import RUNS
from server.report.gathering import RunSources
from server.report.offline import RunNotFoundError, open_processes, open_store
from server.report.parts.writing import FileWriter
from server.runs.supervisor import DATABASE
from server.spec.report_remarks import ReportRemarks
from server.store import queries

__all__ = ["open_data_directory"]


@contextlib.asynccontextmanager
async def open_data_directory(
    data_dir: Path, run_id: str, shipped_corpora: Path
) -> AsyncIterator[RunSources]:
    """Open a run of a data directory, which a server may be using; write nothing to it.

    Raises
    ------
    RunNotFoundError
        There is no such run, or the database cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="hurrah-") as temporary:
        copy = Path(temporary) / DATABASE
        _copy_database(data_dir / DATABASE, copy)
        async with open_store(copy) as store:
            run = next((each for each in await store(queries.list_runs) if each.id == run_id), None)
            if run is None:
                raise RunNotFoundError(f"There is no run {run_id!r} in {data_dir}.")
            remarks = await store(queries.report_remarks, run_id)
            corpus, path = None, None
            with contextlib.suppress(UnknownCorpusError):
                corpus, path = find_corpus(shipped_corpora, data_dir, run.corpus)
            directory = data_dir / RUNS / run_id
            checkpoints = [
                each for each in await store(queries.list_checkpoints, run_id) if not each.damaged
            ]
            newest = max(checkpoints, key=lambda each: each.update, default=None)
            async with open_processes() as (inference, checks):
                yield RunSources(
                    run=run,
                    corpus=corpus,
                    corpus_path=path,
                    text_name=path.name if corpus and path and corpus.shipped else None,
                    store=store,
                    analysis=LossAnalysis(store),
                    check=checks.check,
                    writer=FileWriter(
                        inference,
                        None
                        if newest is None
                        else (directory / "checkpoints" / f"{newest.id}.npz", "best"),
                        directory / "snapshots",
                        path,
                        run.spec.model_dump(mode="json"),
                    ),
                    snapshots=_snapshot_updates(directory / "snapshots"),
                    remarks=(
                        ReportRemarks()
                        if remarks is None
                        else ReportRemarks.model_validate_json(remarks)
                    ),
                )


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database that another process may be writing, with what is in its log."""
    if not source.exists():
        raise RunNotFoundError(f"There is no {source.name} in {source.parent}.")
    uri = f"{source.absolute().as_uri()}?mode=ro"
    try:
        try:
            _backup(uri, target)
        except sqlite3.OperationalError:
            # The log cannot be opened in a directory without write permission, where nobody writes.
            _backup(f"{uri}&immutable=1", target)
    except sqlite3.Error as error:
        raise RunNotFoundError(f"{source} cannot be read: {error}.") from error


def _backup(uri: str, target: Path) -> None:
    target.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(uri, uri=True)) as database,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        database.backup(copy)


def _snapshot_updates(directory: Path) -> list[int]:
    return sorted(int(path.stem) for path in directory.glob("*.npz") if path.stem.isdigit())
