"""Archives of runs for download."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from server.checkpoints.npz import read_meta
from server.corpora.library import CorpusLibrary
from server.errors import ConflictError
from server.files.disk_errors import StorageError
from server.runs.downloads import Downloads, temporary_file
from server.runs.run_controller import RunController
from server.runs.supervisor import DATABASE
from server.spec.schemas import Checkpoint
from server.transfer.exporter import LiveCheckpoint, PreparedArchive, RunSource, prepare
from server.transfer.installation import EXPORTS

__all__ = ["RunExports"]

DRAIN_TIMEOUT_S = 2.0
"""How long an export waits for samples to be measured; others are in the checkpoint."""


class RunExports:
    """Prepares archives of runs, within the limits on downloads.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    library : CorpusLibrary
        The texts.
    downloads : Downloads
        The limits.
    """

    def __init__(self, data_dir: Path, library: CorpusLibrary, downloads: Downloads) -> None:
        self._data_dir = data_dir
        self._library = library
        self._downloads = downloads

    @contextlib.asynccontextmanager
    async def archive(
        self, controller: RunController, *, with_text: bool, to_operator: bool
    ) -> AsyncIterator[PreparedArchive]:
        """Prepare the archive of a run, which can be sent in the block.

        Raises
        ------
        StorageError
            There is no space for the rows of the run.
        TooBusyError
            Too many downloads are in progress.
        """
        async with self._downloads.admission(to_operator=to_operator):
            scratch = self._data_dir / EXPORTS / secrets.token_hex(6)
            await asyncio.to_thread(scratch.mkdir, parents=True)
            cancelled = threading.Event()
            try:
                async with _live_checkpoint(controller) as live:
                    preparing = asyncio.to_thread(
                        prepare,
                        self._source(controller),
                        scratch,
                        with_text=with_text,
                        live=live,
                        is_cancelled=cancelled.is_set,
                    )
                    # Shielded: the thread goes on, and its directory must not vanish under it.
                    task = asyncio.ensure_future(preparing)
                    try:
                        archive = await asyncio.shield(task)
                    except asyncio.CancelledError:
                        cancelled.set()
                        await asyncio.wait({task})
                        raise
                yield archive
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True))

    def _source(self, controller: RunController) -> RunSource:
        run = controller.run
        return RunSource(
            run=run.id,
            database=self._data_dir / DATABASE,
            directory=controller.checkpoint_store.directory.parent,
            corpus=self._library.get(run.corpus),
            text=controller.corpus_path,
        )


@contextlib.asynccontextmanager
async def _live_checkpoint(controller: RunController) -> AsyncIterator[LiveCheckpoint | None]:
    """Have the worker write where it is, unless the newest checkpoint is there, too.

    The file is not one of the run's checkpoints: viewers export runs, and change nothing.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            await controller.recorder.drain()
    with contextlib.suppress(StorageError):
        await controller.recorder.flush()
    latest = await controller.checkpoint_store.last_known()
    if not controller.has_worker or (latest and latest.update == controller.run.update):
        yield None
        return
    async with temporary_file(controller) as path:
        try:
            written = await controller.export_checkpoint(path)
        except (ConflictError, StorageError):
            # The worker ended meanwhile, or there is no space: the newest checkpoint remains.
            written = False
        yield await asyncio.to_thread(_describe, path) if written else None


def _describe(path: Path) -> LiveCheckpoint:
    progress = read_meta(path)["trainer"]
    checkpoint = Checkpoint(
        id=secrets.token_hex(6),
        update=progress["updates"],
        smooth_loss=progress["smooth_loss"],
        note=None,
        bytes=path.stat().st_size,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        automatic=True,
    )
    return LiveCheckpoint(checkpoint, path)
