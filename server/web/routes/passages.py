"""Passages: text written at a user's request."""

from __future__ import annotations

import json
from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from server.concurrency.json_lines import Message
from server.passages.request import PassageRequest
from server.spec.schemas import Passage
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep
from server.web.http.json_line_stream import JSON_LINES, stream_json_lines
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}/passages", tags=["passages"])


class PassageSet(BaseModel):
    """One passage for each requested temperature, from the same seed."""

    passages: list[Passage]


@router.post("", response_model=Passage | PassageSet, responses=JSON_LINES)
async def write_passage(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    connection: Request,
    request: PassageRequest | None = None,
    *,
    stream: bool = False,
) -> Passage | PassageSet | Response:
    """Write a passage with a model of the run, in any state of the run.

    With `stream`, the response is lines of JSON: ``{"pieces": [...]}`` with the next characters of
    each text, then the same JSON as without `stream`, or a problem if writing fails midway.
    """
    request = request or PassageRequest()
    admit("passages", services.passages.cost(controller, request))
    # Only the operator can save a passage, which needs the model.
    keep_draft = is_operator(connection)
    if not stream:
        return _result(
            request, await services.passages.write(controller, request, keep_draft=keep_draft)
        )

    async def write(send_piece: Callable[[Message], None]) -> Passage | PassageSet:
        # The dependency that explains a deletion ends with the route.
        with controller.reading():
            passages = await services.passages.write(
                controller, request, send_piece, keep_draft=keep_draft
            )
        return _result(request, passages)

    return await stream_json_lines(write, _line)


def _line(part: Message | Passage | PassageSet) -> str:
    if isinstance(part, BaseModel):
        return part.model_dump_json()
    line = {"pieces": part["pieces"]}
    if unknown := part["unknown_characters"]:
        line["unknown_characters"] = unknown
    return json.dumps(line)


def _result(request: PassageRequest, passages: list[Passage]) -> Passage | PassageSet:
    return passages[0] if request.temperatures is None else PassageSet(passages=passages)
