"""What happened to a run: losses, samples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
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
from server.rnn.training.trainer import SMOOTHING
from server.spec.run_spec import SpecError
from server.spec.schemas import (
    EpochLoss,
    Loss,
    LossByPosition,
    LossReached,
    Sample,
)
from server.store import queries
from server.store.queries import SamplesPage
from server.web.dependencies import Life, TheOffice, a_download
from server.web.loss_cache import DEFAULT_POINTS
from server.web.sample_streaming import MAX_SAMPLES, PAGE_CHARACTERS, json_pieces, samples_that_fit

router = APIRouter(prefix="/api/runs/{run_id}", tags=["history"])

MAX_POINTS = 5_000
MAX_EPOCHS = 20


@router.get("/samples", response_model=list[Sample])
async def list_samples(
    controller: Life,
    services: TheOffice,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 0,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    limit: Annotated[int | None, Query(ge=1, le=MAX_SAMPLES)] = None,
) -> StreamingResponse:
    """Return the samples in order, all those that the run has written by now.

    With `limit`, at most so many of them, and fewer where they are long: the newest, those with a
    hurrah, and others between.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    await controller.recorder.caught_up()
    run, chosen = controller.run.id, None
    if limit is not None:
        fitting = samples_that_fit(controller.run, limit)
        chosen = await services.reads(queries.select_samples, run, first, last, fitting)
    page = partial(queries.samples_page, characters=PAGE_CHARACTERS, selected=chosen)
    beginning = await services.reads(page, run, first, last)
    # What has begun to be sent is not refused midway.
    look = services.supervisor.store.low_priority

    async def after(update: int) -> SamplesPage:
        return await look(page, run, update + 1, last)

    return StreamingResponse(json_pieces(beginning, after), media_type="application/json")


@router.get("/loss", response_model=Loss)
async def read_loss(
    controller: Life,
    services: TheOffice,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    *,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS,
    smoothing: Annotated[float, Query(ge=0, lt=1, allow_inf_nan=False)] = SMOOTHING,
) -> Response:
    """Return the loss from one update to another, reduced, its extremes kept.

    `smoothing` is how much of the smooth loss each update leaves; 0 is every loss as it is.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    if smoothing not in FACTORS:
        raise SpecError("smoothing", f"must be one of {', '.join(map(str, FACTORS))}")
    curve = await services.curves.get(
        controller.run, first, last, points=points, smoothing=smoothing
    )
    return Response(curve, media_type="application/json")


@router.get("/loss/reached")
async def read_loss_reached(
    controller: Life,
    services: TheOffice,
    smooth_loss: Annotated[float, Query(gt=0, le=10**9, allow_inf_nan=False)],
) -> LossReached:
    """Return the first update after which the smooth loss, in nats a sequence, was below."""
    search = Search(done=False)
    while not search.done:
        search = await services.reads(queries.first_below, controller.run.id, smooth_loss)
    if search.update is None:
        return LossReached(smooth_loss=smooth_loss, update=None)
    (seconds,) = await services.reads(queries.training_seconds, controller.run.id, [search.update])
    return LossReached(
        smooth_loss=smooth_loss,
        update=search.update,
        seconds=seconds if isfinite(seconds) else None,
    )


@router.get("/loss/positions")
async def read_loss_by_position(
    controller: Life,
    services: TheOffice,
    epochs: Annotated[str | None, Query(max_length=500)] = None,
) -> LossByPosition:
    """Return the mean loss by position in the corpus, a row an epoch.

    `epochs` names them, separated by commas; the newest 20 where it is left out.
    """
    run = controller.run
    wanted = list(range(max(1, run.epoch - MAX_EPOCHS + 1), run.epoch + 1))
    if epochs is not None:
        parts = epochs.split(",")
        if len(parts) > MAX_EPOCHS or not all(_is_epoch(part) for part in parts):
            raise SpecError("epochs", f"must be at most {MAX_EPOCHS} numbers with commas between")
        wanted = sorted({int(part) for part in parts})
    found = await services.spikes.by_position(run, wanted)
    rows = [EpochLoss(epoch=epoch, loss=loss) for epoch, loss in found.epochs]
    return LossByPosition(positions=found.positions, epochs=rows)


@router.get("/loss/explained")
async def explain_loss(controller: Life, services: TheOffice) -> ExplainedLoss:
    """Tell whether the loss goes up and down with the pages, or with the start of each epoch."""
    return await services.spikes.explain(controller.run)


def _is_epoch(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12 and int(text) >= 1


@router.get("/losses.csv", response_class=StreamingResponse, dependencies=[Depends(a_download)])
async def download_losses(controller: Life, services: TheOffice) -> StreamingResponse:
    """Return every update's loss as it streams from the disk."""
    run = controller.run
    length = run.spec.sequence_length
    per_epoch = run.updates_per_epoch
    # What has begun to be sent is not refused midway.
    look = services.supervisor.store.low_priority

    def lines(first: int, losses: NDArray[np.float64], smooth: float | None) -> tuple[str, float]:
        rows = []
        for offset, (loss, after) in enumerate(
            zip(losses.tolist(), smooth_losses(losses.tolist(), smooth), strict=True)
        ):
            epoch, within = divmod(first + offset - 1, per_epoch)
            rows.append(f"{first + offset},{epoch + 1},{within * length},{loss!r},{after!r}\n")
        return "".join(rows), after

    async def rows() -> AsyncIterator[str]:
        end, sent = run.update, 0
        yield "update,epoch,position,loss,smooth_loss\n"
        chunk, smooth = -1, None
        while (found := await look(queries.loss_chunk, run.id, chunk)) is not None:
            chunk, losses = found
            first = chunk * CHUNK_UPDATES + 1
            text, smooth = await asyncio.to_thread(lines, first, losses, smooth)
            yield text
            sent = first + len(losses) - 1
            if len(losses) < CHUNK_UPDATES:
                break
        if sent < end:
            # The run was deleted, or went back: what was sent must not look whole.
            raise RuntimeError(f"the losses of run {run.id} end at {sent:,} of {end:,}")

    disposition = f'attachment; filename="hurrah-{run.id}-losses.csv"'
    return StreamingResponse(
        rows(), media_type="text/csv", headers={"Content-Disposition": disposition}
    )
