"""One run's checkpoints: files in a folder, descriptions in the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from server.checkpoints.npz import DamagedArchiveError, Meta, read_archive, read_meta
from server.checkpoints.unflushed import HistoryDelta, read_delta
from server.concurrency.json_lines import Message
from server.errors import ConflictError, DamagedCheckpointError, UnknownCheckpointError
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.files.disk_errors import StorageError, UnreadableError
from server.files.durable import copy_durably, sync_folder
from server.files.failpoints import failpoint
from server.spec.schemas import Checkpoint, Milestone
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["Added", "CheckpointStore"]

log = logging.getLogger(__name__)

# The newest automatic checkpoint, and the one before it in case the newest is damaged.
AUTOMATIC_KEPT = 2
# An update of the largest network and the checkpoint after it take a few seconds.
ORPHAN_PATIENCE_S = 10.0

Added = tuple[Checkpoint, list[Milestone]]


class CheckpointStore:
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
    store : StoreExecutor
        Where the descriptions are.

    Attributes
    ----------
    found_damaged : list of Checkpoint
        Those that were found damaged, for somebody to tell and to clear.
    found_whole : list of Checkpoint
        Those that had been marked as damaged and are not, likewise.
    """

    def __init__(self, run: str, folder: Path, store: StoreExecutor) -> None:
        self._run = run
        self.folder = folder
        self._store = store
        self.found_damaged: list[Checkpoint] = []
        self.found_whole: list[Checkpoint] = []
        # Those whose file somebody here is about to describe, and those that are being copied.
        self._in_the_making: set[str] = set()
        self._held: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)

    async def list(self) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        return await self._store(queries.list_checkpoints, self._run)

    async def last(self) -> Checkpoint | None:
        """Return the newest checkpoint that was not found damaged, without looking into it."""
        whole = [checkpoint for checkpoint in await self.list() if not checkpoint.damaged]
        return whole[-1] if whole else None

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

    async def add(self, identity: str, *, note: str | None, automatic: bool) -> Added:
        """Take in the file that was written for the id `identity`; durable when this returns.

        Returns
        -------
        checkpoint : Checkpoint
            Its description.
        marks : list of Milestone
            What is to be seen of it on the curve: where a person asked for it.
        """
        made = await asyncio.to_thread(self._describe, identity, note, automatic=automatic)
        text = note or "checkpoint"
        marks = [] if automatic else [Milestone(update=made.update, kind="checkpoint", text=text)]
        failpoint("checkpoint.enter")
        marks = await self._store(Store.add_checkpoint, self._run, made, marks)
        failpoint("checkpoint.entered")
        await self._thin()
        return made, marks

    async def copy(self, source: Path, note: str | None) -> Added:
        """Make a checkpoint of the file of another; durable when this returns."""
        identity = self.new_id()
        async with self.making(identity):
            await asyncio.to_thread(copy_durably, source, self.path(identity))
            return await self.add(identity, note=note, automatic=False)

    async def copy_in(self, source: Path, note: str | None) -> Checkpoint:
        """Copy a checkpoint's file here and describe it; entering it is for the caller to do."""
        identity = self.new_id()
        await asyncio.to_thread(copy_durably, source, self.path(identity))
        return await asyncio.to_thread(self._describe, identity, note, automatic=False)

    @contextlib.asynccontextmanager
    async def making(self, identity: str) -> AsyncIterator[None]:
        """Let nobody else take in a file that is being written, and described as was asked for.

        The file of a checkpoint that could not be made is cleared away: it was promised to nobody.
        """
        self._in_the_making.add(identity)
        try:
            yield
        except StorageError:
            self.path(identity).unlink(missing_ok=True)
            raise
        finally:
            self._in_the_making.discard(identity)

    @contextlib.contextmanager
    def holding(self, checkpoint: str) -> Iterator[None]:
        """Keep a checkpoint from giving way to newer ones for as long as its file is needed."""
        self._held[checkpoint] += 1
        try:
            yield
        finally:
            self._held[checkpoint] -= 1

    async def remove(self, checkpoint: str) -> None:
        """Take a checkpoint away that somebody had asked for.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        ConflictError
            It is an automatic one, which goes by itself, or the one that the run goes on from.
        """
        found = await self.find(checkpoint)
        if not found.damaged:
            await self._see_whether_it_may_go(found)
        await self._forget(found)

    async def _see_whether_it_may_go(self, checkpoint: Checkpoint) -> None:
        if checkpoint.automatic:
            raise ConflictError("An automatic checkpoint gives way to newer ones by itself.")
        newest = await self.newest()
        if newest is None or newest.id == checkpoint.id:
            raise ConflictError(
                "The run goes on from this checkpoint: it can be deleted when there is a newer one."
            )

    async def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint whose file is whole; raises as `open_newest`."""
        found = await self.open_newest()
        return None if found is None else found[0]

    async def open_newest(self) -> tuple[Checkpoint, HistoryDelta, Meta] | None:
        """Return the newest whole checkpoint, what happened shortly before, and the progress.

        Damaged ones are marked so.

        Raises
        ------
        UnreadableError
            One that may be the newest can't be read just now.
        """
        known = await self.list()
        made = max((each.created_at for each in known if not each.damaged), default="")
        for checkpoint in reversed(known):
            if checkpoint.damaged and checkpoint.created_at < made:
                continue  # The run went on without it.
            if (contents := await self._open(checkpoint)) is not None:
                return checkpoint, *contents
        return None

    async def carried_samples(self, checkpoint: Checkpoint) -> Sequence[Message]:
        """Return the samples that a checkpoint carries; none if it can't be read."""
        try:
            meta = await asyncio.to_thread(read_meta, self.path(checkpoint.id))
            samples: Sequence[Message] = meta["unflushed"]["samples"]
        except (DamagedArchiveError, OSError, MemoryError, KeyError):
            return []
        return samples

    async def whole(self, checkpoint: str) -> Path:
        """Return the file of a checkpoint, read once to see that it is whole.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        DamagedCheckpointError
            Its file is not what was written.
        UnreadableError
            It can't be read just now.
        """
        found = await self.find(checkpoint)
        if await self._open(found) is None:
            raise DamagedCheckpointError(found.update)
        return self.path(found.id)

    async def _open(self, checkpoint: Checkpoint) -> tuple[HistoryDelta, Meta] | None:
        """Return what a checkpoint tells of its run; None, and a mark, where it is damaged.

        The mark is not believed but seen to: an earlier version took passing faults for damage.
        """
        try:
            news, meta = await asyncio.to_thread(_contents, self.path(checkpoint.id))
        except (DamagedArchiveError, FileNotFoundError) as error:
            if not checkpoint.damaged:
                log.warning("run %s: checkpoint passed over: %s", self._run, error)
                self.found_damaged.append(await self._mark(checkpoint, damaged=True))
            return None
        except (OSError, MemoryError) as error:
            what = f"The checkpoint of update {checkpoint.update:,}"
            raise UnreadableError(what, error) from error
        if checkpoint.damaged:
            if news.first > await self._store(Store.history_end, self._run) + 1:
                return None  # The run went back to before it: what led there is forgotten.
            self.found_whole.append(await self._mark(checkpoint, damaged=False))
        return news, meta["trainer"]

    async def _mark(self, checkpoint: Checkpoint, *, damaged: bool) -> Checkpoint:
        marked = checkpoint.model_copy(update={"damaged": damaged})
        with contextlib.suppress(StorageError):
            await self._store(Store.add_checkpoint, self._run, marked)
        return marked

    async def take_over(self) -> None:
        """Clear away what an earlier server left half-written, and `adopt` the rest.

        Its worker may still be writing: it is waited for.
        """
        try:
            await asyncio.to_thread(_wait_until_free, self.folder)
        except DirectoryInUseError as error:
            log.warning("run %s: %s", self._run, error)
        for path in self.folder.glob(".*"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        await self.adopt()

    async def adopt(self) -> None:
        """Take in files that are whole, but which nobody got round to describing.

        Raises
        ------
        UnreadableError
            One can't be read just now. It may be what the run goes on from.
        """
        # In this order: whoever is done with a file before it is looked for has entered it.
        paths, others = sorted(self.folder.glob("[!.]*.npz")), set(self._in_the_making)
        known = others | {checkpoint.id for checkpoint in await self.list()}
        for path in paths:
            if path.stem not in known:
                try:
                    await self._adopt(path)
                except (DamagedArchiveError, FileNotFoundError, KeyError, StorageError) as error:
                    log.warning("run %s: file passed over: %s", self._run, error)
                except (OSError, MemoryError) as error:
                    raise UnreadableError("A checkpoint of the run", error) from error

    async def _adopt(self, path: Path) -> None:
        news, meta = await asyncio.to_thread(_contents, path)
        end = await self._store(Store.history_end, self._run)
        if end + 1 < news.first <= news.last:
            # A worker wrote it that stood still while the run went back, and on without it.
            log.warning("run %s: file passed over: %s lacks what led there", self._run, path.name)
            return
        await self.add(path.stem, note=meta["about"]["note"], automatic=True)

    def _describe(self, identity: str, note: str | None, *, automatic: bool) -> Checkpoint:
        path = self.path(identity)
        progress, written = read_meta(path)["trainer"], path.stat()
        return Checkpoint(
            id=identity,
            update=progress["updates"],
            smooth_loss=progress["smooth_loss"],
            note=note,
            bytes=written.st_size,
            created_at=datetime.fromtimestamp(written.st_mtime, UTC).isoformat(timespec="seconds"),
            automatic=automatic,
        )

    async def _thin(self) -> None:
        automatic = [checkpoint for checkpoint in await self.list() if checkpoint.automatic]
        whole = [checkpoint for checkpoint in automatic if not checkpoint.damaged]
        kept = {checkpoint.id for checkpoint in whole[-AUTOMATIC_KEPT:]}
        if len(kept) < AUTOMATIC_KEPT:
            return
        for checkpoint in automatic:
            if checkpoint.id not in kept and not self._held[checkpoint.id]:
                await self._forget(checkpoint)

    async def _forget(self, checkpoint: Checkpoint) -> None:
        await self._store(Store.remove_checkpoint, self._run, checkpoint.id)
        await asyncio.to_thread(_unlink, self.path(checkpoint.id))


def _contents(path: Path) -> tuple[HistoryDelta, Meta]:
    """Read all of a checkpoint; raises as `read_archive`, also where it is no checkpoint."""
    arrays, meta = read_archive(path)
    try:
        int(meta["trainer"]["updates"])
        return read_delta(arrays, meta), meta
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedArchiveError(f"{path.name} is no checkpoint: {error!r}") from error


def _unlink(path: Path) -> None:
    """Remove a file for good: one that came back after a power cut would be taken in again."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _wait_until_free(folder: Path) -> None:
    with lock_directory(folder, ORPHAN_PATIENCE_S):
        pass
