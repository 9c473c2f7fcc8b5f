"""The pages and what they are made of."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.templating import Jinja2Templates

from server import __version__
from server.spec.description import form_description, script_description
from server.web.http.static_files import Statics
from server.web.security.auth import is_operator

router = APIRouter(include_in_schema=False)

ROOT = Path(__file__).parent.parent.parent.parent
STATIC = ROOT / "static"
PLOTLY = "vendor/plotly/plotly-basic.min.js"

templates = Jinja2Templates(ROOT / "templates")


@cache
def statics() -> Statics:
    """Return what the pages are made of, read when the first asks."""
    return Statics(STATIC)


@router.get("/", response_class=HTMLResponse)
async def watch(request: Request) -> Response:
    """Return the page on which a network learns."""
    return _page(request, "index.html", "watch", view="Watch", skip="the curve")


@router.get("/passages", response_class=HTMLResponse)
async def gallery(request: Request) -> Response:
    """Return the page of kept passages."""
    return _page(request, "passages.html", "gallery", view="Passages", skip="the passages")


@router.get("/compare", response_class=HTMLResponse)
async def compare(request: Request) -> Response:
    """Return the page on which runs stand beside each other."""
    return _page(request, "compare.html", "compare", view="Compare", skip="the comparison")


@router.get("/gradients", response_class=HTMLResponse)
async def gradients(request: Request) -> Response:
    """Return the page that proves the gradients."""
    return _page(request, "gradients.html", "gradients", view="Gradients", skip="the verdict")


def _page(request: Request, template: str, entry: str, *, view: str, skip: str) -> Response:
    return templates.TemplateResponse(
        request,
        template,
        {
            "title": "Hurrah" if view == "Watch" else f"{view} - Hurrah",
            "view": view,
            "skip": skip,
            "version": __version__,
            "static": statics().address,
            "modules": statics().modules(f"js/{entry}.js"),
            "plotly_url": f"{statics().address}/{PLOTLY}",
            "operator": is_operator(request),
            "spec": form_description(),
            "spec_for_scripts": script_description(),
        },
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Return the icon that browsers ask for unbidden."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


@router.get("/healthz")
async def healthz() -> dict[str, str | float]:
    """Say that the server is well, and what time it has, in seconds since 1970."""
    return {"status": "ok", "version": __version__, "time": time.time()}
