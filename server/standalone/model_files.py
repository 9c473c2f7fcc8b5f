"""Files made from a model for download: its weights, and the page that writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Literal

from server.checkpoints.checkpoint_format import load_model
from server.checkpoints.npz import DamagedArchiveError
from server.errors import ConflictError
from server.passages.model_locator import LocatedModel, ModelLocator
from server.passages.request import AtUpdate
from server.runs.downloads import Downloads, OpenFile, open_file, temporary_file
from server.runs.run_controller import RunController
from server.spec.schemas import Run
from server.standalone.page import write_page
from server.standalone.weights import write_npz, write_safetensors

__all__ = ["MAX_PAGE_WEIGHT_BYTES", "ModelFiles", "ModelFormat"]

ModelFormat = Literal["safetensors", "npz", "html"]

MAX_PAGE_WEIGHT_BYTES = 16_000_000
"""The weights in a page at most. With four million in float32 the file has 21 MB, and a browser
writes about 50 characters a second."""

DTYPE_BYTES = {"float32": 4, "float64": 8}


class ModelFiles:
    """Makes files from the models of any run, in any state.

    Parameters
    ----------
    downloads : Downloads
        Limits how many are open at once.
    locator : ModelLocator
        Finds the models.
    """

    def __init__(self, downloads: Downloads, locator: ModelLocator) -> None:
        self._downloads = downloads
        self._locator = locator
        # One at a time, so that only one model is in memory.
        self._making = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def file(
        self,
        controller: RunController,
        source: str | AtUpdate,
        format_: ModelFormat,
        *,
        to_operator: bool,
    ) -> AsyncIterator[OpenFile]:
        """Make a file of a model and open it.

        Parameters
        ----------
        controller : RunController
            The run.
        source : str or AtUpdate
            The model, as in a passage request.
        format_ : {"safetensors", "npz", "html"}
            "html" is the page.
        to_operator : bool
            Whether the download is the operator's.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        SpecError
            The run has no such model.
        ConflictError
            The run has not trained yet, the model cannot be read, or it is too large for a page.
        TooBusyError
            Too many downloads are in progress.
        """
        run = controller.run
        if format_ == "html":
            _check_page_size(run)
        best = None if run.best is None else run.best.update
        key = run.id, source, format_, run.name, run.update, best, run.spec.model_dump_json()
        if isinstance(source, AtUpdate):
            key = (*key[:1], source.model_dump_json(), *key[2:])
        make = partial(self._make, controller, source, format_)
        async with self._downloads.made(key, make, to_operator=to_operator) as file:
            yield file

    async def _make(
        self, controller: RunController, source: str | AtUpdate, format_: ModelFormat
    ) -> OpenFile:
        async with (
            self._making,
            self._locator.locate(controller, source) as found,
            temporary_file(controller) as path,
        ):
            await asyncio.to_thread(_write, path, found, controller.run, format_)
            return await asyncio.to_thread(open_file, path)


def _check_page_size(run: Run) -> None:
    size = run.parameters * DTYPE_BYTES[run.spec.dtype]
    if size > MAX_PAGE_WEIGHT_BYTES:
        raise ConflictError(
            f"The network is too large for a page: its weights are {size:,} bytes,"
            f" and a page has at most {MAX_PAGE_WEIGHT_BYTES:,}."
        )


def _write(path: Path, found: LocatedModel, run: Run, format_: ModelFormat) -> None:
    if found.path is None:
        raise ConflictError("The run has not trained yet, so it has no weights.")
    try:
        model, vocabulary = load_model(found.path, found.which)
    except DamagedArchiveError as error:
        raise ConflictError(f"The model cannot be read: {error}.") from error
    spec = run.spec.model_dump(mode="json")
    match format_:
        case "safetensors":
            write_safetensors(path, model, vocabulary, spec)
        case "npz":
            write_npz(path, model, vocabulary, spec)
        case "html":
            write_page(path, model, vocabulary, run)
