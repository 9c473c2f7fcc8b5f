"""The course: a problem to compute the gradients of, and the answer to them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, File, Query, Request, UploadFile
from starlette.responses import Response

from server.analysis.course import MAX_ANSWER_BYTES, Answer, ProblemRequest
from server.course.answer import read_answer
from server.course.recognition import AnswerError
from server.spec.run_spec import SpecError
from server.web.dependencies import RateLimiterDep, ServicesDep
from server.web.http.problems import Problem
from server.web.http.upload_form import UploadRoute

router = APIRouter(prefix="/api/course", tags=["course"], route_class=UploadRoute)


@router.get("/problem", response_class=Response)
async def read_problem(
    services: ServicesDep, admit: RateLimiterDep, query: Annotated[ProblemRequest, Query()]
) -> Response:
    """Return a problem as an `.npz` file: parameters, text, state and loss."""
    admit("downloads", 1)
    return Response(
        await services.course.problem(query),
        media_type="application/octet-stream",
        headers={"Content-Disposition": 'attachment; filename="problem.npz"'},
    )


@router.post("/answer")
async def check_answer(
    request: Request,
    services: ServicesDep,
    admit: RateLimiterDep,
    query: Annotated[ProblemRequest, Query()],
    file: Annotated[UploadFile, File()],
) -> Answer:
    """Compare gradients with those of the problem, and name the mistake; nothing is stored."""
    if (sent := len((await request.form()).getlist("file"))) > 1:
        raise SpecError("file", f"must be one file, not {sent}")
    if (size_bytes := file.size or 0) > MAX_ANSWER_BYTES:
        raise Problem(413, f"The file has {size_bytes:,} bytes; the limit is {MAX_ANSWER_BYTES:,}.")
    content = await file.read()
    try:
        await asyncio.to_thread(read_answer, content)
    except AnswerError as error:
        raise Problem(415, str(error)) from error
    admit("checks", query.checks)
    try:
        return await services.course.answer(query, content)
    except AnswerError as error:
        raise Problem(422, str(error)) from error
