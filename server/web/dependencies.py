"""What the routes work with, and how they come by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from server.analysis.estimates import Estimates
from server.analysis.gradient_check import Proofs
from server.analysis.readings import Readings
from server.analysis.spikes import Spikes
from server.corpora.library import CorpusLibrary
from server.corpora.uploads import Uploads
from server.passages.gallery import Gallery
from server.passages.service import Passages
from server.runs.downloads import Exports
from server.runs.run_controller import LiveRun
from server.runs.supervisor import Supervisor
from server.settings import Settings
from server.store.executor import LimitedStoreReader
from server.web.live.broadcast import Fanout
from server.web.loss_cache import Curves
from server.web.security.auth import is_operator
from server.web.security.rate_limit import Throttle, Work

__all__ = ["Charge", "Life", "Office", "TheOffice", "a_download"]


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that is there once the server runs."""

    settings: Settings
    corpora: CorpusLibrary
    uploads: Uploads
    supervisor: Supervisor
    reads: LimitedStoreReader
    passages: Passages
    exports: Exports
    gallery: Gallery
    proofs: Proofs
    readings: Readings
    spikes: Spikes
    curves: Curves
    estimates: Estimates
    fanout: Fanout
    throttle: Throttle


def the_office(connection: HTTPConnection) -> Office:
    """Return the running server's office."""
    office: Office = connection.app.state.office
    return office


TheOffice = Annotated[Office, Depends(the_office)]


def the_life(run_id: str, office: TheOffice) -> LiveRun:
    """Return the run that the address names."""
    return office.supervisor.get(run_id)


Life = Annotated[LiveRun, Depends(the_life)]


def the_charge(connection: HTTPConnection, office: TheOffice) -> Callable[[Work, int], None]:
    """Return what counts the wishes of who asks; the operator's are not counted."""

    def charge(work: Work, tokens: int) -> None:
        if not is_operator(connection):
            client = connection.client
            office.throttle.admit("" if client is None else client.host, work, tokens)

    return charge


Charge = Annotated[Callable[[Work, int], None], Depends(the_charge)]


def a_download(charge: Charge) -> None:
    """Count a download."""
    charge("downloads", 1)
