"""Passages: text that a person asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from server.concurrency.json_lines import Message
from server.errors import ConflictError
from server.passages.request import PassageRequest
from server.spec.schemas import Passage
from server.web.dependencies import Charge, Life, TheOffice
from server.web.http.problems import problem_body
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}/passages", tags=["passages"])


class PassageSet(BaseModel):
    """One passage for each temperature asked for, from the same seed."""

    passages: list[Passage]


STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}


@router.post("", response_model=Passage | PassageSet, responses=STREAM)
async def write_passage(
    controller: Life,
    services: TheOffice,
    charge: Charge,
    connection: Request,
    request: PassageRequest | None = None,
    *,
    stream: bool = False,
) -> Passage | PassageSet | Response:
    """Write a passage with a model of the run, in whatever state the run is.

    With `stream`, lines of JSON: ``{"pieces": [...]}`` as each text goes on, then the answer as it
    would have been without, or, should it fail midway, a problem.
    """
    request = request or PassageRequest()
    charge("passages", request.thousands)
    # Only the operator can save passages.
    keep_draft = is_operator(connection)
    if not stream:
        return _answer(
            request, await services.passages.write(controller, request, keep_draft=keep_draft)
        )
    pieces: asyncio.Queue[Message | None] = asyncio.Queue()
    writing = asyncio.create_task(
        services.passages.write(controller, request, pieces.put_nowait, keep_draft=keep_draft)
    )
    writing.add_done_callback(lambda _: pieces.put_nowait(None))
    # Until something is written, what is wrong can still be said with a status.
    first = await pieces.get()
    if first is None:
        await writing

    async def lines() -> AsyncIterator[str]:
        piece = first
        while piece is not None:
            yield json.dumps({"pieces": piece["pieces"]}) + "\n"
            piece = await pieces.get()
        try:
            yield _answer(request, await writing).model_dump_json() + "\n"
        except ConflictError as error:
            yield json.dumps(problem_body(409, str(error))) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _answer(request: PassageRequest, passages: list[Passage]) -> Passage | PassageSet:
    return passages[0] if request.temperatures is None else PassageSet(passages=passages)
