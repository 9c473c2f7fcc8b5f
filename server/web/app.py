"""The application: everything put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from server import __version__
from server.settings import Settings
from server.web.http import problems
from server.web.http.body_limit import BodyLimit
from server.web.http.openapi import describe
from server.web.http.static_files import PREFIX
from server.web.lifespan import opened
from server.web.live import websocket
from server.web.routes import (
    checkpoints,
    corpora,
    estimates,
    gradient_check,
    history,
    milestones,
    pages,
    passages,
    readings,
    runs,
    saved_passages,
)
from server.web.security.auth import SecurityMiddleware

__all__ = ["create_app"]


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings : Settings
        Where it listens and keeps things, and its limits.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings) as app.state.services:
            yield

    app = FastAPI(
        title="Hurrah",
        version=__version__,
        summary="Watch a recurrent network learn to write.",
        lifespan=lifespan,
        # FastAPI would make it anew for each who asks: see `describe`.
        openapi_url=None,
        # The interactive documentation would come from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    describe(app)
    for part in (
        pages,
        corpora,
        runs,
        estimates,
        checkpoints,
        passages,
        saved_passages,
        history,
        milestones,
        readings,
        gradient_check,
        websocket,
    ):
        app.include_router(part.router)
    app.mount(PREFIX, pages.statics())
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(SecurityMiddleware, settings=settings)
    return app
