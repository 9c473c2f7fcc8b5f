"""One run's checkpoints: files in a folder, descriptions in the store."""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from pathlib import Path

from server.runs.archive import DamagedArchiveError, Meta, copy_durably, read_archive, read_meta
from server.runs.claim import FolderInUseError, claimed
from server.runs.errors import NotPossibleError, UnknownCheckpointError
from server.runs.models import Checkpoint
from server.runs.store import Store, StoreThread
from server.runs.unflushed import News, read_news

__all__ = ["CheckpointShelf"]

log = logging.getLogger(__name__)

# The newest automatic checkpoint, and the one before it in case the newest is damaged.
AUTOMATIC_KEPT = 2
# An update of the largest network and the checkpoint after it take a few seconds.
ORPHAN_PATIENCE_S = 10.0


class CheckpointShelf:
    """Keeps a run's checkpoint files.

    A checkpoint exists when its description is in the store, which is written after the file is
    durable. A file without a description is one whose writer or whose server died in between: it
    is whole, and `adopt` takes it in.

    Parameters
    ----------
    run : str
        Id of the run.
    folder : pathlib.Path
        Where the files are; made when it is not there.
    store : StoreThread
        Where the descriptions are.
    """

    def __init__(self, run: str, folder: Path, store: StoreThread) -> None:
        self._run = run
        self.folder = folder
        self._store = store
        folder.mkdir(parents=True, exist_ok=True)

    async def list(self) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        return await self._store(Store.checkpoints, self._run)

    def path(self, checkpoint: str) -> Path:
        """Return where a checkpoint's file is; `checkpoint` is an id of this shelf."""
        return self.folder / f"{checkpoint}.npz"

    async def find(self, checkpoint: str) -> Checkpoint:
        """Return a checkpoint by its id.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        """
        for known in await self.list():
            if known.id == checkpoint:
                return known
        raise UnknownCheckpointError(checkpoint)

    @staticmethod
    def new_id() -> str:
        """Return an id that no other checkpoint has."""
        return secrets.token_hex(6)

    async def add(self, identity: str, *, note: str | None, automatic: bool) -> Checkpoint:
        """Take in the file that was written for the id `identity`; durable when this returns."""
        path = self.path(identity)
        meta = await asyncio.to_thread(read_meta, path)
        made = _described(path, meta, identity, note=note, automatic=automatic)
        await self._store(Store.add_checkpoint, self._run, made)
        await self._thin()
        return made

    async def copy_newest(self, note: str | None) -> Checkpoint:
        """Make a checkpoint of a run without a worker: of where its newest one stands.

        Raises
        ------
        UnknownCheckpointError
            It has none that can be read.
        """
        newest = await self.newest()
        if newest is None:
            raise UnknownCheckpointError("latest")
        return await self.copy(self.path(newest.id), note)

    async def copy(self, source: Path, note: str | None) -> Checkpoint:
        """Make a checkpoint of the file of another; durable when this returns."""
        identity = self.new_id()
        await asyncio.to_thread(copy_durably, source, self.path(identity))
        return await self.add(identity, note=note, automatic=False)

    async def remove(self, checkpoint: str) -> None:
        """Take a checkpoint away that somebody had asked for.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        NotPossibleError
            It is an automatic one, which goes by itself, or the one that the run goes on from.
        """
        found = await self.find(checkpoint)
        if found.automatic:
            raise NotPossibleError("An automatic checkpoint gives way to newer ones by itself.")
        newest = await self.newest()
        if newest is None or newest.id == found.id:
            raise NotPossibleError(
                "The run goes on from this checkpoint: it can be deleted when there is a newer one."
            )
        await self._forget(found)

    async def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint whose file is whole; damaged ones are passed over."""
        for checkpoint in reversed(await self.list()):
            try:
                await asyncio.to_thread(read_archive, self.path(checkpoint.id))
            except (DamagedArchiveError, OSError) as error:
                log.warning("run %s: checkpoint passed over: %s", self._run, error)
            else:
                return checkpoint
        return None

    async def news(self, checkpoint: Checkpoint) -> tuple[News, Meta]:
        """Return what happened shortly before a checkpoint, and how far the trainer had come.

        Raises
        ------
        DamagedArchiveError, OSError
            The file can't be read.
        """
        arrays, meta = await asyncio.to_thread(read_archive, self.path(checkpoint.id))
        return read_news(arrays, meta), meta["trainer"]

    async def adopt(self) -> None:
        """Take in files that nobody got round to describing, and clear away half-written ones.

        The worker of a server that was killed may still be writing one: it is waited for.
        """
        try:
            await asyncio.to_thread(_wait_until_free, self.folder)
        except FolderInUseError as error:
            log.warning("run %s: %s", self._run, error)
        known = {checkpoint.id for checkpoint in await self.list()}
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("."):
                path.unlink(missing_ok=True)
            elif path.suffix == ".npz" and path.stem not in known:
                try:
                    meta = await asyncio.to_thread(read_meta, path)
                    await self.add(path.stem, note=meta["about"]["note"], automatic=True)
                except (DamagedArchiveError, KeyError) as error:
                    log.warning("run %s: file passed over: %s", self._run, error)

    async def _thin(self) -> None:
        automatic = [checkpoint for checkpoint in await self.list() if checkpoint.automatic]
        for checkpoint in automatic[:-AUTOMATIC_KEPT]:
            await self._forget(checkpoint)

    async def _forget(self, checkpoint: Checkpoint) -> None:
        await self._store(Store.remove_checkpoint, self._run, checkpoint.id)
        self.path(checkpoint.id).unlink(missing_ok=True)


def _described(
    path: Path, meta: Meta, identity: str, *, note: str | None, automatic: bool
) -> Checkpoint:
    written = path.stat()
    return Checkpoint(
        id=identity,
        update=meta["trainer"]["updates"],
        smooth_loss=meta["trainer"]["smooth_loss"],
        note=note,
        bytes=written.st_size,
        created_at=datetime.fromtimestamp(written.st_mtime, UTC).isoformat(timespec="seconds"),
        automatic=automatic,
    )


def _wait_until_free(folder: Path) -> None:
    with claimed(folder, ORPHAN_PATIENCE_S):
        pass
