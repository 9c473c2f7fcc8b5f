"""Files of checkpoints and models for download."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from server.checkpoints.checkpoint_format import Which, load_model, model_contents
from server.checkpoints.npz import write_archive
from server.concurrency.admission import AdmissionLimiter
from server.errors import UnknownCheckpointError
from server.runs.run_controller import RunController

__all__ = [
    "AT_ONCE",
    "BY_NAME",
    "Downloads",
    "Making",
    "OpenFile",
    "open_file",
    "temporary_file",
    "temporary_path",
]

AT_ONCE = 16
"""Downloads of viewers at once, and as many of operators: each keeps a file open, and its space on
the disk in use, for as long as the client reads."""

# Models with a name instead of a checkpoint's id.
BY_NAME: dict[str, Which] = {
    "best": "best",
    "best_validation": "best_validation",
    "latest": "latest",
}

_Key = tuple[str, str, int | None, str]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file, which can be read even after its name was deleted.

    Attributes
    ----------
    descriptor : int
        To be read with `os.pread`, so that several readers can share it.
    status : os.stat_result
        Its size and time.
    """

    descriptor: int
    status: os.stat_result


Making = Callable[[], Coroutine[Any, Any, OpenFile]]
"""Makes a file and opens it."""


class _Shared:
    """A file that several downloads share."""

    def __init__(self, opening: asyncio.Task[OpenFile]) -> None:
        self.opening = opening
        self.users = 0

    def close(self) -> None:
        """Close the file, once it is open."""
        self.opening.add_done_callback(_close)


class Downloads:
    """Opens files of any run in any state.

    Downloads of the same file at the same time share it. A temporary file has lost its name before
    the first byte is sent, so none stays behind in the run's directory.

    Parameters
    ----------
    waiting : int
        Downloads at most, those that wait included.
    timeout_s : float
        How long a download waits at most.
    """

    def __init__(self, waiting: int, timeout_s: float) -> None:
        # Operators have a queue of their own, so that viewers never delay them.
        self._operators, self._viewers = (
            AdmissionLimiter(AT_ONCE, waiting, "downloads of files", timeout_s) for _ in range(2)
        )
        self._shared: dict[Hashable, _Shared] = {}

    def admission(self, *, to_operator: bool) -> AdmissionLimiter:
        """Return the limit that a download waits for; `TooBusyError`: too many are in progress."""
        return self._operators if to_operator else self._viewers

    @contextlib.asynccontextmanager
    async def file(
        self, controller: RunController, checkpoint: str, *, to_operator: bool
    ) -> AsyncIterator[OpenFile]:
        """Open the file of a checkpoint, of "latest", or of a best model.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        DamagedCheckpointError
            It cannot be read.
        TooBusyError
            Too many downloads are in progress.
        """
        async with self.admission(to_operator=to_operator):
            key = await _key(controller, checkpoint)
            async with self._share(key, partial(_opened, controller, checkpoint)) as file:
                yield file

    @contextlib.asynccontextmanager
    async def made(
        self, key: Hashable, make: Making, *, to_operator: bool
    ) -> AsyncIterator[OpenFile]:
        """Open a file that is made for the download.

        Parameters
        ----------
        key : hashable
            Downloads at the same time with the same key share the file.
        make : callable
            Makes the file and opens it.
        to_operator : bool
            Whether the download is the operator's.

        Raises
        ------
        TooBusyError
            Too many downloads are in progress.
        """
        async with self.admission(to_operator=to_operator), self._share(key, make) as file:
            yield file

    @contextlib.asynccontextmanager
    async def _share(self, key: Hashable, make: Making) -> AsyncIterator[OpenFile]:
        shared = self._shared.get(key)
        if shared is None or _failed(shared.opening):
            shared = _Shared(asyncio.create_task(make()))
            self._shared[key] = shared
        shared.users += 1
        try:
            # Shielded, so that a client that disconnects does not cancel the others' file.
            yield await asyncio.shield(shared.opening)
        finally:
            shared.users -= 1
            if not shared.users:
                if self._shared.get(key) is shared:
                    del self._shared[key]
                shared.close()


async def _key(controller: RunController, checkpoint: str) -> _Key:
    """Return a key that is the same for downloads of the same file."""
    run = controller.run
    if checkpoint not in BY_NAME:
        found = await controller.checkpoint_store.find(checkpoint)
        return run.id, found.id, None, ""
    if checkpoint == "best_validation" and not run.spec.validation_fraction:
        raise UnknownCheckpointError(checkpoint)
    update = run.update
    if checkpoint == "best":
        update = 0 if run.best is None else run.best.update
    # The file contains the spec, which may change while the run is paused.
    return run.id, checkpoint, update, run.spec.model_dump_json()


async def _opened(controller: RunController, checkpoint: str) -> OpenFile:
    if checkpoint not in BY_NAME:
        return await asyncio.to_thread(
            open_file, await controller.recovery.verified_file(checkpoint)
        )
    which = BY_NAME[checkpoint]
    latest = which == "latest"
    async with temporary_file(controller) as path:
        exported = await (
            controller.export_checkpoint(path) if latest else controller.export_model(path, which)
        )
        if not exported:
            if (newest := await controller.recovery.latest_file()) is None:
                raise UnknownCheckpointError(checkpoint)
            if latest:
                return await asyncio.to_thread(open_file, newest)
            await asyncio.to_thread(_extract, controller, newest, path, which)
        return await asyncio.to_thread(open_file, path)


@contextlib.asynccontextmanager
async def temporary_file(controller: RunController) -> AsyncIterator[Path]:
    """Yield a path in the run's directory; the file under it is deleted in the end."""
    path = temporary_path(controller)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def temporary_path(controller: RunController) -> Path:
    """Return a path in the run's directory for a file that is deleted soon."""
    # The dot marks it as no checkpoint. If the server dies, `recover_directory` deletes the file.
    return controller.checkpoint_store.directory / f".{secrets.token_hex(6)}.npz"


def open_file(path: Path) -> OpenFile:
    """Open a file to read from it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return OpenFile(descriptor, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def _failed(opening: asyncio.Task[OpenFile]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


def _close(opening: asyncio.Task[OpenFile]) -> None:
    if not _failed(opening):
        os.close(opening.result().descriptor)


def _extract(controller: RunController, source: Path, target: Path, which: Which) -> None:
    model, vocabulary = load_model(source, which)
    spec = controller.run.spec.model_dump(mode="json")
    write_archive(target, *model_contents(model, vocabulary, spec), durable=False)
