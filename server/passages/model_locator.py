"""Finding the file of a model that a request names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from server.checkpoints.checkpoint_format import Which, fingerprint, load_model
from server.checkpoints.npz import DamagedArchiveError
from server.checkpoints.snapshots import Snapshots
from server.concurrency.background_tasks import run_to_end
from server.errors import UnknownModelError
from server.passages.model_store import ModelStore
from server.passages.request import AtUpdate
from server.runs.downloads import BY_NAME, temporary_file
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError

__all__ = ["Kind", "LocatedModel", "ModelLocator"]

Kind = Literal["best", "best_validation", "latest", "checkpoint", "snapshot"]


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model and its file; the path is None for a new network, of a run that never trained."""

    kind: Kind
    path: Path | None
    which: Which


class ModelLocator:
    """Finds the models of any run, in any state.

    Parameters
    ----------
    models : ModelStore
        The stored models and the draft models.
    """

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    @contextlib.asynccontextmanager
    async def locate(
        self, controller: RunController, source: str | AtUpdate
    ) -> AsyncIterator[LocatedModel]:
        """Locate a model; a file that had to be written for it is deleted afterwards.

        Parameters
        ----------
        controller : RunController
            The run.
        source : str or AtUpdate
            As in a passage request.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        SpecError
            The run has no such model.
        """
        if isinstance(source, AtUpdate) and source.model is not None:
            async with self._exact_model(controller, source.update, source.model) as found:
                yield found
            return
        if isinstance(source, AtUpdate):
            snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
            snapshot = await asyncio.to_thread(snapshots.nearest_valid, source.update)
            source = await self._nearest(controller, source.update, snapshot)
            if source == "snapshot" and snapshot is not None:
                yield LocatedModel("snapshot", snapshots.path(snapshot), "latest")
                return
        if source not in BY_NAME:
            yield LocatedModel(
                "checkpoint",
                await controller.recovery.verified_file(source),
                "latest",
            )
            return
        which = BY_NAME[source]
        if which == "best_validation" and not controller.run.spec.validation_fraction:
            raise SpecError("source", "cannot be best_validation: the run has no validation set")
        async with temporary_file(controller) as path:
            # To its end, because the file is deleted after it was written.
            if await run_to_end(controller.export_model(path, which)):
                yield LocatedModel(which, path, which)
            else:
                yield LocatedModel(
                    which,
                    await controller.recovery.latest_file(),
                    which,
                )

    @contextlib.asynccontextmanager
    async def _exact_model(
        self, controller: RunController, update: int, model: str
    ) -> AsyncIterator[LocatedModel]:
        """Locate the model with a fingerprint: in the model store, or wherever it still exists."""
        stored = await asyncio.to_thread(self._models.find, controller.run.id, model)
        paths = [] if stored is None else [stored]
        paths.append(Snapshots.of_checkpoints(controller.checkpoint_store.directory).path(update))
        checkpoints = await controller.checkpoint_store.list()
        paths += [
            controller.checkpoint_store.path(each.id)
            for each in checkpoints
            if each.update == update
        ]
        for path in paths:
            if await asyncio.to_thread(_has_fingerprint, path, "latest", model):
                yield LocatedModel("snapshot", path, "latest")
                return
        run = controller.run
        # Models that training replaces, and whether each may still be the one.
        candidates: dict[Which, bool] = {
            "latest": run.update == update,
            "best": run.best is not None and run.best.update == update,
            "best_validation": run.spec.validation_fraction > 0,
        }
        for which in [which for which, possible in candidates.items() if possible]:
            async with self.locate(controller, which) as found:
                # A run that never trained has only one model.
                if found.path is None or await asyncio.to_thread(
                    _has_fingerprint, found.path, which, model
                ):
                    yield replace(found, kind="snapshot")
                    return
        raise UnknownModelError(update)

    async def _nearest(self, controller: RunController, update: int, snapshot: int | None) -> str:
        """Return the source nearest to `update`: "snapshot", a checkpoint's id, or "latest"."""
        updates = {} if snapshot is None else {"snapshot": snapshot}
        updates["latest"] = controller.run.update
        updates |= {
            checkpoint.id: checkpoint.update
            for checkpoint in await controller.checkpoint_store.list()
            if not checkpoint.damaged
        }
        return min(updates, key=lambda source: abs(updates[source] - update))


def _has_fingerprint(path: Path, which: Which, model: str) -> bool:
    """Whether a file contains the model with this fingerprint."""
    try:
        return fingerprint(*load_model(path, which)) == model
    except (DamagedArchiveError, OSError):
        return False
