"""Whole runs as one file: export and import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Query, Request, UploadFile
from starlette.responses import Response, StreamingResponse

from server.spec.run_spec import SpecError
from server.spec.schemas import Run
from server.transfer.archive_format import SUFFIX, MissingTextError
from server.transfer.exporter import PreparedArchive
from server.transfer.importer import ImportCancelledError
from server.web.dependencies import ServicesDep, keep_open, limit_downloads
from server.web.http.upload_form import UploadRoute
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs", tags=["runs"], route_class=UploadRoute)

# The status of a response that nobody reads.
CLIENT_CLOSED = 499


async def open_archive(
    request: Request, run_id: str, services: ServicesDep, *, text: Annotated[bool, Query()] = True
) -> AsyncIterator[PreparedArchive]:
    """Keep an archive until the response is sent."""
    controller = services.supervisor.get(run_id)
    prepared = services.exports.archive(
        controller, with_text=text, to_operator=is_operator(request)
    )
    async with keep_open(controller, prepared) as archive:
        yield archive


@router.get(
    "/{run_id}/export",
    response_class=StreamingResponse,
    dependencies=[Depends(limit_downloads)],
)
async def export_run(
    run_id: str, archive: Annotated[PreparedArchive, Depends(open_archive)]
) -> StreamingResponse:
    """Return the whole run as one file; without its text if `text` is false."""
    name = f"hurrah-{run_id}{'' if archive.has_text else '-without-text'}{SUFFIX}"
    return StreamingResponse(
        _sent(archive),
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(archive.size_bytes),
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


async def _sent(archive: PreparedArchive) -> AsyncIterator[bytes]:
    pieces = archive.pieces()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


@router.post("/import", status_code=201, response_model=Run)
async def import_run(
    request: Request,
    services: ServicesDep,
    file: Annotated[UploadFile, File()],
    text: Annotated[UploadFile | None, File()] = None,
) -> Any:  # noqa: ANN401 - a run, or the response to a client that has left
    """Import an exported run as it stood; `text` is the text of one that does not contain it."""
    form = await request.form()
    for field in ("file", "text"):
        if (sent := len(form.getlist(field))) > 1:
            raise SpecError(field, f"must be one file, not {sent}")
    try:
        return await services.imports.import_run(
            file.file, None if text is None else text.file, lambda: _disconnected(request)
        )
    except MissingTextError as error:
        raise SpecError("text", str(error)) from error
    except ImportCancelledError:
        return Response(status_code=CLIENT_CLOSED)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
