"""Gradient checks: the page's proof that the network learns by the right gradients."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from server.analysis.gradient_check import (
    ErrorCurveResult,
    GradientCheckRequest,
    GradientCheckResult,
)
from server.spec.run_spec import CellName
from server.web.dependencies import Charge, TheOffice

router = APIRouter(prefix="/api/gradient-check", tags=["gradients"])


class ErrorCurveRequest(BaseModel):
    """Whose gradients to compare with the numerical ones."""

    model_config = ConfigDict(extra="forbid", strict=True)

    cell: CellName = "rnn"


@router.post("")
async def check_gradients(
    services: TheOffice, charge: Charge, request: GradientCheckRequest | None = None
) -> GradientCheckResult:
    """Compare every gradient of a random network with two numerical derivatives."""
    request = request or GradientCheckRequest()
    charge("checks", request.checks)
    return await services.proofs.check(request)


@router.post("/steps")
async def error_against_step(
    services: TheOffice, charge: Charge, request: ErrorCurveRequest | None = None
) -> ErrorCurveResult:
    """Return how the error of each numerical derivative depends on its step."""
    charge("checks", 1)
    return await services.proofs.curve((request or ErrorCurveRequest()).cell)
