"""The health of a run's network, and its memory."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from server.inspection.health import Health, Memory
from server.passages.request import AtUpdate
from server.spec.run_spec import SpecError
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}", tags=["inside"])


def model_source(
    source: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    update: Annotated[int | None, Query(ge=0, le=10**15)] = None,
) -> str | AtUpdate:
    """Return the model that a request names: `source`, or the one nearest to `update`."""
    if update is None:
        return source or "latest"
    if source is not None:
        raise SpecError("update", "cannot be combined with source")
    return AtUpdate(update=update)


ModelSourceDep = Annotated[str | AtUpdate, Depends(model_source)]


@router.get("/health", response_model=Health)
async def read_health(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    source: ModelSourceDep,
) -> Response:
    """Measure the gradients, units and weights of a model on the text that the run reads next.

    `source` is the model as in a probe request; the default is the latest one. `update` names the
    snapshot nearest to an update instead.
    """
    content = await services.health.health(controller, source, partial(admit, "surprisals"))
    return Response(content, media_type="application/json")


@router.get("/memory", response_model=Memory)
async def read_memory(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    source: ModelSourceDep,
) -> Response:
    """Measure how far back in time the gradients of a model reach; parameters as for health."""
    content = await services.health.memory(controller, source, partial(admit, "surprisals"))
    return Response(content, media_type="application/json")
