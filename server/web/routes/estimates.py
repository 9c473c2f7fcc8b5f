"""Estimates of a run's size, speed and duration before it is started."""

from __future__ import annotations

from fastapi import APIRouter

from server.analysis.estimates import Estimate
from server.spec.run_spec import RunSpec
from server.web.dependencies import ServicesDep

router = APIRouter(prefix="/api/estimate", tags=["runs"])


@router.post("")
async def estimate_run(spec: RunSpec, services: ServicesDep) -> Estimate:
    """Estimate the size, speed and duration of a run; no run is created."""
    corpus, sizes = services.supervisor.measure(spec)
    return await services.estimates.estimate(spec, sizes, corpus.distinct)
