"""Estimates: what a run would be like, before it is begun."""

from __future__ import annotations

from fastapi import APIRouter

from server.analysis.estimates import Estimate
from server.spec.run_spec import RunSpec
from server.web.dependencies import TheOffice

router = APIRouter(prefix="/api/estimate", tags=["runs"])


@router.post("")
async def estimate_run(spec: RunSpec, services: TheOffice) -> Estimate:
    """Say how large, how fast and how long a run would be; nothing is begun."""
    corpus, sizes = services.supervisor.measure(spec)
    return await services.estimates.estimate(spec, sizes, corpus.distinct)
