"""Runs: make, list, and what may be done with one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.spec.run_change import RunChange
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run
from server.web.dependencies import Life, TheOffice

router = APIRouter(prefix="/api/runs", tags=["runs"])

MAX_STEP_UPDATES = 1_000_000


class StepRequest(BaseModel):
    """How many updates to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    updates: Annotated[int, Field(ge=1, le=MAX_STEP_UPDATES)]


class ForkRequest(BaseModel):
    """Where to leave a run, and what is to be another."""

    model_config = ConfigDict(extra="forbid", strict=True)

    checkpoint: Annotated[str, Field(min_length=1, max_length=64)]
    spec: dict[str, Any] | None = None


@router.get("")
async def list_runs(services: TheOffice) -> list[Run]:
    """Return all runs, newest first."""
    return services.supervisor.runs()


@router.post("", status_code=201)
async def create_run(spec: RunSpec, services: TheOffice) -> Run:
    """Make a run; it trains at once if there is room."""
    return await services.supervisor.create(spec)


@router.get("/{run_id}")
async def read_run(controller: Life) -> Run:
    """Return a run as it stands."""
    return controller.run


@router.patch("/{run_id}")
async def change_run(run_id: str, change: RunChange, services: TheOffice) -> Run:
    """Change a run while it lives."""
    return await services.supervisor.change(run_id, change)


@router.delete("/{run_id}", status_code=204)
async def delete_run(run_id: str, services: TheOffice) -> None:
    """Forget a run and all it kept."""
    await services.supervisor.delete(run_id)


@router.post("/{run_id}/fork", status_code=201)
async def fork_run(run_id: str, fork: ForkRequest, services: TheOffice) -> Run:
    """Make a run that goes on from a checkpoint, with other settings."""
    try:
        return await services.supervisor.fork(run_id, fork.checkpoint, fork.spec or {})
    except ValidationError as error:
        # The changes became part of a spec only after the request was read.
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from error


@router.post("/{run_id}/pause")
async def pause_run(run_id: str, services: TheOffice) -> Run:
    """Stop a run where it is; the answer names the update at which it stands."""
    return await services.supervisor.pause(run_id)


@router.post("/{run_id}/resume")
async def resume_run(run_id: str, services: TheOffice) -> Run:
    """Let a run train."""
    return await services.supervisor.resume(run_id)


@router.post("/{run_id}/stop")
async def stop_run(run_id: str, services: TheOffice) -> Run:
    """End a run."""
    return await services.supervisor.stop(run_id)


@router.post("/{run_id}/step")
async def step_run(run_id: str, step: StepRequest, services: TheOffice) -> Run:
    """Make exactly so many updates of a paused run."""
    return await services.supervisor.step(run_id, step.updates)
