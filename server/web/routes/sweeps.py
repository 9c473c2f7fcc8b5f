"""Sweeps: create, list, control and delete."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from server.sweeps.schemas import Sweep, SweepSpec
from server.web.dependencies import ServicesDep

router = APIRouter(prefix="/api/sweeps", tags=["sweeps"])


JSON = "application/json"


@router.get("", response_model=list[Sweep])
async def list_sweeps(services: ServicesDep) -> Response:
    """Return all sweeps, newest first."""
    return Response(b"[%b]" % b",".join(services.sweeps.json()), media_type=JSON)


@router.post("", status_code=201)
async def create_sweep(spec: SweepSpec, services: ServicesDep) -> Sweep:
    """Create a sweep; its first runs start at once if cores are free."""
    return await services.sweeps.create(spec)


@router.get("/{sweep_id}", response_model=Sweep)
async def read_sweep(sweep_id: str, services: ServicesDep) -> Response:
    """Return a sweep."""
    return Response(services.sweeps.get(sweep_id).json(), media_type=JSON)


@router.post("/{sweep_id}/pause")
async def pause_sweep(sweep_id: str, services: ServicesDep) -> Sweep:
    """Pause a sweep and its runs; no others are started."""
    return await services.sweeps.pause(sweep_id)


@router.post("/{sweep_id}/resume")
async def resume_sweep(sweep_id: str, services: ServicesDep) -> Sweep:
    """Resume a sweep and all its paused runs."""
    return await services.sweeps.resume(sweep_id)


@router.post("/{sweep_id}/stop")
async def stop_sweep(sweep_id: str, services: ServicesDep) -> Sweep:
    """End a sweep; its runs stop and keep what they have learned."""
    return await services.sweeps.stop(sweep_id)


@router.delete("/{sweep_id}", status_code=204)
async def delete_sweep(sweep_id: str, services: ServicesDep, runs: bool = False) -> None:
    """Delete a sweep, and with `runs` all its runs too; without, those that train are stopped."""
    await services.sweeps.delete(sweep_id, with_runs=runs)
