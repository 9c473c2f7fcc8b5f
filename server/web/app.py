"""The ASGI application: routes, error handlers and middleware."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from server import __version__
from server.settings import Settings
from server.web.games import routes as games
from server.web.http.body_limit import BodyLimit
from server.web.http.openapi import add_openapi_route
from server.web.http.problems import add_error_handlers
from server.web.http.request_cancellation import RequestCancellation
from server.web.http.root_path import AddRootPath, StripRootPath
from server.web.http.shutdown_response import ShutdownResponse
from server.web.http.static_files import PREFIX
from server.web.lectures import routes as lectures
from server.web.lifespan import open_services
from server.web.live import polling, websocket, workers
from server.web.live.viewer_limit import ViewerLimit
from server.web.monitoring.webhook import Webhook, signing_key
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
    sweeps,
    transfer,
)
from server.web.routes.cluster import machines
from server.web.routes.course import gradients, mistakes
from server.web.routes.groups import losses as group_losses
from server.web.routes.groups import members
from server.web.routes.history import losses, metrics, samples
from server.web.routes.inside import experiments, health, probe, units, unrolled
from server.web.routes.own import losses as own_losses
from server.web.routes.own import parameters
from server.web.security.forwarded_headers import ForwardedHeaders
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
        async with contextlib.AsyncExitStack() as stack:
            services = await stack.enter_async_context(open_services(settings))
            app.state.services = services
            if settings.metrics:
                await stack.enter_async_context(app.state.metrics.observe(services))
            if settings.webhook_url is not None:
                webhook = Webhook(
                    settings.webhook_url, signing_key(settings), services.supervisor.store
                )
                services.broadcaster.follow(webhook)
                await stack.enter_async_context(webhook.sending())
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
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    add_error_handlers(app)
    add_openapi_route(app)
    for module in (
        pages,
        corpora,
        runs,
        sweeps,
        machines,
        group_losses,
        members,
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
        lectures,
        games,
        websocket,
        workers,
        polling,
    ):
        app.include_router(module.router)
    app.mount(PREFIX, pages.static_files())
    # The middleware added last is the first to see a request.
    app.add_middleware(AddRootPath, root_path=settings.root_path)
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
    if settings.metrics:
        _add_metrics(app)
    app.add_middleware(StripRootPath, root_path=settings.root_path)
    app.add_middleware(ForwardedHeaders, trusted=settings.proxy_networks)
    return app


def _add_metrics(app: FastAPI) -> None:
    # It imports a package that only the extra `metrics` installs.
    from server.web.monitoring.metrics import Metrics, RequestTimer, router  # noqa: PLC0415

    app.state.metrics = Metrics()
    app.include_router(router)
    app.add_middleware(RequestTimer, metrics=app.state.metrics)
