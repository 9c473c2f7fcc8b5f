"""Writing the texts of a report with the run's models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.checkpoints.checkpoint_format import Which
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.corpora.quality import Quality
from server.errors import ConflictError, DamagedCheckpointError, UnknownModelError
from server.inference.client import InferenceClient
from server.inference.messages import WritePassages
from server.passages.request import AtUpdate, PassageRequest
from server.passages.service import PassageService
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError

__all__ = [
    "SEED",
    "TEMPERATURE",
    "FileWriter",
    "ServiceWriter",
    "UnwritableError",
    "Writer",
    "Written",
    "passage_request",
]

TEMPERATURE = 1.0
SEED = 0
"""The same network writes the same passage, so that a translation of it stays right."""


def passage_request(source: str | AtUpdate = "best", length: int = 1_000) -> PassageRequest:
    """Return the request for a text of a report."""
    return PassageRequest(source=source, length=length, temperature=TEMPERATURE, seed=SEED)


class UnwritableError(RuntimeError):
    """A text cannot be written; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and the model that wrote it; the quality is None if the corpus is not known."""

    text: str
    update: int
    smooth_loss: float | None
    quality: Quality | None


class Writer(Protocol):
    """Writes with the models of one run. Both methods raise `UnwritableError`."""

    async def best(self, length: int) -> Written:
        """Write with the best model."""

    async def at_update(self, update: int, length: int) -> Written:
        """Write with the snapshot of an update."""


class ServiceWriter:
    """Writes through the server's passage service.

    Parameters
    ----------
    passages : PassageService
        The service.
    controller : RunController
        The run.
    """

    def __init__(self, passages: PassageService, controller: RunController) -> None:
        self._passages = passages
        self._controller = controller

    async def best(self, length: int) -> Written:
        """Write with the best model."""
        return await self._write("best", length)

    async def at_update(self, update: int, length: int) -> Written:
        """Write with the model nearest to an update."""
        return await self._write(AtUpdate(update=update), length)

    async def _write(self, source: str | AtUpdate, length: int) -> Written:
        request = passage_request(source, length)
        try:
            (passage,) = await self._passages.write(self._controller, request)
        except SpecError as error:
            raise UnwritableError(f"The {error.field} {error.message}.") from error
        except (ConflictError, DamagedCheckpointError, UnknownModelError) as error:
            raise UnwritableError(str(error)) from error
        return Written(
            passage.text, passage.source.update, passage.source.smooth_loss, passage.quality
        )


class FileWriter:
    """Writes with model files, without a server.

    Parameters
    ----------
    inference : InferenceClient
        The process that writes; the caller ends it.
    best : (pathlib.Path, str) or None
        The file of the best model, and which of its models that is; None if there is none.
    snapshots : pathlib.Path or None
        The directory of the snapshots.
    corpus_path : pathlib.Path or None
        The text against which the quality is measured.
    spec : dict
        The run's spec.
    """

    def __init__(
        self,
        inference: InferenceClient,
        best: tuple[Path, Which] | None,
        snapshots: Path | None,
        corpus_path: Path | None,
        spec: dict[str, object],
    ) -> None:
        self._inference = inference
        self._best = best
        self._snapshots = snapshots
        self._corpus_path = corpus_path
        self._spec = spec

    async def best(self, length: int) -> Written:
        """Write with the best model."""
        if self._best is None:
            raise UnwritableError("There is no checkpoint with a model.")
        return await self._write(*self._best, length)

    async def at_update(self, update: int, length: int) -> Written:
        """Write with the snapshot of an update."""
        if self._snapshots is None:
            raise UnwritableError("There are no snapshots.")
        return await self._write(self._snapshots / f"{update}.npz", "latest", length)

    async def _write(self, path: Path, which: Which, length: int) -> Written:
        command = WritePassages(
            path=str(path),
            which=which,
            save_to=None,
            spec=self._spec,
            corpus_path="",  # read only without a model
            length=length,
            temperatures=[TEMPERATURE],
            top_k=None,
            top_p=None,
            seed=SEED,
            prime="",
        )
        quality = None
        try:
            reply = await self._inference.write_passages(command)
            (text,) = reply["texts"]
            if self._corpus_path is not None:
                (measured,) = await self._inference.measure_texts(self._corpus_path, [text])
                quality = Quality(**measured["quality"])
        except (ChildExitedError, ChildRefusedError) as error:
            raise UnwritableError(f"The text could not be written: {error}.") from error
        return Written(text, reply["update"], reply["smooth_loss"], quality)
