"""Checkpoints: make, list, take away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import FileResponse

from server.runs.downloads import OpenFile
from server.spec.run_spec import encodable
from server.spec.schemas import Checkpoint
from server.store import queries
from server.web.dependencies import Life, TheOffice, a_download
from server.web.http.file_response import OpenFileResponse
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}/checkpoints", tags=["checkpoints"])


class CheckpointRequest(BaseModel):
    """A checkpoint that is wanted, with a word about it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    note: Annotated[str, Field(max_length=500)] | None = None

    @field_validator("note")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        return value if value is None else encodable(value).strip() or None


@router.get("")
async def list_checkpoints(controller: Life, services: TheOffice) -> list[Checkpoint]:
    """Return the checkpoints, oldest first."""
    return await services.reads(queries.list_checkpoints, controller.run.id)


@router.post("", status_code=201)
async def make_checkpoint(
    controller: Life, services: TheOffice, request: CheckpointRequest | None = None
) -> Checkpoint:
    """Keep everything needed to go on from here; durable when answered."""
    await services.supervisor.room.check()
    made = await controller.checkpoint(request.note if request is not None else None)
    services.supervisor.room.count(made.bytes)
    return made


@router.delete("/{checkpoint_id}", status_code=204)
async def delete_checkpoint(controller: Life, checkpoint_id: str) -> None:
    """Take away a checkpoint that somebody had asked for; not the one the run goes on from."""
    await controller.checkpoint_store.remove(checkpoint_id)
    await controller.recorder.checkpoint_deleted(checkpoint_id)


async def the_file(
    request: Request, controller: Life, checkpoint_id: str, services: TheOffice
) -> AsyncIterator[OpenFile]:
    """Hold the file open until it is sent."""
    to_operator = is_operator(request)
    async with services.exports.file(controller, checkpoint_id, to_operator=to_operator) as file:
        yield file


@router.get(
    "/{checkpoint_id}/file", response_class=FileResponse, dependencies=[Depends(a_download)]
)
async def download(
    controller: Life, checkpoint_id: str, file: Annotated[OpenFile, Depends(the_file)]
) -> FileResponse:
    """Return the `.npz` of a checkpoint, of "latest", or of the "best" model."""
    return OpenFileResponse(file, f"hurrah-{controller.run.id}-{checkpoint_id}.npz")
