"""Saved passages, and the models that wrote them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, field_validator
from starlette.responses import Response, StreamingResponse

from server.checkpoints.checkpoint_format import FINGERPRINT_DIGITS
from server.errors import UnknownRunError
from server.passages.gallery import SLICE_SIZE
from server.passages.saved_passage import BREAK, SavedPassage, as_markdown, as_text
from server.passages.service import PASSAGE_FINGERPRINT_DIGITS
from server.spec.run_spec import StrictModel, printable
from server.web.dependencies import (
    CommandedRunDep,
    Services,
    ServicesDep,
    limit_downloads,
)

router = APIRouter(tags=["saved passages"])

MAX_SLICE_PASSAGES = 100
MAX_TITLE_CHARACTERS = 200

Format = Literal["txt", "md"]
FORMATTERS = {"txt": as_text, "md": as_markdown}
MEDIA_TYPES = {"txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8"}
IdQuery = Annotated[str | None, Query(min_length=1, max_length=64)]
FormatQuery = Annotated[Format, Query(alias="format")]


class _WithTitle(StrictModel):
    title: Annotated[str, Field(max_length=MAX_TITLE_CHARACTERS)] | None = None

    @field_validator("title")
    @classmethod
    def _normalize_title(cls, value: str | None) -> str | None:
        return value if value is None else printable(value) or None


class SaveRequest(_WithTitle):
    """The passage to save, by its run and its fingerprint."""

    run: Annotated[str, Field(min_length=1, max_length=64)]
    fingerprint: Annotated[str, Field(pattern=f"^[0-9a-f]{{{PASSAGE_FINGERPRINT_DIGITS}}}$")]


class TitleChange(_WithTitle):
    """The new title of a saved passage; null removes it."""

    title: Annotated[str, Field(max_length=MAX_TITLE_CHARACTERS)] | None


class ModelRequest(StrictModel):
    """The model to save, by its fingerprint in a passage."""

    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{FINGERPRINT_DIGITS}}}$")]


class RunWithPassages(BaseModel):
    """A run with saved passages; `passages` is their number."""

    id: str
    name: str
    passages: int
    watch_words: list[str]


class SavedPassageSlice(BaseModel):
    """Some saved passages, newest first; `next` is the `before` of the next slice."""

    passages: list[SavedPassage]
    total: int
    runs: list[RunWithPassages]
    next: str | None


@router.get("/api/passages", response_model=SavedPassageSlice)
async def list_passages(
    services: ServicesDep,
    request: Request,
    run: IdQuery = None,
    before: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=MAX_SLICE_PASSAGES)] = SLICE_SIZE,
) -> SavedPassageSlice | Response:
    """Return saved passages of all runs or of one, newest first, with an ETag."""
    state = await services.gallery.state()
    runs = [_run_with_passages(services, run, count) for run, count in state.runs.items()]
    names = hash(tuple((each.id, each.name) for each in runs))
    etag = f'"{state.total}-{state.newest}-{state.changes}-{names:x}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    passages, has_more = await services.gallery.slice(run, before, limit)
    content = SavedPassageSlice(
        passages=[_with_run_name(services, passage) for passage in passages],
        total=state.total,
        runs=runs,
        next=passages[-1].id if has_more else None,
    )
    return Response(content.model_dump_json(), media_type="application/json", headers=headers)


@router.post("/api/passages", status_code=201)
async def save_passage(request: SaveRequest, services: ServicesDep) -> SavedPassage:
    """Save a passage that was written recently; durable when answered."""
    controller = services.supervisor.get(request.run)
    with controller.command():
        return await services.gallery.save(controller, request.fingerprint, request.title)


@router.get(
    "/api/passages/file",
    response_class=StreamingResponse,
    dependencies=[Depends(limit_downloads)],
)
async def download_passages(
    services: ServicesDep, form: FormatQuery = "txt", run: IdQuery = None
) -> StreamingResponse:
    """Return all saved passages, or those of a run, as one file."""
    return _file_response(services, services.gallery.all(run), "hurrah-passages", form)


@router.get("/api/passages/{passage_id}")
async def read_passage(passage_id: str, services: ServicesDep) -> SavedPassage:
    """Return a saved passage."""
    return _with_run_name(services, await services.gallery.find(passage_id))


@router.get(
    "/api/passages/{passage_id}/file",
    response_class=StreamingResponse,
    dependencies=[Depends(limit_downloads)],
)
async def download_passage(
    passage_id: str, services: ServicesDep, form: FormatQuery = "txt"
) -> StreamingResponse:
    """Return a saved passage as a file."""
    passage = await services.gallery.find(passage_id)

    async def passages() -> AsyncIterator[SavedPassage]:
        yield passage

    return _file_response(services, passages(), f"hurrah-passage-{passage.id}", form)


@router.patch("/api/passages/{passage_id}")
async def rename_passage(
    passage_id: str, change: TitleChange, services: ServicesDep
) -> SavedPassage:
    """Change or remove the title of a saved passage."""
    return _with_run_name(services, await services.gallery.rename(passage_id, change.title))


@router.delete("/api/passages/{passage_id}", status_code=204)
async def delete_passage(passage_id: str, services: ServicesDep) -> None:
    """Delete a saved passage."""
    await services.gallery.delete(passage_id)


@router.post("/api/runs/{run_id}/models", status_code=204)
async def save_model(
    controller: CommandedRunDep, request: ModelRequest, services: ServicesDep
) -> None:
    """Save the model that wrote a passage, so that a link to the passage keeps working."""
    await services.gallery.save_model(controller, request.model)


def _file_response(
    services: Services, passages: AsyncIterator[SavedPassage], name: str, form: Format
) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        separator = ""
        async for passage in passages:
            yield separator + FORMATTERS[form](_with_run_name(services, passage))
            separator = f"\n\n{BREAK}\n\n"

    disposition = f'attachment; filename="{name}.{form}"'
    return StreamingResponse(
        parts(), media_type=MEDIA_TYPES[form], headers={"Content-Disposition": disposition}
    )


def _run_with_passages(services: Services, run: str, count: int) -> RunWithPassages:
    try:
        current = services.supervisor.get(run).run
    except UnknownRunError:
        # The run could not be loaded because its corpus is missing.
        return RunWithPassages(id=run, name=run, passages=count, watch_words=[])
    return RunWithPassages(
        id=run, name=current.name, passages=count, watch_words=current.spec.watch_words or []
    )


def _with_run_name(services: Services, passage: SavedPassage) -> SavedPassage:
    """Return a saved passage with the current name of its run."""
    try:
        name = services.supervisor.get(passage.run).run.name
    except UnknownRunError:
        return passage
    return passage.model_copy(update={"run_name": name})
