"""Passages: text that a person asks for."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from server.runs.models import Passage
from server.runs.passages import PassageRequest
from server.web.office import Life, TheOffice

router = APIRouter(prefix="/api/runs/{run_id}/passages", tags=["passages"])


class PassageSet(BaseModel):
    """One passage for each temperature asked for, from the same seed."""

    passages: list[Passage]


@router.post("")
async def write_passage(
    life: Life, office: TheOffice, request: PassageRequest | None = None
) -> Passage | PassageSet:
    """Write a passage with a model of the run, in whatever state the run is."""
    request = request or PassageRequest()
    passages = await office.passages.write(life, request)
    return passages[0] if request.temperatures is None else PassageSet(passages=passages)
