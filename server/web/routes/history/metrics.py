"""The metrics of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query
from numpy.typing import NDArray
from starlette.responses import Response, StreamingResponse

from server.history.chunks import CHUNK
from server.history.metric_csv import metric_header, metric_row
from server.rnn.metrics import MEASURED_EVERY, METRICS, measured_updates
from server.spec.run_spec import SpecError
from server.spec.schemas import MetricDescription, Metrics
from server.spec.sizing import batch_layout
from server.store import queries
from server.web.dependencies import RunControllerDep, ServicesDep, limit_downloads
from server.web.routes.history.csv_files import PositionFinder, as_download
from server.web.routes.history.losses import MAX_POINTS

router = APIRouter(prefix="/api", tags=["history"])

DEFAULT_POINTS = 500


@router.get("/metrics")
async def list_metrics() -> list[MetricDescription]:
    """Return what metrics there are, in the order in which they are shown."""
    return [
        MetricDescription(
            name=metric.name,
            label=metric.label,
            unit=metric.unit,
            explanation=metric.explanation,
            every=MEASURED_EVERY,
        )
        for metric in METRICS.values()
    ]


@router.get("/runs/{run_id}/metrics", response_model=Metrics)
async def read_metrics(
    controller: RunControllerDep,
    services: ServicesDep,
    names: Annotated[str | None, Query(max_length=500)] = None,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    *,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS,
) -> Response:
    """Return metrics over a range of updates, reduced to at most `points` buckets.

    `names` is a list separated by commas; without it, all metrics of the run are returned.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    wanted = None if names is None else known_names(names)
    curves = await services.metric_cache.get(
        controller.run, first, last, names=wanted, points=points
    )
    return Response(curves, media_type="application/json")


@router.get(
    "/runs/{run_id}/metrics.csv",
    response_class=StreamingResponse,
    dependencies=[Depends(limit_downloads)],
)
async def download_metrics(
    controller: RunControllerDep, services: ServicesDep
) -> StreamingResponse:
    """Stream the metrics of every measured update as CSV; a cell without a value is empty."""
    run = controller.run
    find = PositionFinder(batch_layout(run.spec, run.corpus_characters))
    # Unlimited reads: a response that has begun cannot be refused.
    read = services.supervisor.store.low_priority
    measured = measured_updates(1, run.update)
    # Before the response begins, so that a deletion meanwhile is answered with 404.
    names = await services.store_reader(queries.metric_names, run.id)

    def csv_rows(updates: range, columns: list[NDArray[np.float64]]) -> str:
        rows = zip(updates, np.stack(columns, axis=1).tolist(), strict=True)
        return "".join(metric_row(update, *find.locate(update), row) for update, row in rows)

    async def rows() -> AsyncIterator[str]:
        yield metric_header(names)
        for start in range(0, len(measured) if names else 0, CHUNK):
            updates = measured[start : start + CHUNK]
            columns = await read(queries.metric_values, run.id, names, updates)
            if columns is None:
                # An aborted response is recognised as incomplete.
                raise RuntimeError(f"run {run.id} was deleted or went back")
            yield await asyncio.to_thread(csv_rows, updates, columns)

    return StreamingResponse(
        rows(),
        media_type="text/csv",
        headers=as_download(f"hurrah-{run.id}-metrics.csv"),
    )


def known_names(names: str) -> tuple[str, ...]:
    """Return the metrics of a list separated by commas, in the order of `METRICS`."""
    found = set(names.split(","))
    if unknown := sorted(found - set(METRICS)):
        known = ", ".join(METRICS)
        raise SpecError("names", f"has {unknown[0]!r}, but the metrics are {known}")
    return tuple(name for name in METRICS if name in found)
