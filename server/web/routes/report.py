"""The report of a run, and what its author adds to it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query
from starlette.responses import Response

from server.report.rendering import FORMATS, Format
from server.spec.report_remarks import ReportRemarks
from server.web.dependencies import (
    CommandedRunDep,
    RateLimiterDep,
    RunControllerDep,
    ServicesDep,
)

router = APIRouter(prefix="/api/runs/{run_id}/report", tags=["report"])

REPORT_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report.",
        "content": {
            each.media_type: {"schema": {"type": "string", "format": "binary"}}
            for each in FORMATS.values()
        },
    }
}


@router.get("", response_class=Response, responses=REPORT_RESPONSE)
async def read_report(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    format_name: Annotated[Format, Query(alias="format")] = "html",
) -> Response:
    """Return the report: one HTML file that works offline, or a zip archive with Markdown.

    It checks gradients and writes a passage, which count against the limits of both.
    """
    reports, run = services.reports, controller.run.id
    admit("downloads", 1)

    def charge() -> None:
        cost = reports.cost(controller)
        admit("passages", cost.passages)
        admit("checks", cost.checks)

    body = await reports.report(controller, format_name, charge)
    chosen = FORMATS[format_name]
    # As an attachment: the page's policy, which the server sends, is not that of the report.
    disposition = f'attachment; filename="hurrah-{run}-report.{chosen.ending}"'
    return Response(
        body, media_type=chosen.media_type, headers={"Content-Disposition": disposition}
    )


@router.get("/remarks")
async def read_remarks(
    controller: RunControllerDep, services: ServicesDep, background: BackgroundTasks
) -> ReportRemarks:
    """Return the title, the author and the remarks in the report."""
    # The dialog requests them when it opens, and then the report.
    background.add_task(services.reports.prepare)
    return await services.reports.remarks(controller)


@router.put("/remarks")
async def save_remarks(
    controller: CommandedRunDep, services: ServicesDep, remarks: ReportRemarks
) -> ReportRemarks:
    """Replace the title, the author and the remarks in the report; durable when answered."""
    await services.reports.save_remarks(controller, remarks)
    return remarks
