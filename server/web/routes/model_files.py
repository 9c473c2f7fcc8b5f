"""Files of a model: its weights, and the page that writes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import FileResponse

from server.passages.request import AtUpdate
from server.runs.downloads import OpenFile
from server.spec.run_spec import SpecError
from server.standalone.model_files import ModelFormat
from server.web.dependencies import ServicesDep, keep_open, limit_downloads
from server.web.http.file_response import RANGE_RESPONSES, OpenFileResponse
from server.web.security.auth import is_operator

router = APIRouter(prefix="/api/runs/{run_id}", tags=["models"])

WeightFormat = Literal["safetensors", "npz"]
SourceQuery = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        description='The model: "best", "best_validation", "latest", the id of a checkpoint, or'
        ' `{"update": n}` for the one nearest to an update.',
    ),
]


def parse_source(source: SourceQuery = "best") -> str | AtUpdate:
    """Return the source in a query, as in a passage request."""
    if not source.startswith("{"):
        return source
    try:
        return AtUpdate.model_validate_json(source)
    except ValidationError:
        raise SpecError(
            "source", 'must be a name, the id of a checkpoint, or {"update": n}'
        ) from None


SourceDep = Annotated[str | AtUpdate, Depends(parse_source)]


@contextlib.asynccontextmanager
async def _open_file(
    request: Request,
    run_id: str,
    services: ServicesDep,
    source: str | AtUpdate,
    format_: ModelFormat,
) -> AsyncIterator[OpenFile]:
    """Keep a file open until the response is sent."""
    controller = services.supervisor.get(run_id)
    download = services.model_files.file(
        controller, source, format_, to_operator=is_operator(request)
    )
    async with keep_open(controller, download) as file:
        yield file


async def open_weights(
    request: Request,
    run_id: str,
    services: ServicesDep,
    source: SourceDep,
    format_: Annotated[WeightFormat, Query(alias="format")] = "safetensors",
) -> AsyncIterator[OpenFileResponse]:
    """Provide the response with the weights."""
    async with _open_file(request, run_id, services, source, format_) as file:
        yield OpenFileResponse(file, _file_name(run_id, source, format_))


async def open_page(
    request: Request, run_id: str, services: ServicesDep, source: SourceDep
) -> AsyncIterator[OpenFileResponse]:
    """Provide the response with the page."""
    async with _open_file(request, run_id, services, source, "html") as file:
        name = _file_name(run_id, source, "html")
        yield OpenFileResponse(file, name, "text/html; charset=utf-8")


@router.get(
    "/weights",
    response_class=FileResponse,
    responses=RANGE_RESPONSES,
    dependencies=[Depends(limit_downloads)],
)
async def download_weights(
    response: Annotated[OpenFileResponse, Depends(open_weights)],
) -> FileResponse:
    """Return the weights of a model; docs/weights.md describes the file."""
    return response


@router.get(
    "/standalone",
    response_class=FileResponse,
    responses=RANGE_RESPONSES,
    dependencies=[Depends(limit_downloads)],
)
async def download_page(
    response: Annotated[OpenFileResponse, Depends(open_page)],
) -> FileResponse:
    """Return one HTML file that contains a model and writes text with it, without a server."""
    return response


def _file_name(run_id: str, source: str | AtUpdate, ending: str) -> str:
    name = f"update-{source.update}" if isinstance(source, AtUpdate) else source
    return f"hurrah-{run_id}-{name}.{ending}"
