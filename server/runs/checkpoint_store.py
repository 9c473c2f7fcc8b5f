"""One run's checkpoints: files in a directory, descriptions in the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from server.checkpoints.npz import (
    Arrays,
    DamagedArchiveError,
    Meta,
    read_archive,
    read_meta,
    write_archive,
)
from server.checkpoints.unflushed import HistoryDelta, read_delta
from server.concurrency.json_lines import Message
from server.errors import ConflictError, DamagedCheckpointError, UnknownCheckpointError
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.files.disk_errors import StorageError, UnreadableError
from server.files.durable import copy_durably, sync_directory
from server.files.failpoints import failpoint
from server.spec.schemas import Checkpoint, Milestone
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["Added", "CheckpointStore"]

log = logging.getLogger(__name__)

AUTOMATIC_KEPT = 2
"""The newest automatic checkpoint, and the one before it in case the newest is damaged."""
ORPHAN_WORKER_TIMEOUT_S = 10.0
"""An update of the largest network and the checkpoint after it take a few seconds."""

Added = tuple[Checkpoint, list[Milestone]]


class CheckpointStore:
    """A run's checkpoint files and their descriptions.

    A checkpoint exists once its description is in the database, which is written after the file is
    durable. A file without a description is an orphan: its worker or its server died between the
    two. The file is complete, and `import_orphans` describes it.

    Parameters
    ----------
    run : str
        Id of the run.
    directory : pathlib.Path
        Where the files are; created if needed.
    store : StoreExecutor
        The database.

    Attributes
    ----------
    found_damaged : list of Checkpoint
        Checkpoints found damaged and not reported yet; `Recovery` reports and clears them.
    found_readable : list of Checkpoint
        Checkpoints recorded as damaged that are not; likewise.
    keep_before : int or None
        The update since which the loss is far too high: the newest automatic checkpoint from before
        is kept, too, to go back to.
    """

    def __init__(self, run: str, directory: Path, store: StoreExecutor) -> None:
        self._run = run
        self.directory = directory
        self._store = store
        self.found_damaged: list[Checkpoint] = []
        self.found_readable: list[Checkpoint] = []
        self.keep_before: int | None = None
        # Ids of files that are being written, and of checkpoints whose files are being copied.
        self._reserved: set[str] = set()
        self._pinned: Counter[str] = Counter()
        directory.mkdir(parents=True, exist_ok=True)

    # -- which there are --------------------------------------------------------------------------

    async def list(self) -> list[Checkpoint]:
        """Return the checkpoints, oldest first."""
        return await self._store(queries.list_checkpoints, self._run)

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

    async def last_known(self) -> Checkpoint | None:
        """Return the newest checkpoint not known to be damaged, without reading its file."""
        readable = [checkpoint for checkpoint in await self.list() if not checkpoint.damaged]
        return readable[-1] if readable else None

    def path(self, checkpoint: str) -> Path:
        """Return the path of the file of a checkpoint, given its id."""
        return self.directory / f"{checkpoint}.npz"

    # -- adding -----------------------------------------------------------------------------------

    @staticmethod
    def new_id() -> str:
        """Return an id that no other checkpoint has."""
        return secrets.token_hex(6)

    @contextlib.asynccontextmanager
    async def reserve(self, identity: str) -> AsyncIterator[None]:
        """Keep `import_orphans` from importing a file that is being written under this id.

        If the checkpoint cannot be stored, its file is removed: no one was promised it.
        """
        self._reserved.add(identity)
        try:
            yield
        except StorageError:
            self.path(identity).unlink(missing_ok=True)
            raise
        finally:
            self._reserved.discard(identity)

    async def add(self, identity: str, *, note: str | None, automatic: bool) -> Added:
        """Add the checkpoint whose file was written under this id; durable when this returns.

        Returns
        -------
        checkpoint : Checkpoint
            Its description.
        milestones : list of Milestone
            Its milestone on the curve, if a person asked for it.
        """
        checkpoint = await asyncio.to_thread(self._describe, identity, note, automatic=automatic)
        text = note or "checkpoint"
        milestones = (
            [] if automatic else [Milestone(update=checkpoint.update, kind="checkpoint", text=text)]
        )
        failpoint("checkpoint.insert")
        milestones = await self._store(Store.add_checkpoint, self._run, checkpoint, milestones)
        failpoint("checkpoint.inserted")
        await self._delete_old_automatic()
        return checkpoint, milestones

    async def add_copy(self, source: Path, note: str | None) -> Added:
        """Add a checkpoint with a copy of another's file; durable when this returns."""
        identity = self.new_id()
        async with self.reserve(identity):
            await asyncio.to_thread(copy_durably, source, self.path(identity))
            return await self.add(identity, note=note, automatic=False)

    async def copy_file(self, source: Path, note: str | None) -> Checkpoint:
        """Copy another run's file here and return its description, which the caller must store."""
        identity = self.new_id()
        await asyncio.to_thread(copy_durably, source, self.path(identity))
        return await asyncio.to_thread(self._describe, identity, note, automatic=False)

    async def write_file(self, arrays: Arrays, meta: Meta, note: str) -> Checkpoint:
        """Write a file here and return its description, which the caller must store."""
        identity = self.new_id()
        about = {"about": {"id": identity, "note": note, "automatic": False}}
        await asyncio.to_thread(write_archive, self.path(identity), arrays, meta | about)
        return await asyncio.to_thread(self._describe, identity, note, automatic=False)

    def _describe(self, identity: str, note: str | None, *, automatic: bool) -> Checkpoint:
        path = self.path(identity)
        progress, status = read_meta(path)["trainer"], path.stat()
        return Checkpoint(
            id=identity,
            update=progress["updates"],
            smooth_loss=progress["smooth_loss"],
            note=note,
            bytes=status.st_size,
            created_at=datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds"),
            automatic=automatic,
        )

    # -- deleting ---------------------------------------------------------------------------------

    async def delete(self, checkpoint: str) -> None:
        """Delete a checkpoint that a person asked for.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        ConflictError
            It is automatic, or it is the one from which the run would continue.
        """
        found = await self.find(checkpoint)
        if not found.damaged:
            await self._check_deletable(found)
        await self._delete(found)

    @contextlib.contextmanager
    def pin(self, checkpoint: str) -> Iterator[None]:
        """Keep an automatic checkpoint from being replaced by newer ones while its file is used."""
        self._pinned[checkpoint] += 1
        try:
            yield
        finally:
            self._pinned[checkpoint] -= 1

    async def _check_deletable(self, checkpoint: Checkpoint) -> None:
        if checkpoint.automatic:
            raise ConflictError(
                "An automatic checkpoint cannot be deleted: newer ones replace it automatically."
            )
        latest = await self.latest()
        if latest is None or latest.id == checkpoint.id:
            raise ConflictError(
                "The run would continue from this checkpoint: it can be deleted when there is a"
                " newer one."
            )

    async def _delete_old_automatic(self) -> None:
        automatic = [checkpoint for checkpoint in await self.list() if checkpoint.automatic]
        readable = [checkpoint for checkpoint in automatic if not checkpoint.damaged]
        kept = {checkpoint.id for checkpoint in readable[-AUTOMATIC_KEPT:]}
        if len(kept) < AUTOMATIC_KEPT:
            return
        if self.keep_before is not None:
            good = [checkpoint for checkpoint in readable if checkpoint.update < self.keep_before]
            kept |= {checkpoint.id for checkpoint in good[-1:]}
        for checkpoint in automatic:
            if checkpoint.id not in kept and not self._pinned[checkpoint.id]:
                await self._delete(checkpoint)

    async def _delete(self, checkpoint: Checkpoint) -> None:
        await self._store(Store.remove_checkpoint, self._run, checkpoint.id)
        await asyncio.to_thread(_unlink_durably, self.path(checkpoint.id))

    # -- reading ----------------------------------------------------------------------------------

    async def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint whose file can be read; raises as `load_latest`."""
        found = await self.load_latest()
        return None if found is None else found[0]

    async def load_latest(self) -> tuple[Checkpoint, HistoryDelta, Meta] | None:
        """Return the newest readable checkpoint, the history in it, and its trainer's scalars.

        Checkpoints found damaged are recorded as damaged.

        Raises
        ------
        UnreadableError
            One that may be the newest cannot be read at the moment.
        """
        known = await self.list()
        newest_time = max((each.created_at for each in known if not each.damaged), default="")
        for checkpoint in reversed(known):
            if checkpoint.damaged and checkpoint.created_at < newest_time:
                continue  # The run has continued without it.
            if (contents := await self._load(checkpoint)) is not None:
                return checkpoint, *contents
        return None

    async def verify(self, checkpoint: str) -> Path:
        """Return the file of a checkpoint after reading all of it.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        DamagedCheckpointError
            The file is damaged.
        UnreadableError
            It cannot be read at the moment.
        """
        found = await self.find(checkpoint)
        if await self._load(found) is None:
            raise DamagedCheckpointError(found.update)
        return self.path(found.id)

    async def samples_in(self, checkpoint: Checkpoint) -> Sequence[Message]:
        """Return the samples in a checkpoint's history; none if it cannot be read."""
        try:
            meta = await asyncio.to_thread(read_meta, self.path(checkpoint.id))
            samples: Sequence[Message] = meta["unflushed"]["samples"]
        except (DamagedArchiveError, OSError, MemoryError, KeyError):
            return []
        return samples

    async def _load(self, checkpoint: Checkpoint) -> tuple[HistoryDelta, Meta] | None:
        """Return a checkpoint's history and its trainer's scalars; None if it is damaged.

        The flag `damaged` is checked again, because an earlier version set it after passing
        errors, too.
        """
        try:
            delta, meta = await asyncio.to_thread(_read, self.path(checkpoint.id))
        except (DamagedArchiveError, FileNotFoundError) as error:
            if not checkpoint.damaged:
                log.warning("run %s: damaged checkpoint skipped: %s", self._run, error)
                self.found_damaged.append(await self._set_damaged(checkpoint, damaged=True))
            return None
        except (OSError, MemoryError) as error:
            what = f"The checkpoint of update {checkpoint.update:,}"
            raise UnreadableError(what, error) from error
        if checkpoint.damaged:
            if delta.first > await self._store(Store.history_end, self._run) + 1:
                return None  # The run went back to before it: the history up to it is deleted.
            self.found_readable.append(await self._set_damaged(checkpoint, damaged=False))
        return delta, meta["trainer"]

    async def _set_damaged(self, checkpoint: Checkpoint, *, damaged: bool) -> Checkpoint:
        changed = checkpoint.model_copy(update={"damaged": damaged})
        with contextlib.suppress(StorageError):
            await self._store(Store.add_checkpoint, self._run, changed)
        return changed

    # -- orphans ----------------------------------------------------------------------------------

    async def recover_directory(self) -> None:
        """Delete the unfinished files of an earlier server, and import its orphans.

        A worker of that server may still be writing; this waits until it has ended.
        """
        try:
            await asyncio.to_thread(_wait_until_unlocked, self.directory)
        except DirectoryInUseError as error:
            log.warning("run %s: %s", self._run, error)
        for path in self.directory.glob(".*"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        await self.import_orphans()

    async def import_orphans(self) -> None:
        """Add complete files that have no description as automatic checkpoints.

        Raises
        ------
        UnreadableError
            A file cannot be read at the moment. It may be the one from which the run continues.
        """
        # List files before reading the database, so a concurrent add is never imported twice.
        paths, reserved = sorted(self.directory.glob("[!.]*.npz")), set(self._reserved)
        known = reserved | {checkpoint.id for checkpoint in await self.list()}
        for path in paths:
            if path.stem not in known:
                try:
                    await self._import(path)
                except (DamagedArchiveError, FileNotFoundError, KeyError, StorageError) as error:
                    log.warning("run %s: file skipped: %s", self._run, error)
                except (OSError, MemoryError) as error:
                    raise UnreadableError("A checkpoint of the run", error) from error

    async def _import(self, path: Path) -> None:
        delta, meta = await asyncio.to_thread(_read, path)
        end = await self._store(Store.history_end, self._run)
        if end + 1 < delta.first <= delta.last:
            # A paused worker wrote it after the run had gone back and trained on without it.
            log.warning("run %s: file skipped: history before %s is missing", self._run, path.name)
            return
        await self.add(path.stem, note=meta["about"]["note"], automatic=True)


def _read(path: Path) -> tuple[HistoryDelta, Meta]:
    """Read all of a checkpoint; raises as `read_archive`, also if it is another kind of file."""
    arrays, meta = read_archive(path)
    try:
        int(meta["trainer"]["updates"])
        return read_delta(arrays, meta), meta
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedArchiveError(f"{path.name} is no checkpoint: {error!r}") from error


def _unlink_durably(path: Path) -> None:
    """Delete a file durably: if it came back after a power cut, it would be imported again."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _wait_until_unlocked(directory: Path) -> None:
    with lock_directory(directory, ORPHAN_WORKER_TIMEOUT_S):
        pass
