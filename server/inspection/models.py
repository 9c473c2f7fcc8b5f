"""The model of a run that is looked into, with the file of the live one shared by all readers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass
from pathlib import Path

from server.checkpoints.checkpoint_format import Which
from server.concurrency.background_tasks import run_to_end
from server.passages.model_locator import Kind, LocatedModel, ModelLocator
from server.passages.request import AtUpdate
from server.runs.downloads import BY_NAME, temporary_path
from server.runs.run_controller import RunController
from server.spec.schemas import ApiModel, RunState

__all__ = ["InspectedModel", "InspectedModels", "ProbedModel"]

REFRESH_INTERVAL_S = 0.2
"""The live model is exported at most so often, however many readers there are."""
MAX_EXPORT_SHARE = 0.1
"""Of the time, for exports of the live model: the training may wait for them."""
IDLE_S = 60.0
"""How long an exported file stays after its last reader."""


class ProbedModel(ApiModel):
    """The model that was looked into, and its update."""

    kind: Kind
    update: int


@dataclass(frozen=True, slots=True)
class InspectedModel:
    """A model to look into.

    Attributes
    ----------
    located : LocatedModel
        The model and its file.
    key : hashable
        The same for the same file with the same contents: a key for results.
    """

    located: LocatedModel
    key: Hashable


@dataclass(slots=True, eq=False)
class _Export:
    """The exported file of a model that training changes.

    `update` is the run's update when the export began; `refresh_at_s` is the earliest time of the
    next export.
    """

    path: Path
    update: int
    refresh_at_s: float
    readers: int = 0
    used_at_s: float = 0.0


_Key = tuple[str, Which]


class InspectedModels:
    """Finds the models of any run to look into them.

    All readers of a run share one file of its live model. It is exported again when the run has
    made another update; while it trains at most five times a second, and less often where an export
    takes long.

    Parameters
    ----------
    locator : ModelLocator
        Finds all other models.
    """

    def __init__(self, locator: ModelLocator) -> None:
        self._locator = locator
        self._exports: dict[_Key, _Export] = {}
        self._locks: dict[_Key, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def locate(
        self, controller: RunController, source: str | AtUpdate
    ) -> AsyncIterator[InspectedModel]:
        """Locate a model; its file exists until the end of the block.

        Parameters
        ----------
        controller : RunController
            The run.
        source : str or AtUpdate
            As in a passage request.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError, SpecError
            As for `ModelLocator.locate`.
        """
        key: _Key | None = None
        if isinstance(source, str) and source in BY_NAME and controller.has_worker:
            key = controller.run.id, BY_NAME[source]
        export = None if key is None else await self._shared_export(controller, key)
        if key is None or export is None:
            async with self._locator.locate(controller, source) as found:
                yield InspectedModel(found, await asyncio.to_thread(_file_key, found))
            return
        try:
            found = LocatedModel(key[1], export.path, key[1])
            yield InspectedModel(found, export.path.name)
        finally:
            self._release(key, export)

    async def _shared_export(self, controller: RunController, key: _Key) -> _Export | None:
        """Return the current export, with one reader more; None if the run has no worker."""
        which = key[1]
        if which == "best_validation" and not controller.run.spec.validation_fraction:
            return None
        async with self._locks.setdefault(key, asyncio.Lock()):
            export = self._exports.get(key)
            if export is None or _is_outdated(export, controller):
                # To its end, because the file must be deleted at some time.
                export = await run_to_end(self._write(controller, key))
            if export is not None:
                export.readers += 1
            return export

    async def _write(self, controller: RunController, key: _Key) -> _Export | None:
        """Have the worker write the model, and replace the last export."""
        began_s, update = time.monotonic(), controller.run.update
        path = temporary_path(controller)
        try:
            if not await controller.export_model(path, key[1]):
                return None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        took_s = time.monotonic() - began_s
        wait_s = max(REFRESH_INTERVAL_S, took_s / MAX_EXPORT_SHARE)
        export = _Export(path, update, began_s + wait_s)
        last = self._exports.get(key)
        self._exports[key] = export
        if last is not None and not last.readers:
            last.path.unlink(missing_ok=True)
        # Deleted also if the request was cancelled meanwhile.
        self._delete_later(key, export)
        return export

    def _release(self, key: _Key, export: _Export) -> None:
        export.readers -= 1
        export.used_at_s = time.monotonic()
        if self._exports.get(key) is export:
            self._delete_later(key, export)
        elif not export.readers:
            export.path.unlink(missing_ok=True)

    def _delete_later(self, key: _Key, export: _Export) -> None:
        asyncio.get_running_loop().call_later(IDLE_S, self._delete_if_idle, key, export)

    def _delete_if_idle(self, key: _Key, export: _Export) -> None:
        idle = not export.readers and time.monotonic() - export.used_at_s >= IDLE_S
        if idle and self._exports.get(key) is export:
            del self._exports[key]
            export.path.unlink(missing_ok=True)


def _is_outdated(export: _Export, controller: RunController) -> bool:
    # A run that went back to a checkpoint has deleted the file.
    if not export.path.exists():
        return True
    if export.update == controller.run.update:
        return False
    # A run that stands still loses no time.
    due = time.monotonic() >= export.refresh_at_s
    return due or controller.run.state is not RunState.RUNNING


def _file_key(found: LocatedModel) -> Hashable:
    """Return a key that differs for each file, also for one that replaced another."""
    if found.path is None:
        return None
    return str(found.path), found.which, found.path.stat().st_mtime_ns
