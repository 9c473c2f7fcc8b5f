"""The application: everything put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from server import __version__
from server.runs.corpora import CorpusLibrary
from server.runs.gallery import Gallery
from server.runs.kept_models import KeptModels
from server.runs.passage_request import PassageLimits
from server.runs.passages import Passages
from server.runs.proofs import Proofs
from server.runs.readings import Readings
from server.runs.spec import RunSpec
from server.runs.spikes import Spikes
from server.runs.supervisor import Limits, Supervisor
from server.settings import SHIPPED_CORPORA, Settings
from server.web import problems
from server.web.bodies import BodyLimit
from server.web.fanout import Fanout
from server.web.office import Office
from server.web.routes import (
    checkpoints,
    corpora,
    history,
    kept,
    live,
    milestones,
    pages,
    passages,
    proofs,
    readings,
    runs,
)
from server.web.security import Guard
from server.web.throttle import Throttle

__all__ = ["create_app"]


class FreshStaticFiles(StaticFiles):
    """Files that a browser asks about each time, lest two versions mix."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or 304 when the browser has it."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def demonstration(library: CorpusLibrary) -> RunSpec:
    """Return the run that a first start begins: slow at first, and with much to read."""
    corpus = next(corpus for corpus in library.list() if corpus.shipped)
    return RunSpec(corpus=corpus.id, name=corpus.name, seed=5, pace="cinematic", sample_every=1_000)


def _desks(
    settings: Settings, supervisor: Supervisor
) -> tuple[Passages, Gallery, Proofs, Readings]:
    """Return those who write, keep what was written, check gradients, and read the book again."""
    waiting = settings.max_waiting_requests
    characters = settings.max_probe_characters
    limits = PassageLimits(settings.max_passage_characters, characters, waiting)
    models = KeptModels(
        settings.data_dir / "runs", settings.max_kept_models, settings.max_kept_models_bytes
    )
    models.forget_held()
    writer = Passages(limits, models)
    gallery = Gallery(supervisor, writer, models, settings.max_kept_passages)
    readings = Readings(supervisor.store, supervisor.get, waiting)
    return writer, gallery, Proofs(characters, waiting), readings


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings : Settings
        Where it listens and keeps things, and its limits.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        library = CorpusLibrary(SHIPPED_CORPORA, settings.data_dir)
        fanout = Fanout()
        limits = Limits(
            settings.max_training_runs,
            settings.max_network_bytes,
            settings.max_runs,
            settings.max_stored_bytes,
        )
        supervisor = await Supervisor.open(settings.data_dir, library, fanout, limits)
        app.state.office = Office(
            settings,
            library,
            supervisor,
            *_desks(settings, supervisor),
            Spikes(supervisor.store),
            fanout,
            Throttle(settings),
        )
        if settings.resume:
            await supervisor.resume_interrupted()
        if settings.demo and not supervisor.runs():
            await supervisor.create(demonstration(library))
        try:
            yield
        finally:
            office: Office = app.state.office
            desks = (office.passages, office.proofs, office.readings)
            await asyncio.gather(*(desk.leave() for desk in desks), supervisor.close())

    app = FastAPI(
        title="Hurrah",
        version=__version__,
        summary="Watch a recurrent network learn to write.",
        lifespan=lifespan,
        # The interactive documentation would come from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    for part in (
        pages,
        corpora,
        runs,
        checkpoints,
        passages,
        kept,
        history,
        milestones,
        readings,
        proofs,
        live,
    ):
        app.include_router(part.router)
    app.mount("/static", FreshStaticFiles(directory=pages.STATIC), name="static")
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Guard, settings=settings)
    return app
