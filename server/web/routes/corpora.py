"""Corpora: list, upload, read an excerpt, delete."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.responses import Response

from server.corpora.decoding import UnknownEncodingError, readable_encoding
from server.corpora.toy_texts import ToyText
from server.spec.run_spec import SpecError
from server.web.dependencies import ServicesDep
from server.web.http.problems import Problem
from server.web.http.upload_form import UploadRoute

router = APIRouter(prefix="/api/corpora", tags=["corpora"], route_class=UploadRoute)

MAX_EXCERPT_CHARACTERS = 10_000


class Excerpt(BaseModel):
    """The characters of a text from index `from` up to, but not including, index `to`."""

    from_: int = Field(alias="from")
    to: int
    text: str


@router.get("", response_model=list[dict[str, Any]])
async def list_corpora(services: ServicesDep) -> Response:
    """Return all corpora, without their headings."""
    return Response(services.corpora.summaries(), media_type="application/json")


@router.post("", status_code=201)
async def add_corpus(  # noqa: PLR0917 - the fields of the form
    request: Request,
    services: ServicesDep,
    file: Annotated[UploadFile, File()],
    name: Annotated[str | None, Form(max_length=200)] = None,
    encoding: Annotated[str | None, Form(max_length=40)] = None,
    leave_out_licence: Annotated[bool, Form()] = False,
) -> dict[str, Any]:
    """Add a text; without `encoding`, its encoding is detected."""
    sent = (await request.form()).getlist("file")
    if len(sent) > 1:
        raise SpecError("file", f"must be one file, not {len(sent)}: add them one after the other")
    try:
        encoding = encoding and readable_encoding(encoding)
    except UnknownEncodingError as error:
        raise SpecError("encoding", str(error)) from error
    limit_bytes, size_bytes = services.settings.max_upload_bytes, file.size or 0
    if size_bytes > limit_bytes:
        raise Problem(413, f"The file has {size_bytes:,} bytes; the limit is {limit_bytes:,}.")
    corpus = await services.uploads.add(
        file.read, name or file.filename, encoding, leave_out_licence=leave_out_licence
    )
    return corpus.to_json()


@router.post("/generated", status_code=201)
async def generate_corpus(toy: ToyText, services: ServicesDep) -> dict[str, Any]:
    """Generate a toy text and add it as a corpus."""

    async def generate() -> bytes:
        data = (await asyncio.to_thread(toy.text)).encode()
        limit_bytes = services.settings.max_upload_bytes
        if len(data) > limit_bytes:
            raise SpecError(
                "characters", f"make a text of {len(data):,} bytes; the limit is {limit_bytes:,}"
            )
        return data

    return (await services.uploads.add(generate, toy.name, "utf-8")).to_json()


@router.get("/{corpus_id}")
async def read_corpus(corpus_id: str, services: ServicesDep) -> dict[str, Any]:
    """Return a corpus with its headings."""
    return services.corpora.get(corpus_id).to_json()


@router.get("/{corpus_id}/text")
async def read_text(
    corpus_id: str,
    services: ServicesDep,
    start: Annotated[int, Query(alias="from", ge=0, le=2**53)] = 0,
    end: Annotated[int | None, Query(alias="to", ge=0, le=2**53)] = None,
) -> Excerpt:
    """Return an excerpt of a text; `to` is smaller than requested if the excerpt was cut."""
    characters = services.corpora.get(corpus_id).characters
    if end is not None and end < start:
        raise SpecError("to", "must not be less than from")
    max_end = min(start + MAX_EXCERPT_CHARACTERS, characters)
    start, end = min(start, characters), max_end if end is None else min(end, max_end)
    try:
        text = await services.excerpts.read(services.corpora.path(corpus_id), start, end)
    except FileNotFoundError:
        # The text was deleted meanwhile, or its file is missing.
        services.corpora.get(corpus_id)
        raise
    return Excerpt(**{"from": start, "to": end, "text": text})


@router.delete("/{corpus_id}", status_code=204)
async def delete_corpus(corpus_id: str, services: ServicesDep) -> None:
    """Delete a text that no run uses."""
    corpus = services.corpora.get(corpus_id)
    if services.supervisor.uses(corpus_id):
        raise Problem(409, f"A run uses {corpus.name}: delete the run first.")
    # Nothing is awaited since the check, so no run of this corpus can be created in between.
    services.corpora.remove(corpus_id)
