"""The gallery of kept passages, and the models that links to passages need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response, StreamingResponse

from server.checkpoints.checkpoint_format import FINGERPRINT_DIGITS
from server.errors import UnknownRunError
from server.passages.gallery import AT_ONCE
from server.passages.saved_passage import BREAK, SavedPassage, as_markdown, as_text
from server.passages.service import PASSAGE_FINGERPRINT_DIGITS
from server.spec.run_spec import encodable
from server.web.dependencies import Life, Services, TheOffice, a_download

router = APIRouter(tags=["kept passages"])

MAX_AT_ONCE = 100
MAX_TITLE = 200

Format = Literal["txt", "md"]
WRITERS = {"txt": as_text, "md": as_markdown}
KINDS = {"txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8"}
Id = Annotated[str | None, Query(min_length=1, max_length=64)]


class _Titled(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, Field(max_length=MAX_TITLE)] | None = None

    @field_validator("title")
    @classmethod
    def _tidy(cls, value: str | None) -> str | None:
        return value if value is None else " ".join(encodable(value).split()) or None


class KeepRequest(_Titled):
    """Which passage to keep: its run, and the fingerprint that came with it."""

    run: Annotated[str, Field(min_length=1, max_length=64)]
    fingerprint: Annotated[str, Field(pattern=f"^[0-9a-f]{{{PASSAGE_FINGERPRINT_DIGITS}}}$")]


class TitleChange(_Titled):
    """What a kept passage is to be called; null: nothing."""

    title: Annotated[str, Field(max_length=MAX_TITLE)] | None


class ShareRequest(BaseModel):
    """Which model is to be kept: the fingerprint that came with a passage."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{FINGERPRINT_DIGITS}}}$")]


class RunOfKept(BaseModel):
    """A run of which passages are kept."""

    id: str
    name: str
    kept: int
    watch_words: list[str]


class KeptPage(BaseModel):
    """Some of the kept passages, newest first; `next` is what to go on before."""

    passages: list[SavedPassage]
    total: int
    runs: list[RunOfKept]
    next: str | None


@router.get("/api/kept", response_model=KeptPage)
async def list_passages(
    services: TheOffice,
    connection: Request,
    run: Id = None,
    before: Id = None,
    limit: Annotated[int, Query(ge=1, le=MAX_AT_ONCE)] = AT_ONCE,
) -> KeptPage | Response:
    """Return kept passages, newest first: of all runs, or of one.

    With an ETag: who asks again and again is told in a word that nothing is new.
    """
    state = await services.gallery.state()
    runs = [_run(services, run, kept) for run, kept in state.runs.items()]
    names = hash(tuple((each.id, each.name) for each in runs))
    tag = f'"{state.total}-{state.newest}-{state.changes}-{names:x}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if connection.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    found, more = await services.gallery.page(run, before, limit)
    page = KeptPage(
        passages=[_named(services, kept) for kept in found],
        total=state.total,
        runs=runs,
        next=found[-1].id if more else None,
    )
    return Response(page.model_dump_json(), media_type="application/json", headers=headers)


@router.post("/api/kept", status_code=201)
async def keep_passage(wanted: KeepRequest, services: TheOffice) -> SavedPassage:
    """Keep a passage that was written just now; durable when answered."""
    controller = services.supervisor.get(wanted.run)
    return await services.gallery.keep(controller, wanted.fingerprint, wanted.title)


@router.get("/api/kept/file", response_class=StreamingResponse, dependencies=[Depends(a_download)])
async def download_all(
    services: TheOffice,
    form: Annotated[Format, Query(alias="format")] = "txt",
    run: Id = None,
) -> StreamingResponse:
    """Return all kept passages, or those of a run, as one text."""
    return _file(services, services.gallery.all(run), "hurrah-passages", form)


@router.get("/api/kept/{kept_id}")
async def read_passage(kept_id: str, services: TheOffice) -> SavedPassage:
    """Return a kept passage."""
    return _named(services, await services.gallery.find(kept_id))


@router.get(
    "/api/kept/{kept_id}/file", response_class=StreamingResponse, dependencies=[Depends(a_download)]
)
async def download_one(
    kept_id: str, services: TheOffice, form: Annotated[Format, Query(alias="format")] = "txt"
) -> StreamingResponse:
    """Return a kept passage as a text."""
    kept = await services.gallery.find(kept_id)

    async def one() -> AsyncIterator[SavedPassage]:
        yield kept

    return _file(services, one(), f"hurrah-passage-{kept.id}", form)


@router.patch("/api/kept/{kept_id}")
async def rename_passage(kept_id: str, change: TitleChange, services: TheOffice) -> SavedPassage:
    """Give a kept passage a title, or take it away."""
    return _named(services, await services.gallery.rename(kept_id, change.title))


@router.delete("/api/kept/{kept_id}", status_code=204)
async def remove_passage(kept_id: str, services: TheOffice) -> None:
    """Forget a kept passage."""
    await services.gallery.remove(kept_id)


@router.post("/api/runs/{run_id}/models", status_code=204)
async def keep_model(controller: Life, wanted: ShareRequest, services: TheOffice) -> None:
    """Keep the model that wrote a passage, so that a link to the passage stays true."""
    await services.gallery.share(controller, wanted.model)


def _file(
    services: Services, passages: AsyncIterator[SavedPassage], name: str, form: Format
) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        first = True
        async for kept in passages:
            yield ("" if first else f"\n\n{BREAK}\n\n") + WRITERS[form](_named(services, kept))
            first = False

    disposition = f'attachment; filename="{name}.{form}"'
    return StreamingResponse(
        parts(), media_type=KINDS[form], headers={"Content-Disposition": disposition}
    )


def _run(services: Services, run: str, kept: int) -> RunOfKept:
    try:
        found = services.supervisor.get(run).run
    except UnknownRunError:  # Its text is not there, and so the run was left out.
        return RunOfKept(id=run, name=run, kept=kept, watch_words=[])
    return RunOfKept(id=run, name=found.name, kept=kept, watch_words=found.spec.watch_words or [])


def _named(services: Services, kept: SavedPassage) -> SavedPassage:
    """Return a kept passage with its run's name of today."""
    try:
        name = services.supervisor.get(kept.run).run.name
    except UnknownRunError:
        return kept
    return kept.model_copy(update={"run_name": name})
