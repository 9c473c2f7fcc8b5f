"""Checkpoints: create, list, delete, download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field, field_validator
from starlette.responses import FileResponse

from server.corpora.visible_text import without_controls
from server.runs.downloads import OpenFile
from server.spec.run_spec import StrictModel, encodable
from server.spec.schemas import Checkpoint
from server.store import queries
from server.web.dependencies import (
    CommandedRunDep,
    RunControllerDep,
    ServicesDep,
    keep_open,
    limit_downloads,
)
from server.web.http.file_response import RANGE_RESPONSES, OpenFileResponse
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}/checkpoints", tags=["checkpoints"])


class CheckpointRequest(StrictModel):
    """A request for a checkpoint, with an optional note."""

    note: Annotated[str, Field(max_length=500)] | None = None

    @field_validator("note")
    @classmethod
    def _normalize_note(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return without_controls(encodable(value), kept="\n").strip() or None


@router.get("")
async def list_checkpoints(controller: RunControllerDep, services: ServicesDep) -> list[Checkpoint]:
    """Return the checkpoints, oldest first."""
    return await services.store_reader(queries.list_checkpoints, controller.run.id)


@router.post("", status_code=201)
async def create_checkpoint(
    controller: CommandedRunDep, services: ServicesDep, request: CheckpointRequest | None = None
) -> Checkpoint:
    """Save everything needed to continue exactly from here; durable when answered."""
    await services.supervisor.quota.check()
    checkpoint = await controller.save_checkpoint(request.note if request is not None else None)
    services.supervisor.quota.count(checkpoint.bytes)
    return checkpoint


@router.delete("/{checkpoint_id}", status_code=204)
async def delete_checkpoint(controller: CommandedRunDep, checkpoint_id: str) -> None:
    """Delete a checkpoint, unless it is automatic or the one from which the run would resume."""
    await controller.checkpoint_store.delete(checkpoint_id)
    await controller.recorder.publish_checkpoint_deleted(checkpoint_id)


async def open_checkpoint_file(
    request: Request, run_id: str, checkpoint_id: str, services: ServicesDep
) -> AsyncIterator[OpenFile]:
    """Keep a checkpoint's file open until the response is sent."""
    controller = services.supervisor.get(run_id)
    download = services.downloads.file(controller, checkpoint_id, to_operator=is_operator(request))
    async with keep_open(controller, download) as file:
        yield file


@router.get(
    "/{checkpoint_id}/file",
    response_class=FileResponse,
    responses=RANGE_RESPONSES,
    dependencies=[Depends(limit_downloads)],
)
async def download_checkpoint(
    run_id: str, checkpoint_id: str, file: Annotated[OpenFile, Depends(open_checkpoint_file)]
) -> FileResponse:
    """Return the `.npz` of a checkpoint, of the "latest" one, or of the "best" model."""
    return OpenFileResponse(file, f"hurrah-{run_id}-{checkpoint_id}.npz")
