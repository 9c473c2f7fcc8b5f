"""The services behind the routes, and FastAPI dependencies that provide them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from server.analysis.course import CourseService
from server.analysis.estimates import EstimateService
from server.analysis.gradient_check import GradientCheckService
from server.analysis.held_out_loss import HeldOutLossService
from server.analysis.loss_analysis import LossAnalysis
from server.analysis.mistakes import MistakeTrainingService
from server.analysis.own_losses import OwnLossesService
from server.analysis.surprisal import SurprisalService
from server.cluster.dask_cluster import DaskCluster
from server.corpora.excerpts import ExcerptReader
from server.corpora.library import CorpusLibrary
from server.corpora.uploads import Uploads
from server.groups.losses import GroupLosses
from server.groups.service import GroupService
from server.inspection.experiments import UnitExperiments
from server.inspection.health import HealthService
from server.inspection.predictions import PredictionService
from server.inspection.probe import ProbeService
from server.inspection.probe_history import ProbeHistoryService
from server.inspection.units import UnitService
from server.inspection.unrolled import UnrolledUpdates
from server.passages.gallery import Gallery
from server.passages.service import PassageService
from server.report.service import ReportService
from server.runs.downloads import Downloads
from server.runs.run_controller import RunController
from server.runs.supervisor import Supervisor
from server.settings import Settings
from server.standalone.model_files import ModelFiles
from server.store.executor import LimitedStoreReader
from server.sweeps.service import SweepService
from server.transfer.export_service import RunExports
from server.transfer.importer import RunImports
from server.web.games.games import Games
from server.web.lectures.lectures import Lectures
from server.web.live.broadcast import Broadcaster
from server.web.live.wall import Wall
from server.web.loss_cache import LossCache
from server.web.metric_cache import MetricCache
from server.web.security.auth import is_operator
from server.web.security.rate_limit import Throttle, Work

__all__ = [
    "CommandedRunDep",
    "RateLimiterDep",
    "RunControllerDep",
    "Services",
    "ServicesDep",
    "keep_open",
    "limit_downloads",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a running server."""

    settings: Settings
    corpora: CorpusLibrary
    excerpts: ExcerptReader
    uploads: Uploads
    supervisor: Supervisor
    groups: GroupService
    sweeps: SweepService
    group_losses: GroupLosses
    cluster: DaskCluster | None
    store_reader: LimitedStoreReader
    passages: PassageService
    downloads: Downloads
    model_files: ModelFiles
    exports: RunExports
    imports: RunImports
    gallery: Gallery
    gradient_checks: GradientCheckService
    course: CourseService
    surprisal: SurprisalService
    probes: ProbeService
    predictions: PredictionService
    unit_experiments: UnitExperiments
    unrolled_updates: UnrolledUpdates
    probe_history: ProbeHistoryService
    health: HealthService
    units: UnitService
    held_out_losses: HeldOutLossService
    loss_analysis: LossAnalysis
    loss_cache: LossCache
    metric_cache: MetricCache
    own_losses: OwnLossesService
    estimates: EstimateService
    mistakes: MistakeTrainingService
    reports: ReportService
    broadcaster: Broadcaster
    wall: Wall
    lectures: Lectures
    games: Games
    throttle: Throttle


def get_services(connection: HTTPConnection) -> Services:
    """Return the services of the server that received the request."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_run(run_id: str, services: ServicesDep) -> AsyncIterator[RunController]:
    """Provide the controller of the run in the path, to read from the run.

    What is streamed after the route has returned is read outside of this dependency.

    Raises
    ------
    UnknownRunError
        There is no such run, or it was deleted while the route was reading.
    """
    controller = services.supervisor.get(run_id)
    with controller.reading():
        yield controller


# With this scope, a dependency can still raise when the route has returned: nothing is sent yet.
RunControllerDep = Annotated[RunController, Depends(get_run, scope="function")]


async def get_run_for_command(run_id: str, services: ServicesDep) -> AsyncIterator[RunController]:
    """Provide the controller of the run in the path; a deletion waits for the route.

    Raises
    ------
    UnknownRunError
        There is no such run, or it was deleted and the route failed.
    """
    controller = services.supervisor.get(run_id)
    with controller.command():
        yield controller


CommandedRunDep = Annotated[RunController, Depends(get_run_for_command, scope="function")]


def rate_limiter(connection: HTTPConnection, services: ServicesDep) -> Callable[[Work, int], None]:
    """Return the caller's rate limiter (a no-op for the operator)."""

    def admit(work: Work, tokens: int) -> None:
        if not is_operator(connection):
            client = connection.client
            services.throttle.admit("" if client is None else client.host, work, tokens)

    return admit


RateLimiterDep = Annotated[Callable[[Work, int], None], Depends(rate_limiter)]


@contextlib.asynccontextmanager
async def keep_open(
    controller: RunController, download: AbstractAsyncContextManager[T]
) -> AsyncIterator[T]:
    """Enter a download of a run, and keep it open until the end of the block.

    A deletion of the run while it is entered is answered as for every reading; a later one changes
    nothing.
    """
    async with contextlib.AsyncExitStack() as stack:
        with controller.reading():
            opened = await stack.enter_async_context(download)
        yield opened


def limit_downloads(admit: RateLimiterDep) -> None:
    """Count one download against the caller's rate limit."""
    admit("downloads", 1)
