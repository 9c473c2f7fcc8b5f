"""What the units of a network follow."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from server.inspection.units import UnitHistory, UnitList
from server.passages.request import AtUpdate
from server.spec.run_spec import SpecError
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}/units", tags=["inside"])

Index = Annotated[int, Query(ge=0, le=10**6)]


@router.get("")
async def find_units(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    *,
    source: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    update: Annotated[int | None, Query(ge=0, le=10**15)] = None,
) -> UnitList:
    """Return the feature of the text that each unit follows.

    The model is `source`, as in a passage request, or the snapshot nearest to `update`; by default
    the latest. While a run trains, the result for its live model is the same for five seconds.
    """
    if source is not None and update is not None:
        raise SpecError("update", "cannot be combined with source")
    model = (source or "latest") if update is None else AtUpdate(update=update)
    return await services.units.find(controller, model, partial(admit, "surprisals"))


@router.get("/history")
async def unit_history(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    *,
    layer: Index,
    unit: Index,
    feature: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> UnitHistory:
    """Return the correlation of a unit with a feature at the snapshots of the run.

    `layer` and `unit` are counted from 0. Without `feature`, it is the feature that the unit
    follows in the latest model; if it follows none, the lists are empty.
    """
    count = partial(admit, "surprisals")
    return await services.units.history(controller, layer, unit, feature, count)
