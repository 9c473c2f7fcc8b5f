"""The metrics of a run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from server.rnn.metrics import MEASURED_EVERY, METRICS
from server.spec.run_spec import SpecError
from server.spec.schemas import MetricDescription, Metrics
from server.web.dependencies import RunControllerDep, ServicesDep
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
    wanted = None if names is None else _known_names(names)
    curves = await services.metric_cache.get(
        controller.run, first, last, names=wanted, points=points
    )
    return Response(curves, media_type="application/json")


def _known_names(names: str) -> tuple[str, ...]:
    found = set(names.split(","))
    if unknown := sorted(found - set(METRICS)):
        known = ", ".join(METRICS)
        raise SpecError("names", f"has {unknown[0]!r}, but the metrics are {known}")
    return tuple(name for name in METRICS if name in found)
