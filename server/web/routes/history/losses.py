"""The losses of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from math import isfinite
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query
from numpy.typing import NDArray
from starlette.responses import Response, StreamingResponse

from server.analysis.loss_analysis import ExplainedLoss
from server.history.smoothing import FACTORS
from server.history.summaries import CHUNK_UPDATES, smooth_losses
from server.history.threshold_search import Search
from server.spec.run_spec import SpecError
from server.spec.schemas import (
    EpochLoss,
    FirstBelow,
    Loss,
    LossByPosition,
)
from server.spec.sizing import batch_layout
from server.store import queries
from server.web.dependencies import RunControllerDep, ServicesDep, limit_downloads
from server.web.loss_cache import DEFAULT_POINTS
from server.web.routes.history.csv_files import PositionFinder, as_download

router = APIRouter(prefix="/api/runs/{run_id}", tags=["history"])

MAX_POINTS = 5_000
MAX_EPOCHS = 20


@router.get("/loss", response_model=Loss)
async def read_loss(
    controller: RunControllerDep,
    services: ServicesDep,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    *,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS,
    smoothing: Annotated[float | None, Query(ge=0, lt=1, allow_inf_nan=False)] = None,
) -> Response:
    """Return the loss curve of a range of updates, reduced to `points` buckets.

    The minimum and maximum of each bucket are kept. `smoothing` is the factor of the smooth loss,
    by default the run's own; 0 is the loss itself.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    own = controller.run.spec.smoothing
    if smoothing is None:
        smoothing = own
    if smoothing != own and smoothing not in FACTORS:
        factors = ", ".join(map(str, FACTORS))
        raise SpecError("smoothing", f"must be one of {factors}, or the run's own {own:g}")
    curve = await services.loss_cache.get(
        controller.run, first, last, points=points, smoothing=smoothing
    )
    return Response(curve, media_type="application/json")


@router.get("/loss/first-below")
async def find_first_below(
    controller: RunControllerDep,
    services: ServicesDep,
    smooth_loss: Annotated[float, Query(gt=0, le=10**9, allow_inf_nan=False)],
) -> FirstBelow:
    """Return the first update with a smooth loss, in nats per sequence, below `smooth_loss`."""
    search = Search(done=False)
    while not search.done:
        search = await services.store_reader(queries.first_below, controller.run.id, smooth_loss)
    if search.update is None:
        return FirstBelow(smooth_loss=smooth_loss, update=None)
    (seconds,) = await services.store_reader(
        queries.training_seconds, controller.run.id, [search.update]
    )
    return FirstBelow(
        smooth_loss=smooth_loss,
        update=search.update,
        seconds=seconds if isfinite(seconds) else None,
    )


@router.get("/loss/positions")
async def read_loss_by_position(
    controller: RunControllerDep,
    services: ServicesDep,
    epochs: Annotated[str | None, Query(max_length=500)] = None,
) -> LossByPosition:
    """Return the mean loss by position in the corpus, one row per epoch.

    `epochs` is a list separated by commas; without it, the newest 20 epochs are returned.
    """
    run = controller.run
    requested = list(range(max(1, run.epoch - MAX_EPOCHS + 1), run.epoch + 1))
    if epochs is not None:
        parts = epochs.split(",")
        if len(parts) > MAX_EPOCHS or not all(_is_epoch(part) for part in parts):
            raise SpecError("epochs", f"must be at most {MAX_EPOCHS} numbers separated by commas")
        requested = sorted({int(part) for part in parts})
    by_position = await services.loss_analysis.by_position(run, requested)
    rows = [EpochLoss(epoch=epoch, loss=loss) for epoch, loss in by_position.epochs]
    return LossByPosition(positions=by_position.positions, epochs=rows)


@router.get("/loss/explained")
async def explain_loss(controller: RunControllerDep, services: ServicesDep) -> ExplainedLoss:
    """Return how much of the loss's variance the position in the corpus explains."""
    return await services.loss_analysis.explain(controller.run)


def _is_epoch(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12 and int(text) >= 1


@router.get(
    "/losses.csv", response_class=StreamingResponse, dependencies=[Depends(limit_downloads)]
)
async def download_losses(controller: RunControllerDep, services: ServicesDep) -> StreamingResponse:
    """Stream the loss of every update as CSV."""
    run = controller.run
    layout, factor = batch_layout(run.spec, run.corpus_characters), run.spec.smoothing
    find = PositionFinder(layout)
    # Unlimited reads: a response that has begun cannot be refused.
    read = services.supervisor.store.low_priority

    def csv_rows(
        first: int, losses: NDArray[np.float64], smooth: float | None
    ) -> tuple[str, float]:
        rows = []
        for offset, (loss, after) in enumerate(
            zip(losses.tolist(), smooth_losses(losses.tolist(), smooth, factor), strict=True)
        ):
            epoch, position = find.locate(first + offset)
            rows.append(f"{first + offset},{epoch},{position},{loss!r},{after!r}\n")
        return "".join(rows), after

    end = run.update
    # Before the response begins, so that a deletion meanwhile is answered with 404.
    first_chunk = await services.store_reader(queries.loss_chunk, run.id, -1)

    async def rows(found: tuple[int, NDArray[np.float64]] | None) -> AsyncIterator[str]:
        sent, smooth = 0, None
        yield "update,epoch,position,loss,smooth_loss\n"
        while found is not None:
            chunk, losses = found
            first = chunk * CHUNK_UPDATES + 1
            text, smooth = await asyncio.to_thread(csv_rows, first, losses, smooth)
            yield text
            sent = first + len(losses) - 1
            if len(losses) < CHUNK_UPDATES:
                break
            found = await read(queries.loss_chunk, run.id, chunk)
        if sent < end:
            # The run was deleted or went back. An aborted response is recognised as incomplete.
            raise RuntimeError(f"the losses of run {run.id} end at {sent:,} of {end:,}")

    return StreamingResponse(
        rows(first_chunk),
        media_type="text/csv",
        headers=as_download(f"hurrah-{run.id}-losses.csv"),
    )
