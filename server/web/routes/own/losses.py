"""Losses that a user measured elsewhere, beside those of a run."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from starlette.responses import Response

from server.analysis.own_losses import (
    OwnLossesResult,
    Rows,
    bytes_of,
    fingerprint,
    read_csv,
    to_csv,
)
from server.spec.run_spec import RunSpec, SpecError, printable
from server.spec.schemas import MAX_FILE_NAME_CHARACTERS, OwnLosses
from server.web.dependencies import CommandedRunDep, RateLimiterDep, RunControllerDep, ServicesDep
from server.web.http.upload_form import UploadRoute

router = APIRouter(prefix="/api/runs/{run_id}/own-losses", tags=["runs"], route_class=UploadRoute)

NO_NAME = "losses.csv"


@router.post("")
async def compare_own_losses(
    request: Request,
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    file: Annotated[UploadFile, File()],
) -> OwnLossesResult:
    """Put the losses of a CSV file beside those of a run; nothing is stored."""
    admit("downloads", 1)
    about, rows = await _read(request, file, controller.run.spec)
    return await services.own_losses.result(controller.run, about, rows)


@router.put("")
async def keep_own_losses(
    request: Request,
    controller: CommandedRunDep,
    services: ServicesDep,
    file: Annotated[UploadFile, File()],
) -> OwnLossesResult:
    """Keep the losses of a CSV file with a run, instead of earlier ones; durable when answered."""
    about, rows = await _read(request, file, controller.run.spec)
    data = bytes_of(rows)
    await services.supervisor.quota.check(len(data))
    await controller.recorder.set_own_losses(about, data)
    return await services.own_losses.result(controller.run, about, rows)


@router.get("", response_model=OwnLossesResult)
async def read_own_losses(controller: RunControllerDep, services: ServicesDep) -> Response:
    """Return the losses that are kept with a run, beside its own."""
    body = await services.own_losses.kept(controller.run)
    return Response(body, media_type="application/json")


@router.get("/file", response_class=Response)
async def download_own_losses(controller: RunControllerDep, services: ServicesDep) -> Response:
    """Return the losses that are kept with a run as CSV."""
    rows = await services.own_losses.rows(controller.run)
    name = f"hurrah-{controller.run.id}-own-losses.csv"
    return Response(
        await asyncio.to_thread(to_csv, rows),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.delete("", status_code=204)
async def remove_own_losses(controller: CommandedRunDep) -> None:
    """Remove the losses that are kept with a run; none may be there."""
    if controller.run.own_losses is not None:
        await controller.recorder.set_own_losses(None, None)


async def _read(request: Request, file: UploadFile, spec: RunSpec) -> tuple[OwnLosses, Rows]:
    if (sent := len((await request.form()).getlist("file"))) > 1:
        raise SpecError("file", f"must be one file, not {sent}")
    try:
        name = printable(file.filename or "")[:MAX_FILE_NAME_CHARACTERS]
    except ValueError:
        name = ""
    rows, remarks = await asyncio.to_thread(read_csv, await file.read(), spec)
    about = OwnLosses(
        file=name or NO_NAME,
        rows=len(rows),
        fingerprint=fingerprint(bytes_of(rows)),
        remarks=remarks,
    )
    return about, rows
