"""Texts: list, add, read a part, remove."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, Field

from server.corpora.excerpts import read_excerpt
from server.spec.run_spec import SpecError
from server.web.dependencies import TheOffice
from server.web.http.problems import Problem

router = APIRouter(prefix="/api/corpora", tags=["corpora"])

MAX_EXCERPT_CHARACTERS = 10_000


class Excerpt(BaseModel):
    """A part of a text, from the character `from` up to, not including, the character `to`."""

    from_: int = Field(alias="from")
    to: int
    text: str


@router.get("")
async def list_corpora(services: TheOffice) -> list[dict[str, Any]]:
    """Return all texts."""
    return [corpus.to_json() for corpus in services.corpora.list()]


@router.post("", status_code=201)
async def add_corpus(
    services: TheOffice,
    file: Annotated[UploadFile, File()],
    name: Annotated[str | None, Form(max_length=200)] = None,
) -> dict[str, Any]:
    """Add a text; its encoding is found out."""
    limit, size = services.settings.max_upload_bytes, file.size or 0
    if size > limit:
        raise Problem(413, f"The file has {size:,} bytes; the limit is {limit:,}.")
    corpus = await services.uploads.add(file.read, name or file.filename)
    return corpus.to_json()


@router.get("/{corpus_id}/text")
async def read_text(
    corpus_id: str,
    services: TheOffice,
    start: Annotated[int, Query(alias="from", ge=0, le=2**53)] = 0,
    end: Annotated[int | None, Query(alias="to", ge=0, le=2**53)] = None,
) -> Excerpt:
    """Return a part of a text; where more is asked for than is given at once, `to` says so."""
    characters = services.corpora.get(corpus_id).characters
    if end is not None and end < start:
        raise SpecError("to", "must not be less than from")
    furthest = min(start + MAX_EXCERPT_CHARACTERS, characters)
    start, end = min(start, characters), furthest if end is None else min(end, furthest)
    text = await asyncio.to_thread(read_excerpt, services.corpora.path(corpus_id), start, end)
    return Excerpt(**{"from": start, "to": end, "text": text})


@router.delete("/{corpus_id}", status_code=204)
async def remove_corpus(corpus_id: str, services: TheOffice) -> None:
    """Remove a text that no run uses."""
    corpus = services.corpora.get(corpus_id)
    if services.supervisor.uses(corpus_id):
        raise Problem(409, f"A run learns {corpus.name}: delete the run first.")
    # At once: nobody begins to make a run of it in between.
    services.corpora.remove(corpus_id)
