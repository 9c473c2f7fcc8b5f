"""Gradient checks: the network's gradients compared with numerical derivatives."""

from __future__ import annotations

from fastapi import APIRouter

from server.analysis.gradient_check import (
    ErrorCurveResult,
    GradientCheckRequest,
    GradientCheckResult,
)
from server.rnn.cells import DEFAULT_CELL
from server.spec.run_spec import CellName, StrictModel
from server.web.dependencies import RateLimiterDep, ServicesDep

router = APIRouter(prefix="/api/gradient-check", tags=["gradients"])


class ErrorCurveRequest(StrictModel):
    """The cell whose gradients are checked."""

    cell: CellName = DEFAULT_CELL


@router.post("")
async def check_gradients(
    services: ServicesDep, admit: RateLimiterDep, request: GradientCheckRequest | None = None
) -> GradientCheckResult:
    """Compare every gradient of a random network with two numerical derivatives."""
    request = request or GradientCheckRequest()
    admit("checks", request.checks)
    return await services.gradient_checks.check(request)


@router.post("/steps")
async def read_error_curve(
    services: ServicesDep, admit: RateLimiterDep, request: ErrorCurveRequest | None = None
) -> ErrorCurveResult:
    """Return the error of each numerical derivative as a function of its step size."""
    admit("checks", 1)
    return await services.gradient_checks.curve((request or ErrorCurveRequest()).cell)
