"""Milestones: list them; add, change and delete notes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, field_validator

from server.corpora.visible_text import without_controls
from server.spec.run_spec import SpecError, StrictModel, encodable
from server.spec.schemas import Milestone
from server.store import queries
from server.web.dependencies import CommandedRunDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}/milestones", tags=["milestones"])

MAX_NOTE_CHARACTERS = 500


class NoteText(StrictModel):
    """The text of a note."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_NOTE_CHARACTERS)]

    @field_validator("text")
    @classmethod
    def _normalize_text(cls, value: str) -> str:
        text = without_controls(encodable(value), kept="\n").strip()
        if not text:
            raise ValueError("must not be blank")
        return text


class NoteRequest(NoteText):
    """A note and its update."""

    update: Annotated[int, Field(ge=0)]


@router.get("")
async def list_milestones(controller: RunControllerDep, services: ServicesDep) -> list[Milestone]:
    """Return all milestones that the run has reached, in order."""
    await controller.recorder.drain()
    return await services.store_reader(queries.list_milestones, controller.run.id)


@router.post("", status_code=201)
async def add_note(controller: CommandedRunDep, request: NoteRequest) -> Milestone:
    """Add a note to an update; durable when answered."""
    if request.update > controller.run.update:
        raise SpecError(
            "update", f"must be at most {controller.run.update:,}, the run's current update"
        )
    return await controller.recorder.add_note(request.update, request.text)


@router.patch("/{milestone_id}")
async def change_note(
    controller: CommandedRunDep, milestone_id: str, request: NoteText
) -> Milestone:
    """Change the text of a note; durable when answered."""
    return await controller.recorder.change_note(milestone_id, request.text)


@router.delete("/{milestone_id}", status_code=204)
async def delete_note(controller: CommandedRunDep, milestone_id: str) -> None:
    """Delete a note; durable when answered."""
    await controller.recorder.remove_note(milestone_id)
