"""The ASGI application: routes, error handlers and middleware."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from server import __version__
from server.settings import Settings
from server.web.http.body_limit import BodyLimit
from server.web.http.openapi import add_openapi_route
from server.web.http.problems import add_error_handlers
from server.web.http.request_cancellation import RequestCancellation
from server.web.http.shutdown_response import ShutdownResponse
from server.web.http.static_files import PREFIX
from server.web.lifespan import open_services
from server.web.live import polling, websocket
from server.web.live.viewer_limit import ViewerLimit
from server.web.routes import (
    checkpoints,
    corpora,
    estimates,
    gradient_check,
    milestones,
    model_files,
    pages,
    passages,
    report,
    runs,
    saved_passages,
    surprisal,
    transfer,
)
from server.web.routes.course import gradients, mistakes
from server.web.routes.history import losses, metrics, samples
from server.web.routes.inside import experiments, health, probe, units, unrolled
from server.web.routes.own import losses as own_losses
from server.web.routes.own import parameters
from server.web.security.middleware import SecurityMiddleware

__all__ = ["create_app"]

# HTML and JSON are compressed. Nothing in them is secret, so their size tells nothing (BREACH).
MIN_COMPRESSED_BYTES = 1_000
# Higher levels take two to six times as long, and save another tenth.
COMPRESSION_LEVEL = 1
# Downloads would take the processor time of minutes, and a streamed passage is sent as it is made.
NOT_COMPRESSED = ("application/octet-stream", "application/x-ndjson", "text/csv")


def create_app(settings: Settings) -> FastAPI:
    """Create the application.

    Its services are opened when the server starts, and closed when it stops.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as app.state.services:
            yield

    app = FastAPI(
        title="Hurrah",
        version=__version__,
        summary="Watch a recurrent network learn to write.",
        lifespan=lifespan,
        # `add_openapi_route` serves the description; FastAPI would serialise it for each request.
        openapi_url=None,
        # The interactive documentation would load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    add_error_handlers(app)
    add_openapi_route(app)
    for module in (
        pages,
        corpora,
        runs,
        transfer,
        parameters,
        own_losses,
        estimates,
        checkpoints,
        model_files,
        passages,
        saved_passages,
        surprisal,
        probe,
        experiments,
        unrolled,
        units,
        samples,
        losses,
        metrics,
        health,
        milestones,
        report,
        gradient_check,
        gradients,
        mistakes,
        websocket,
        polling,
    ):
        app.include_router(module.router)
    app.mount(PREFIX, pages.static_files())
    # The middleware added last is the first to see a request.
    app.add_middleware(
        GZipMiddleware,
        minimum_size=MIN_COMPRESSED_BYTES,
        compresslevel=COMPRESSION_LEVEL,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *NOT_COMPRESSED),
    )
    app.add_middleware(RequestCancellation)
    app.add_middleware(ViewerLimit, settings=settings)
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(SecurityMiddleware, settings=settings)
    app.add_middleware(ShutdownResponse)
    return app
