"""Importing archives: one at a time, and each completely or not at all.

An archive is checked and unpacked into a staging directory by a process of its own. Then the text
is added if it is new, the files are moved, and last one transaction adds the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from server.concurrency.child_process import child_environment
from server.corpora.library import Corpus
from server.corpora.uploads import Uploads
from server.errors import LimitReachedError
from server.files.disk_errors import StorageError
from server.files.durable import make_directory
from server.files.failpoints import failpoint
from server.passages.saved_passage_store import gallery_state
from server.runs.supervisor import Supervisor
from server.spec.run_spec import SpecError
from server.spec.schemas import Run
from server.store import queries
from server.transfer.archive_format import ArchiveError, MissingTextError
from server.transfer.installation import IMPORTS, insert_rows, note_text, on_corpus, renewed
from server.transfer.messages import Refusal, StagingRequest, StagingResult
from server.transfer.staging import FILES, ROWS, TEXT, StagedRun, StagingLimits
from server.transfer.texts import KnownText

__all__ = ["ImportCancelledError", "RunImports"]

log = logging.getLogger(__name__)

T = TypeVar("T")

GIVEN_TEXT = "given.txt"


class ImportCancelledError(RuntimeError):
    """The client has disconnected; nothing was imported."""


class RunImports:
    """Imports archives of runs.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    supervisor : Supervisor
        The runs.
    uploads : Uploads
        Adds texts.
    limits : StagingLimits
        The limits on an archive.
    max_passages : int
        Maximum number of saved passages, of all runs together.
    """

    def __init__(
        self,
        data_dir: Path,
        supervisor: Supervisor,
        uploads: Uploads,
        limits: StagingLimits,
        max_passages: int,
    ) -> None:
        self._directory = data_dir.absolute() / IMPORTS
        self._supervisor = supervisor
        self._library = supervisor.corpora
        self._uploads = uploads
        self._limits = limits
        self._max_passages = max_passages
        self._importing = asyncio.Lock()

    async def import_run(
        self, file: IO[bytes], text: IO[bytes] | None, disconnected: Callable[[], Awaitable[None]]
    ) -> Run:
        """Import a run; it is durable when this returns, and does not train.

        Parameters
        ----------
        file : binary file
            The archive, with a file descriptor.
        text : binary file or None
            The text of the run, for an archive that does not contain it.
        disconnected : callable
            Returns when the client has disconnected, which cancels the import.

        Raises
        ------
        ArchiveError
            The file is not an archive of a run, or it is damaged.
        MissingTextError
            The text is needed.
        SpecError
            The network is too large for this server.
        LimitReachedError
            There are too many runs, texts or saved passages, or too many bytes.
        StorageError
            The disk is full.
        ImportCancelledError
            The client has disconnected.
        """
        async with self._importing:
            staging = self._directory / secrets.token_hex(6)
            try:
                await self._supervisor.quota.check(file.seek(0, os.SEEK_END))
                file.flush()
                await asyncio.to_thread(self._begin, staging, text)
                staged = await self._stage(file, staging, disconnected)
                return await _completed(self._install(staging, staged))
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True))

    def _begin(self, staging: Path, text: IO[bytes] | None) -> None:
        make_directory(staging)
        given = None
        if text is not None:
            given = staging / GIVEN_TEXT
            with given.open("xb") as target:
                shutil.copyfileobj(text, target)
        known = [
            KnownText(corpus.id, self._library.path(corpus.id), corpus.characters)
            for corpus in self._library.list()
        ]
        StagingRequest(known, given, self._limits).write(staging)

    async def _stage(
        self, file: IO[bytes], staging: Path, disconnected: Callable[[], Awaitable[None]]
    ) -> StagedRun:
        """Check and unpack the archive in another process."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.transfer", str(staging)),
            stdin=file.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
        )
        answer = asyncio.ensure_future(process.communicate())
        leaving = asyncio.ensure_future(disconnected())
        try:
            await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ImportCancelledError
            out, errors = answer.result()
        finally:
            leaving.cancel()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait({answer, leaving})
        if process.returncode != 0:
            log.error("checking an archive failed: %s", errors.decode(errors="replace"))
            raise ArchiveError("The file could not be checked: the server's log has the details.")
        return _staged(StagingResult.from_json(out))

    async def _install(self, staging: Path, staged: StagedRun) -> Run:
        store = self._supervisor.store
        state = await store(gallery_state)
        if state.total + staged.passages > self._max_passages:
            raise LimitReachedError(
                f"The run has {staged.passages:,} saved passages, and the limit of the gallery is"
                f" {self._max_passages:,} (HURRAH_MAX_SAVED_PASSAGES)."
            )
        failpoint("import.staged")
        run = renewed(staged.run, await store(queries.run_ids))
        added = None
        try:
            if staged.known_text is None:
                added = await self._add_text(staging, staged)
                failpoint("import.text_added")
            corpus = added or self._library.get(staged.known_text or "")
            run = on_corpus(run, corpus)
            insert = partial(insert_rows, run=run, rows=staging / ROWS)
            return await self._supervisor.adopt(run, staging / FILES, insert)
        except BaseException:
            if added is not None and not self._supervisor.uses(added.id):
                await asyncio.to_thread(self._library.remove, added.id)
            raise

    async def _add_text(self, staging: Path, staged: StagedRun) -> Corpus:
        identity, origin = secrets.token_hex(6), staged.corpus
        await asyncio.to_thread(note_text, staging, identity)
        return await self._uploads.restore(
            identity,
            staging / TEXT,
            name=origin.name,
            licence=origin.licence,
            encoding=origin.encoding,
            repairs=tuple(origin.repairs),
        )


async def _completed(work: Coroutine[Any, Any, T]) -> T:
    """Await work that is not cancelled halfway."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _staged(result: StagingResult) -> StagedRun:
    if result.staged is not None:
        return result.staged
    match result.refusal:
        case Refusal(kind="text", message=message):
            raise MissingTextError(message)
        case Refusal(kind="spec", message=message, field=field):
            raise SpecError(field, message)
        case Refusal(kind="storage", message=message):
            raise StorageError(message)
        case Refusal(message=message):
            raise ArchiveError(message)
    raise ValueError("the answer is empty")
