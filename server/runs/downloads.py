"""Files of checkpoints and models, given out to whoever wants to take them away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from server.checkpoints.checkpoint_format import Which, load_model, model_contents
from server.checkpoints.npz import write_archive
from server.concurrency.admission import AdmissionLimiter
from server.errors import UnknownCheckpointError
from server.runs.recovery import newest_file, whole_file
from server.runs.run_controller import RunController

__all__ = ["AT_ONCE", "BY_NAME", "Downloads", "OpenFile", "temporary"]

# Of viewers, and as many again of operators: each may hold a file open, and as much of the disk as
# it takes, for as long as it reads.
AT_ONCE = 16

# The models that are no checkpoints of their own.
BY_NAME: dict[str, Which] = {
    "best": "best",
    "best_validation": "best_validation",
    "latest": "latest",
}

_Key = tuple[str, str, int | None, str]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is read from its descriptor, whatever has become of its name.

    Attributes
    ----------
    descriptor : int
        Whoever reads says from where, so that many can share it.
    status : os.stat_result
        Its size, and when it was written.
    """

    descriptor: int
    status: os.stat_result


class _Shared:
    """A file that some are sent at the same time."""

    def __init__(self, opening: asyncio.Task[OpenFile]) -> None:
        self.opening = opening
        self.users = 0

    def close(self) -> None:
        """Let it go, as soon as it is there."""
        self.opening.add_done_callback(_close)


class Downloads:
    """Gives out files, of any run in any state.

    Whoever asks for the same is sent the same file, of which nothing stays in the run's folder: it
    has lost its name by the time that the first byte is sent.

    Parameters
    ----------
    waiting : int
        How many may be sent files, or wait for it.
    patience_s : float
        How long they wait at most.
    """

    def __init__(self, waiting: int, patience_s: float) -> None:
        # Operators have a line of their own: no number of viewers keeps them waiting.
        self._operators, self._viewers = (
            AdmissionLimiter(AT_ONCE, waiting, "downloads of files", patience_s) for _ in range(2)
        )
        self._shared: dict[_Key, _Shared] = {}

    @contextlib.asynccontextmanager
    async def file(
        self, controller: RunController, checkpoint: str, *, to_operator: bool
    ) -> AsyncIterator[OpenFile]:
        """Hold open the file of a checkpoint, of "latest", or of a best model.

        Raises
        ------
        UnknownCheckpointError
            There is none.
        DamagedCheckpointError
            It can't be read.
        TooBusyError
            Too many are sent files.
        """
        async with self._operators if to_operator else self._viewers:
            key = await _key(controller, checkpoint)
            shared = self._shared.get(key)
            if shared is None or _failed(shared.opening):
                shared = _Shared(asyncio.create_task(_opened(controller, checkpoint)))
                self._shared[key] = shared
            shared.users += 1
            try:
                # Who gives up while it is being written does not take it from the others.
                yield await asyncio.shield(shared.opening)
            finally:
                shared.users -= 1
                if not shared.users:
                    if self._shared.get(key) is shared:
                        del self._shared[key]
                    shared.close()


async def _key(controller: RunController, checkpoint: str) -> _Key:
    """Return what is the same for all who would be given the same file."""
    run = controller.run
    if checkpoint not in BY_NAME:
        found = await controller.checkpoint_store.find(checkpoint)
        return run.id, found.id, None, ""
    if checkpoint == "best_validation" and not run.spec.validation_fraction:
        raise UnknownCheckpointError(checkpoint)
    update = run.update
    if checkpoint == "best":
        update = 0 if run.best is None else run.best.update
    # The file tells of the spec, and that may change while the run stands.
    return run.id, checkpoint, update, run.spec.model_dump_json()


async def _opened(controller: RunController, checkpoint: str) -> OpenFile:
    if checkpoint not in BY_NAME:
        return await asyncio.to_thread(
            _open, await whole_file(controller.recorder, controller.checkpoint_store, checkpoint)
        )
    which = BY_NAME[checkpoint]
    latest = which == "latest"
    async with temporary(controller) as path:
        if not await (controller.export(path) if latest else controller.export_model(path, which)):
            if (
                newest := await newest_file(controller.recorder, controller.checkpoint_store)
            ) is None:
                raise UnknownCheckpointError(checkpoint)
            if latest:
                return await asyncio.to_thread(_open, newest)
            await asyncio.to_thread(_extract, controller, newest, path, which)
        return await asyncio.to_thread(_open, path)


@contextlib.asynccontextmanager
async def temporary(controller: RunController) -> AsyncIterator[Path]:
    """Give out a name in the run's folder; what is under it goes in the end."""
    # The dot marks it as nobody's checkpoint: should the server die now, the shelf clears it away.
    path = controller.checkpoint_store.folder / f".{secrets.token_hex(6)}.npz"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _open(path: Path) -> OpenFile:
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
