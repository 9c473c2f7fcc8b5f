"""The samples of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import Sample
from server.store import queries
from server.store.queries import SampleSlice
from server.web.dependencies import RunControllerDep, Services, ServicesDep, limit_downloads
from server.web.routes.history.csv_files import as_download
from server.web.sample_streaming import (
    MAX_SAMPLES,
    SLICE_CHARACTERS,
    NextSlice,
    fitting_sample_count,
    stream_json_lines,
    stream_json_list,
)

router = APIRouter(prefix="/api/runs/{run_id}", tags=["history"])


@router.get("/samples", response_model=list[Sample])
async def list_samples(
    controller: RunControllerDep,
    services: ServicesDep,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 0,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    limit: Annotated[int | None, Query(ge=1, le=MAX_SAMPLES)] = None,
) -> StreamingResponse:
    """Return all samples that the run has written, in order.

    With `limit`, at most so many, and fewer if they are long: the newest, those with a hurrah, and
    others evenly between.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    await controller.recorder.drain()
    run, updates = controller.run.id, None
    if limit is not None:
        count = fitting_sample_count(controller.run, limit)
        updates = await services.store_reader(queries.select_samples, run, first, last, count)
    first_slice, next_slice = await _sample_slices(controller, services, first, last, updates)
    return StreamingResponse(
        stream_json_list(first_slice, next_slice), media_type="application/json"
    )


@router.get(
    "/samples.jsonl", response_class=StreamingResponse, dependencies=[Depends(limit_downloads)]
)
async def download_samples(
    controller: RunControllerDep, services: ServicesDep
) -> StreamingResponse:
    """Stream all samples as JSON Lines: one sample a line, in order."""
    await controller.recorder.drain()
    first_slice, next_slice = await _sample_slices(controller, services, 0, None, None)
    return StreamingResponse(
        stream_json_lines(first_slice, next_slice),
        media_type="application/x-ndjson",
        headers=as_download(f"hurrah-{controller.run.id}-samples.jsonl"),
    )


async def _sample_slices(
    controller: RunController,
    services: Services,
    first: int,
    last: int | None,
    updates: Sequence[int] | None,
) -> tuple[SampleSlice, NextSlice]:
    """Return the first slice of a run's samples, and the function that reads the next ones."""
    run = controller.run.id
    read_slice = partial(queries.sample_slice, characters=SLICE_CHARACTERS, selected=updates)
    first_slice = await services.store_reader(read_slice, run, first, last)
    # Unlimited reads: a response that has begun cannot be refused.
    read = services.supervisor.store.low_priority

    async def next_slice(update: int) -> SampleSlice:
        # An aborted response is recognised as incomplete; an empty slice would end the list.
        with controller.reading():
            return await read(read_slice, run, update + 1, last)

    return first_slice, next_slice
