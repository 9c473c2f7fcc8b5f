"""Mistakes, live: a network with a mistake trained beside the right one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from server.analysis.mistakes import (
    MistakeTraining,
    TrainingProgress,
    TrainingResult,
    TrainingSample,
)
from server.web.dependencies import RateLimiterDep, ServicesDep
from server.web.http.problems import problem_body_of

router = APIRouter(prefix="/api/course/mistakes", tags=["course"])

STREAMED_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
}


@router.post("", response_class=Response, responses=STREAMED_RESPONSE)
async def train_mistake(
    services: ServicesDep, admit: RateLimiterDep, request: MistakeTraining | None = None
) -> Response:
    """Train a network with a mistake beside the right one, and stream both.

    The lines of the response are a `TrainingProgress` some times a second, ``{"sample"}`` with a
    `TrainingSample` now and then, and a `TrainingResult` at the end, or a problem if the training
    fails midway. The training ends when the client disconnects.
    """
    request = request or MistakeTraining()
    corpora = services.corpora
    corpus = (
        next(each for each in corpora.list() if each.shipped)
        if request.corpus is None
        else corpora.get(request.corpus)
    )
    admit("checks", services.mistakes.cost(request, corpus.distinct))
    parts: asyncio.Queue[TrainingProgress | TrainingSample | None] = asyncio.Queue()
    task = asyncio.create_task(
        services.mistakes.train(request, corpora.path(corpus.id), parts.put_nowait)
    )

    def end(done: asyncio.Task[TrainingResult]) -> None:
        if not done.cancelled():
            done.exception()  # Nothing awaits the task if the client has disconnected.
        parts.put_nowait(None)

    task.add_done_callback(end)
    try:
        # Before the first part, an error can still be sent with its status.
        first = await parts.get()
        if first is None:
            await task
    except asyncio.CancelledError:
        task.cancel()
        raise

    async def lines() -> AsyncIterator[str]:
        try:
            part = first
            while part is not None:
                yield _line(part)
                part = await parts.get()
            yield await _last_line(task)
        finally:
            task.cancel()

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _line(part: TrainingProgress | TrainingSample) -> str:
    content = part.model_dump_json()
    return f'{{"sample":{content}}}\n' if isinstance(part, TrainingSample) else f"{content}\n"


async def _last_line(task: asyncio.Task[TrainingResult]) -> str:
    try:
        return (await task).model_dump_json() + "\n"
    except Exception as error:  # noqa: BLE001 - the response has begun, so this is its only report
        return json.dumps(problem_body_of(error)) + "\n"
