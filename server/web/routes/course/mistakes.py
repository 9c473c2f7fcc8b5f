"""Mistakes, live: a network with a mistake trained beside the right one."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from server.analysis.mistakes import (
    MistakeTraining,
    TrainingProgress,
    TrainingResult,
    TrainingSample,
)
from server.web.dependencies import RateLimiterDep, ServicesDep
from server.web.http.json_line_stream import JSON_LINES, stream_json_lines

router = APIRouter(prefix="/api/course/mistakes", tags=["course"])


@router.post("", response_class=Response, responses=JSON_LINES)
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
    path = corpora.path(corpus.id)
    return await stream_json_lines(
        lambda send_part: services.mistakes.train(request, path, send_part), _line
    )


def _line(part: TrainingProgress | TrainingSample | TrainingResult) -> str:
    content = part.model_dump_json()
    return f'{{"sample":{content}}}' if isinstance(part, TrainingSample) else content
