"""Passages: text written at a user's request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from server.concurrency.json_lines import Message
from server.passages.request import PassageRequest
from server.runs.run_controller import RunController
from server.spec.schemas import Passage
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep
from server.web.http.problems import problem_body_of
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}/passages", tags=["passages"])


class PassageSet(BaseModel):
    """One passage for each requested temperature, from the same seed."""

    passages: list[Passage]


STREAMED_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}


@router.post("", response_model=Passage | PassageSet, responses=STREAMED_RESPONSE)
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
    pieces: asyncio.Queue[Message | None] = asyncio.Queue()
    task = asyncio.create_task(
        services.passages.write(controller, request, pieces.put_nowait, keep_draft=keep_draft)
    )

    def end(done: asyncio.Task[list[Passage]]) -> None:
        if not done.cancelled():
            done.exception()  # Nothing awaits the task if the client has disconnected.
        pieces.put_nowait(None)

    task.add_done_callback(end)
    try:
        # Before the first piece, an error can still be sent with its status.
        first_piece = await pieces.get()
        if first_piece is None:
            await task
    except asyncio.CancelledError:
        task.cancel()
        raise

    async def lines() -> AsyncIterator[str]:
        try:
            piece = first_piece
            while piece is not None:
                line = {"pieces": piece["pieces"]}
                if unknown := piece["unknown_characters"]:
                    line["unknown_characters"] = unknown
                yield json.dumps(line) + "\n"
                piece = await pieces.get()
            yield await _last_line(controller, request, task)
        finally:
            task.cancel()

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _last_line(
    controller: RunController, request: PassageRequest, writing: Awaitable[list[Passage]]
) -> str:
    """Return the last line of a stream: the result, or the problem that prevented it."""
    try:
        # The dependency that explains a deletion has ended with the route.
        with controller.reading():
            passages = await writing
    except Exception as error:  # noqa: BLE001 - the response has begun, so this is its only report
        return json.dumps(problem_body_of(error)) + "\n"
    return _result(request, passages).model_dump_json() + "\n"


def _result(request: PassageRequest, passages: list[Passage]) -> Passage | PassageSet:
    return passages[0] if request.temperatures is None else PassageSet(passages=passages)
