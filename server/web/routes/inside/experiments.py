"""Experiments with the units of a network."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from server.inspection.intervention import Intervention, InterventionRequest
from server.inspection.spans import SpanRequest, UnitSpans
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}", tags=["inside"])


@router.post("/units/spans")
async def find_spans(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    request: SpanRequest,
) -> UnitSpans:
    """Find where in the run's text the units are active that are active in a stretch of a text."""
    count = partial(admit, "surprisals")
    return await services.unit_experiments.find_spans(controller, request, count)


@router.post("/intervention")
async def intervene(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    request: InterventionRequest,
) -> Intervention:
    """Write a passage with and without a unit held at a value, from the same seed."""
    admit("passages", services.passages.cost(controller, request.as_passages()))
    return await services.unit_experiments.intervene(controller, request)
