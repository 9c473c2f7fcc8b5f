"""The HTML pages, the icons, the manifest of the installed page, and the health check."""

from __future__ import annotations

import inspect
import time
from functools import cache

from fastapi import APIRouter, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.templating import Jinja2Templates

from server import __version__
from server.analysis.course import ProblemRequest
from server.analysis.gradient_check import number_fields
from server.analysis.mistakes import described_mistakes, training_numbers
from server.installation import METHOD, STATIC, TEMPLATES, install_command
from server.report.parts.writing import passage_request
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.metrics import MEASURED_EVERY, METRICS
from server.spec.description import MAX_SAFE_INTEGER, form_description, script_description
from server.sweeps.samplers.sampler import has_optuna
from server.sweeps.validation import NOT_VARIED
from server.web.http.problems import Problem
from server.web.http.static_files import StaticFiles
from server.web.method import (
    method_of,
    network_method,
    reference_module,
    typeset,
    update_equations,
)
from server.web.page_limits import page_limits
from server.web.security.auth import is_operator
from server.web.toy_text_form import toy_fields, toy_tasks

router = APIRouter(include_in_schema=False)

# Made by scripts/icons.py.
ICONS = (
    ("192", "192x192", "any"),
    ("512", "512x512", "any"),
    ("maskable-512", "512x512", "maskable"),
)
PLOTLY = "vendor/plotly/plotly-basic.min.js"

templates = Jinja2Templates(TEMPLATES)
templates.env.globals["install_optuna"] = install_command("sweep-install", "optuna")


@cache
def static_files() -> StaticFiles:
    """Return the static files, read at the first call."""
    return StaticFiles(STATIC)


@router.get("/", response_class=HTMLResponse)
async def watch(request: Request) -> Response:
    """Return the page that shows a run."""
    return _page(
        request,
        "index.html",
        "watch",
        view="Watch",
        skip="the curve",
        report_passage=passage_request(),
        metrics=list(METRICS.values()),
        measured_every=MEASURED_EVERY,
        toy_tasks=toy_tasks(),
        toy_fields=toy_fields(),
        not_varied=NOT_VARIED,
        optuna=has_optuna(),
    )


@router.get("/inside", response_class=HTMLResponse)
async def inside(request: Request) -> Response:
    """Return the page that looks inside a network."""
    return _page(
        request,
        "inside.html",
        "inside",
        view="Inside",
        skip="the network",
        update_equations=update_equations(),
        typeset=typeset,
    )


@router.get("/passages", response_class=HTMLResponse)
async def gallery(request: Request) -> Response:
    """Return the page of saved passages."""
    return _page(request, "passages.html", "gallery", view="Passages", skip="the passages")


@router.get("/compare", response_class=HTMLResponse)
async def compare(request: Request) -> Response:
    """Return the page that compares runs."""
    metrics = METRICS.values()
    return _page(
        request,
        "compare.html",
        "compare",
        view="Compare",
        skip="the comparison",
        metrics=list(metrics),
        metric_names=[
            {"name": metric.name, "label": metric.label, "unit": metric.unit} for metric in metrics
        ],
    )


@router.get("/sweeps", response_class=HTMLResponse)
async def sweeps(request: Request) -> Response:
    """Return the page of all sweeps, or of one with ``?sweep=ID``."""
    return _page(
        request,
        "sweeps.html",
        "sweeps",
        view="Sweeps",
        skip="the sweep",
        detail="sweep" in request.query_params,
        optuna=has_optuna(),
    )


@router.get("/wall", response_class=HTMLResponse)
async def wall(request: Request) -> Response:
    """Return the page that shows all runs at once."""
    return _page(request, "wall.html", "wall", view="Wall", skip="the runs")


@router.get("/guess", response_class=HTMLResponse)
async def guess(request: Request) -> Response:
    """Return the page on which a hall guesses the next character."""
    return _page(request, "guess.html", "guess", view="Guess", skip="the game")


