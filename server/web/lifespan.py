"""Opening the office when the server starts, and closing it when it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from server.analysis.estimates import EstimateService
from server.analysis.gradient_check import GradientCheckService
from server.analysis.loss_analysis import LossAnalysis
from server.analysis.surprisal import SurprisalService
from server.corpora.library import CorpusLibrary
from server.corpora.uploads import Uploads
from server.files.durable import make_folder
from server.passages.gallery import Gallery
from server.passages.model_store import ModelStore
from server.passages.request import PassageLimits
from server.passages.service import PassageService
from server.runs.downloads import Downloads
from server.runs.supervisor import Supervisor
from server.settings import SHIPPED_CORPORA, Settings
from server.spec.limits import Limits
from server.spec.run_spec import RunSpec
from server.store.executor import LimitedStoreReader
from server.web.dependencies import Services
from server.web.live.broadcast import Broadcaster
from server.web.loss_cache import LossCache
from server.web.security.rate_limit import Throttle

__all__ = ["demonstration", "opened"]


def demonstration(library: CorpusLibrary) -> RunSpec:
    """Return the run that a first start begins: slow at first, and with much to read."""
    corpus = next(corpus for corpus in library.list() if corpus.shipped)
    return RunSpec(corpus=corpus.id, name=corpus.name, seed=5, pace="cinematic", sample_every=1_000)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """Open the office, begin what is to be begun, and see everybody off in the end.

    Parameters
    ----------
    settings : Settings
        Where things are kept, and the limits.
    """
    make_folder(settings.data_dir)
    services = await _furnished(settings)
    supervisor = services.supervisor
    if settings.resume:
        await supervisor.resume_interrupted()
    if settings.demo and not supervisor.runs():
        await supervisor.create(demonstration(services.corpora))
    try:
        yield services
    finally:
        desks = (services.passages, services.proofs, services.readings, services.estimates)
        await asyncio.gather(
            *(worker_client.leave() for worker_client in desks), supervisor.close()
        )


async def _furnished(settings: Settings) -> Services:
    """Return an office in which everybody is at work."""
    library = CorpusLibrary(SHIPPED_CORPORA, settings.data_dir)
    broadcaster = Broadcaster()
    limits = Limits(
        settings.max_training_runs,
        settings.max_network_bytes,
        settings.max_runs,
        settings.max_stored_bytes,
    )
    supervisor = await Supervisor.open(settings.data_dir, library, broadcaster, limits)
    reads = LimitedStoreReader(supervisor.store, settings.max_read_requests)
    waiting = settings.max_waiting_requests
    characters = settings.max_probe_characters
    models = ModelStore(
        settings.data_dir / "runs", settings.max_kept_models, settings.max_kept_models_bytes
    )
    models.delete_drafts()
    passages = PassageService(
        PassageLimits(settings.max_passage_characters, characters, waiting), models
    )
    return Services(
        settings=settings,
        corpora=library,
        uploads=Uploads(library, supervisor.room, settings.max_corpora),
        supervisor=supervisor,
        reads=reads,
        passages=passages,
        exports=Downloads(waiting, settings.request_patience_s),
        gallery=Gallery(supervisor, reads, passages, models, settings.max_kept_passages),
        proofs=GradientCheckService(characters, waiting),
        estimates=EstimateService(waiting),
        readings=SurprisalService(reads, supervisor.get, waiting),
        spikes=LossAnalysis(reads),
        curves=LossCache(reads),
        broadcaster=broadcaster,
        throttle=Throttle(settings),
    )
