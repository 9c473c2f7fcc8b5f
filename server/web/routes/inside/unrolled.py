"""The next update of a run, unrolled through time."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from server.inspection.unrolled import UnrolledUpdate
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}", tags=["inside"])


@router.get("/unrolled", response_model=UnrolledUpdate)
async def unroll_update(
    controller: RunControllerDep, services: ServicesDep, admit: RateLimiterDep
) -> Response:
    """Return the next update of the run as it stands, taken apart; the run does not make it.

    While the run trains, requests within two seconds get the same answer.
    """
    count = partial(admit, "surprisals")
    content = await services.unrolled_updates.next_update(controller, count)
    return Response(content, media_type="application/json")
