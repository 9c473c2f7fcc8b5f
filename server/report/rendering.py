"""The formats of a report, and the files that they make."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from server.report.content import ReportContent
from server.report.formats.figures import load_plotly
from server.report.formats.html import render_html
from server.report.formats.markdown import render_markdown
from server.report.gathering import RunSources, gather

__all__ = ["FORMATS", "Format", "ReportFormat", "make_report"]

Format = Literal["html", "md"]


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A format: how a report is rendered, and the ending and the media type of the file."""

    render: Callable[[ReportContent], bytes]
    ending: str
    media_type: str


FORMATS: dict[Format, ReportFormat] = {
    "html": ReportFormat(render_html, "html", "text/html"),
    "md": ReportFormat(render_markdown, "zip", "application/zip"),
}


async def make_report(sources: RunSources, name: Format) -> bytes:
    """Gather the content of a report, and render it.

    Raises
    ------
    TooBusyError
        Too many requests are waiting.
    """
    # The first report of a process imports Plotly, while the other processes compute the content.
    loading = asyncio.ensure_future(asyncio.to_thread(load_plotly))
    try:
        content = await gather(sources)
        await loading
    finally:
        loading.cancel()
    return await asyncio.to_thread(FORMATS[name].render, content)