@router.get("/gradients", response_class=HTMLResponse)
async def gradients(request: Request) -> Response:
    """Return the page of the gradient check."""
    return _page(
        request,
        "gradients.html",
        "gradients",
        view="Gradients",
        skip="the verdict",
        default_cell=DEFAULT_CELL,
        check_fields=number_fields(),
        layer_methods={cell: method_of(cell) for cell in CELLS},
        network_method=network_method(),
        max_safe_integer=MAX_SAFE_INTEGER,
    )


@router.get("/reference/{module}.py")
async def reference_source(module: str) -> Response:
    """Return the source of a module of the reference."""
    found = reference_module(module)
    if found is None:
        raise Problem(404, "The reference has no such module.")
    return PlainTextResponse(inspect.getsource(found))


@router.get("/course", response_class=HTMLResponse)
async def course(request: Request) -> Response:
    """Return the page that checks a student's gradients."""
    return _page(
        request,
        "course.html",
        "course",
        view="Course",
        skip="the problem",
        default_cell=DEFAULT_CELL,
        problem_fields=number_fields(ProblemRequest),
        max_safe_integer=MAX_SAFE_INTEGER,
    )


@router.get("/course/mistakes", response_class=HTMLResponse)
async def mistakes(request: Request) -> Response:
    """Return the page that trains a network with a mistake beside the right one."""
    return _page(
        request,
        "mistakes.html",
        "mistakes",
        view="Course",
        skip="the mistakes",
        default_cell=DEFAULT_CELL,
        mistakes=described_mistakes(),
        training_fields=training_numbers(),
        max_safe_integer=MAX_SAFE_INTEGER,
    )


@router.get("/course/method", response_class=FileResponse)
async def method() -> Response:
    """Return the method of the course, docs/course.md, as text."""
    return FileResponse(METHOD, media_type="text/plain; charset=utf-8")


def _page(
    request: Request,
    template: str,
    entry: str,
    *,
    view: str,
    skip: str,
    **values: object,
) -> Response:
    root = request.scope["root_path"]
    return templates.TemplateResponse(
        request,
        template,
        {
            "title": "Hurrah" if view == "Watch" else f"{view} - Hurrah",
            "view": view,
            "skip": skip,
            "version": __version__,
            "root": root,
            "static": f"{root}{static_files().base_path}",
            "styles": static_files().style_paths(f"css/{entry}.css"),
            "modules": static_files().module_paths(f"js/{entry}.js"),
            "plotly_url": f"{root}{static_files().base_path}/{PLOTLY}",
            "operator": is_operator(request),
            "spec": form_description(),
            "spec_for_scripts": script_description(),
            "limits": page_limits(),
            **values,
        },
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Return the icon that browsers request by default."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


@router.get("/apple-touch-icon.png")
async def apple_touch_icon() -> Response:
    """Return the icon that iOS uses for a page on the home screen."""
    return FileResponse(STATIC / "icons" / "apple-touch.png", media_type="image/png")


@router.get("/manifest.webmanifest")
async def manifest(request: Request) -> Response:
    """Return the manifest with which a browser installs the page as a web app."""
    root = request.scope["root_path"]
    icons = f"{root}{static_files().base_path}/icons"
    content = {
        "id": f"{root}/",
        "name": "Hurrah",
        "short_name": "Hurrah",
        "description": "Watch a recurrent network learn to write.",
        "lang": "en",
        "start_url": f"{root}/",
        "scope": f"{root}/",
        "display": "standalone",
        # A manifest has one theme; the pages name the colours of both.
        "background_color": "#faf7f1",
        "theme_color": "#faf7f1",
        "icons": [
            {"src": f"{icons}/{name}.png", "sizes": size, "type": "image/png", "purpose": purpose}
            for name, size, purpose in ICONS
        ],
    }
    return JSONResponse(
        content,
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/healthz")
async def healthz() -> dict[str, str | float]:
    """Return the version, and the server's Unix time in seconds."""
    return {"status": "ok", "version": __version__, "time": time.time()}
