"""Marks on the curve: list them, and write notes at updates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.spec.run_spec import SpecError, encodable
from server.spec.schemas import Milestone
from server.store import queries
from server.web.dependencies import Life, TheOffice

router = APIRouter(prefix="/api/runs/{run_id}/milestones", tags=["milestones"])

MAX_NOTE_CHARACTERS = 500


class NoteText(BaseModel):
    """What a note says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=1, max_length=MAX_NOTE_CHARACTERS)]

    @field_validator("text")
    @classmethod
    def _says_something(cls, value: str) -> str:
        text = encodable(value).strip()
        if not text:
            raise ValueError("must say something")
        return text


class NoteRequest(NoteText):
    """A note, and the update that it is about."""

    update: Annotated[int, Field(ge=0)]


@router.get("")
async def list_milestones(controller: Life, services: TheOffice) -> list[Milestone]:
    """Return the milestones in order, all those that the run has reached by now."""
    await controller.recorder.caught_up()
    return await services.reads(queries.list_milestones, controller.run.id)


@router.post("", status_code=201)
async def add_note(controller: Life, request: NoteRequest) -> Milestone:
    """Keep a note about an update; durable when answered."""
    if request.update > controller.run.update:
        raise SpecError(
            "update", f"must be at most {controller.run.update:,}, where the run stands"
        )
    return await controller.recorder.add_note(request.update, request.text)


@router.patch("/{milestone_id}")
async def change_note(controller: Life, milestone_id: str, request: NoteText) -> Milestone:
    """Let a note say something else; durable when answered."""
    return await controller.recorder.change_note(milestone_id, request.text)


@router.delete("/{milestone_id}", status_code=204)
async def remove_note(controller: Life, milestone_id: str) -> None:
    """Take a note away; durable when answered."""
    await controller.recorder.remove_note(milestone_id)
