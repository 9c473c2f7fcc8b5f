"""The losses and metrics of groups of runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from server.groups.losses import (
    ComparedLoss,
    Differences,
    GroupLoss,
    GroupMetrics,
    MemberFigures,
)
from server.history.smoothing import FACTORS
from server.rnn.metrics import METRICS
from server.spec.run_spec import SpecError
from server.web.dependencies import ServicesDep
from server.web.loss_cache import DEFAULT_POINTS
from server.web.routes.history.metrics import DEFAULT_POINTS as DEFAULT_METRIC_POINTS
from server.web.routes.history.metrics import known_names

router = APIRouter(prefix="/api/groups", tags=["groups"])

MAX_POINTS = 5_000
MAX_COMPARED = 8


@router.get("/differences")
async def compare_groups(
    services: ServicesDep,
    groups: Annotated[str, Query(max_length=500)],
    loss: ComparedLoss = "smooth_loss",
) -> Differences:
    """Return how the lowest losses of groups differ, pair by pair, with confidence intervals.

    `groups` is a list of ids separated by commas.
    """
    ids = groups.split(",")
    if not 2 <= len(ids) <= MAX_COMPARED or len(set(ids)) < len(ids):
        raise SpecError("groups", f"must be 2 to {MAX_COMPARED} different ids separated by commas")
    members = [(group, await services.groups.members(group)) for group in ids]
    return await services.group_losses.differences(members, loss)


@router.get("/{group_id}/loss", response_model=GroupLoss)
async def read_group_loss(
    group_id: str,
    services: ServicesDep,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    *,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_POINTS,
    smoothing: Annotated[float | None, Query(ge=0, lt=1, allow_inf_nan=False)] = None,
) -> Response:
    """Return the mean and the band of a group's smooth losses, in at most `points` buckets.

    The band at an update is that of the runs that have reached it. `smoothing` is the factor of the
    smooth loss, by default the runs' own; 0 is the loss itself.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    runs = await services.groups.members(group_id)
    if smoothing == runs[0].spec.smoothing:
        smoothing = None
    if smoothing is not None and smoothing not in FACTORS:
        raise SpecError("smoothing", f"must be one of {', '.join(map(str, FACTORS))}")
    found = await services.group_losses.band(runs, first, last, points=points, smoothing=smoothing)
    return Response(found, media_type="application/json")


@router.get("/{group_id}/metrics", response_model=GroupMetrics)
async def read_group_metrics(
    group_id: str,
    services: ServicesDep,
    names: Annotated[str | None, Query(max_length=500)] = None,
    first: Annotated[int, Query(alias="from", ge=0, le=10**15)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=0, le=10**15)] = None,
    *,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = DEFAULT_METRIC_POINTS,
) -> Response:
    """Return the mean and the band of a group's metrics, in at most `points` buckets.

    `names` is a list separated by commas; without it, all metrics are returned.
    """
    if last is not None and last < first:
        raise SpecError("to", "must not be less than from")
    wanted = tuple(METRICS) if names is None else known_names(names)
    runs = await services.groups.members(group_id)
    found = await services.group_losses.metrics(runs, wanted, first, last, points=points)
    return Response(found, media_type="application/json")


@router.get("/{group_id}/figures")
async def read_figures(
    group_id: str,
    services: ServicesDep,
    smooth_loss: Annotated[float | None, Query(gt=0, le=10**9, allow_inf_nan=False)] = None,
) -> list[MemberFigures]:
    """Return the runs of a group with the figures that tables show.

    With `smooth_loss`, in nats per sequence, also when each was first below it.
    """
    runs = await services.groups.members(group_id)
    return await services.group_losses.figures(runs, smooth_loss)
