"""What the routes work with, and how they come by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from server.analysis.estimates import EstimateService
from server.analysis.gradient_check import GradientCheckService
from server.analysis.loss_analysis import LossAnalysis
from server.analysis.surprisal import SurprisalService
from server.corpora.library import CorpusLibrary
from server.corpora.uploads import Uploads
from server.passages.gallery import Gallery
from server.passages.service import PassageService
from server.runs.downloads import Downloads
from server.runs.run_controller import RunController
from server.runs.supervisor import Supervisor
from server.settings import Settings
from server.store.executor import LimitedStoreReader
from server.web.live.broadcast import Broadcaster
from server.web.loss_cache import LossCache
from server.web.security.auth import is_operator
from server.web.security.rate_limit import Throttle, Work

__all__ = ["Charge", "Life", "Services", "TheOffice", "a_download"]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is there once the server runs."""

    settings: Settings
    corpora: CorpusLibrary
    uploads: Uploads
    supervisor: Supervisor
    reads: LimitedStoreReader
    passages: PassageService
    exports: Downloads
    gallery: Gallery
    proofs: GradientCheckService
    readings: SurprisalService
    spikes: LossAnalysis
    curves: LossCache
    estimates: EstimateService
    broadcaster: Broadcaster
    throttle: Throttle


def the_office(connection: HTTPConnection) -> Services:
    """Return the running server's office."""
    services: Services = connection.app.state.services
    return services


TheOffice = Annotated[Services, Depends(the_office)]


def get_run(run_id: str, services: TheOffice) -> RunController:
    """Return the run that the address names."""
    return services.supervisor.get(run_id)


Life = Annotated[RunController, Depends(get_run)]


def rate_limiter(connection: HTTPConnection, services: TheOffice) -> Callable[[Work, int], None]:
    """Return what counts the wishes of who asks; the operator's are not counted."""

    def charge(work: Work, tokens: int) -> None:
        if not is_operator(connection):
            client = connection.client
            services.throttle.admit("" if client is None else client.host, work, tokens)

    return charge


Charge = Annotated[Callable[[Work, int], None], Depends(rate_limiter)]


def a_download(charge: Charge) -> None:
    """Count a download."""
    charge("downloads", 1)
