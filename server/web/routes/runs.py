"""Runs: create, list, change, control and delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.responses import Response

from server.spec.run_change import RunChange
from server.spec.run_spec import RunSpec, StrictModel
from server.spec.schemas import Run, RunState
from server.web.dependencies import CommandedRunDep, RunControllerDep, ServicesDep
from server.web.run_selection import select_runs

router = APIRouter(prefix="/api/runs", tags=["runs"])

MAX_STEP_UPDATES = 1_000_000
MAX_QUEUE_POSITION = 1_000_000
MAX_SEARCH_CHARACTERS = 200
MAX_PAGE_RUNS = 10_000


class StepRequest(StrictModel):
    """The number of updates to make."""

    updates: Annotated[int, Field(ge=1, le=MAX_STEP_UPDATES)]


class MeasureTestRequest(StrictModel):
    """Whether to measure the test part although it has been measured."""

    again: bool = False


class QueueRequest(StrictModel):
    """The place among the runs that wait, from 1; a greater one than there are is the last."""

    position: Annotated[int, Field(ge=1, le=MAX_QUEUE_POSITION)]


class ForkRequest(StrictModel):
    """The checkpoint to continue from, and the fields of the spec to change."""

    checkpoint: Annotated[str, Field(min_length=1, max_length=64)]
    spec: dict[str, Any] | None = None


@router.get("")
async def list_runs(
    services: ServicesDep,
    response: Response,
    *,
    search: Annotated[str, Query(max_length=MAX_SEARCH_CHARACTERS)] = "",
    state: Annotated[list[RunState] | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int | None, Query(ge=1, le=MAX_PAGE_RUNS)] = None,
) -> list[Run]:
    """Return all runs, newest first, or a page of those that match.

    The header `X-Total-Count` is the number of runs that match.
    """
    runs = services.supervisor.runs()
    found, total = select_runs(runs, search=search, states=state or (), before=before, limit=limit)
    response.headers["X-Total-Count"] = str(total)
    return found


@router.post("", status_code=201)
async def create_run(spec: RunSpec, services: ServicesDep) -> Run:
    """Create a run; it trains at once, or is queued."""
    return await services.supervisor.create(spec)


@router.get("/{run_id}")
async def read_run(controller: RunControllerDep) -> Run:
    """Return a run."""
    return controller.run


@router.get("/{run_id}/spec.json", response_class=Response)
async def download_spec(controller: RunControllerDep) -> Response:
    """Return a run's spec as a file; the form for a new run and `train --spec` take it."""
    run = controller.run
    return Response(
        run.spec.model_dump_json(indent=2),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="hurrah-{run.id}-spec.json"'},
    )


@router.patch("/{run_id}")
async def change_run(run_id: str, change: RunChange, services: ServicesDep) -> Run:
    """Change a run; the change is in force when answered."""
    return await services.supervisor.change(run_id, change)


@router.delete("/{run_id}", status_code=204)
async def delete_run(run_id: str, services: ServicesDep) -> None:
    """Delete a run with everything stored for it."""
    await services.supervisor.delete(run_id)


@router.post("/{run_id}/fork", status_code=201)
async def fork_run(run_id: str, fork: ForkRequest, services: ServicesDep) -> Run:
    """Create a run that continues from a checkpoint, with a changed spec."""
    try:
        return await services.supervisor.fork(run_id, fork.checkpoint, fork.spec or {})
    except ValidationError as error:
        # The changed spec is validated after the request, but its errors are the request's.
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors) from error


@router.post("/{run_id}/pause")
async def pause_run(run_id: str, services: ServicesDep) -> Run:
    """Pause a run; it is paused at the update in the response."""
    return await services.supervisor.pause(run_id)


@router.post("/{run_id}/resume")
async def resume_run(run_id: str, services: ServicesDep) -> Run:
    """Resume a run."""
    return await services.supervisor.resume(run_id)


@router.post("/{run_id}/stop")
async def stop_run(run_id: str, services: ServicesDep) -> Run:
    """Stop a run."""
    return await services.supervisor.stop(run_id)


@router.post("/{run_id}/step")
async def step_run(run_id: str, step: StepRequest, services: ServicesDep) -> Run:
    """Make exactly this many updates in a paused run."""
    return await services.supervisor.step(run_id, step.updates)


@router.post("/{run_id}/test")
async def measure_test_part(
    controller: CommandedRunDep, services: ServicesDep, request: MeasureTestRequest | None = None
) -> Run:
    """Measure the loss of the best model on the test part; on disk when answered.

    A test part is for one measurement. It is measured again only with `again`.
    """
    again = request is not None and request.again
    return await services.held_out_losses.measure(controller, again=again)


@router.patch("/{run_id}/queue")
async def move_run_in_queue(run_id: str, place: QueueRequest, services: ServicesDep) -> Run:
    """Move a waiting run in the queue; the order is on disk when answered."""
    return await services.supervisor.move_in_queue(run_id, place.position)
