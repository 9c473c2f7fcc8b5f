"""Opening the services when the server starts, and closing them when it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from server.analysis.course import CourseService
from server.analysis.estimates import EstimateService
from server.analysis.gradient_check import GradientCheckService
from server.analysis.held_out_loss import HeldOutLossService
from server.analysis.loss_analysis import LossAnalysis
from server.analysis.mistakes import MistakeTrainingService
from server.analysis.own_losses import OwnLossesService
from server.analysis.surprisal import SurprisalService
from server.cluster.addresses import server_address
from server.cluster.dask_cluster import DaskCluster
from server.cluster.scheduler import ClusterSettings
from server.corpora.excerpts import ExcerptReader
from server.corpora.library import CorpusLibrary
from server.corpora.uploads import Uploads
from server.files.durable import make_directory
from server.files.run_directories import RUNS
from server.groups.losses import GroupLosses
from server.groups.service import GroupService
from server.inspection.experiments import UnitExperiments
from server.inspection.health import HealthService
from server.inspection.models import InspectedModels
from server.inspection.predictions import PredictionService
from server.inspection.probe import ProbeService
from server.inspection.probe_history import ProbeHistoryService
from server.inspection.units import UnitService
from server.inspection.unrolled import UnrolledUpdates
from server.installation import CORPORA
from server.passages.gallery import Gallery
from server.passages.model_locator import ModelLocator
from server.passages.model_store import ModelStore
from server.passages.request import PassageLimits
from server.passages.service import PassageService
from server.report.service import ReportService
from server.runs.downloads import Downloads
from server.runs.supervisor import Supervisor
from server.settings import Settings
from server.spec.limits import Limits
from server.spec.run_spec import RunSpec
from server.standalone.model_files import ModelFiles
from server.store.executor import LimitedStoreReader, StoreExecutor
from server.sweeps.run_events import RunEvents
from server.sweeps.service import SweepService
from server.transfer.export_service import RunExports
from server.transfer.importer import RunImports
from server.transfer.installation import remove_leftovers
from server.transfer.staging import StagingLimits
from server.web.dependencies import Services
from server.web.games.games import Games
from server.web.lectures.lectures import Lectures
from server.web.live.broadcast import Broadcaster
from server.web.live.wall import Wall
from server.web.loss_cache import LossCache
from server.web.metric_cache import MetricCache
from server.web.monitoring.run_log import RunLog
from server.web.security.rate_limit import Throttle

__all__ = ["cluster_settings", "demo_spec", "open_services"]


def demo_spec(library: CorpusLibrary) -> RunSpec:
    """Return the spec of the demo run: slow at first, with many samples."""
    corpus = next(corpus for corpus in library.list() if corpus.shipped)
    return RunSpec(corpus=corpus.id, name=corpus.name, seed=5, pace="cinematic", sample_every=1_000)


def cluster_settings(settings: Settings) -> ClusterSettings:
    """Return the settings of the cluster.

    Raises
    ------
    ValueError
        They are not valid; the message is a sentence.
    """
    scheduler = settings.cluster or ""
    files = (settings.cluster_ca, settings.cluster_cert, settings.cluster_key)
    if scheduler.startswith("tls://") and None in files:
        raise ValueError(
            "A cluster with tls:// needs HURRAH_CLUSTER_CA, HURRAH_CLUSTER_CERT and"
            " HURRAH_CLUSTER_KEY."
        )
    for path in files:
        if path is not None and not path.is_file():
            raise ValueError(f"There is no file {path}.")
    host = settings.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    own = f"{'http' if settings.tls_cert is None else 'https'}://{host}:{settings.port}"
    url = server_address(settings.cluster_url, own, scheduler)
    return ClusterSettings(scheduler, url, *files)


@contextlib.asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the services, start or resume runs as the settings say, and close all at the end."""
    make_directory(settings.data_dir)
    services = await _create_services(settings)
    supervisor = services.supervisor
    beginning = asyncio.create_task(_begin(settings, services))
    if services.cluster is None:
        await beginning
    else:
        # Its workers connect to this server, which does not listen yet.
        services.cluster.await_agents()
    try:
        yield services
    finally:
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        services.wall.stop()
        services.excerpts.close()
        await services.sweeps.close()
        # These have inference processes.
        inference = (
            services.passages,
            services.gradient_checks,
            services.course,
            services.surprisal,
            services.probes,
            services.unit_experiments,
            services.unrolled_updates,
            services.probe_history,
            services.health,
            services.units,
            services.estimates,
            services.mistakes,
        )
        await asyncio.gather(*(service.close() for service in inference), supervisor.close())


async def _begin(settings: Settings, services: Services) -> None:
    """Start or resume runs as the settings say."""
    if settings.resume:
        await services.supervisor.resume_interrupted()
    if settings.demo and not services.supervisor.runs():
        await services.supervisor.create(demo_spec(services.corpora))


async def _create_services(settings: Settings) -> Services:
    library = CorpusLibrary(CORPORA, settings.data_dir)
    broadcaster = Broadcaster()
    limits = Limits(
        settings.max_training_runs,
        settings.max_network_bytes,
        settings.max_runs,
        settings.max_stored_bytes,
    )
    events = RunEvents(broadcaster)
    # Runs that were interrupted are found while the supervisor opens.
    run_log = RunLog()
    broadcaster.follow(run_log)
    cluster: DaskCluster | None = None

    def make_cluster(store: StoreExecutor, on_change: Callable[[], None]) -> DaskCluster:
        nonlocal cluster
        cluster = DaskCluster(cluster_settings(settings), store, on_change)
        return cluster

    supervisor = await Supervisor.open(
        settings.data_dir,
        library,
        events,
        limits,
        cluster=None if settings.cluster is None else make_cluster,
        collect_events=settings.webhook_url is not None,
    )
    if cluster is not None:
        await cluster.wait_for_scheduler()
    wall = Wall(supervisor.runs, supervisor.store)
    broadcaster.follow(wall)
    run_log.set_states(supervisor.runs())
    store_reader = LimitedStoreReader(supervisor.store, settings.max_read_requests)
    max_waiting = settings.max_waiting_requests
    max_characters = settings.max_probe_characters
    models = ModelStore(
        settings.data_dir / RUNS, settings.max_saved_models, settings.max_saved_models_bytes
    )
    models.delete_drafts()
    locator = ModelLocator(models)
    inspected = InspectedModels(locator)
    units = UnitService(inspected, max_waiting)
    passages = PassageService(
        PassageLimits(settings.max_passage_characters, max_characters, max_waiting),
        models,
        locator,
        library,
    )
    gradient_checks = GradientCheckService(max_characters, max_waiting)
    loss_analysis = LossAnalysis(store_reader)
    remove_leftovers(settings.data_dir, library, supervisor.uses)
    uploads = Uploads(library, supervisor.quota, settings.max_corpora)
    downloads = Downloads(max_waiting, settings.request_timeout_s)
    return Services(
        settings=settings,
        corpora=library,
        excerpts=ExcerptReader(),
        uploads=uploads,
        supervisor=supervisor,
        groups=GroupService(supervisor, store_reader),
        sweeps=await SweepService.open(supervisor, events),
        group_losses=GroupLosses(store_reader),
        cluster=cluster,
        store_reader=store_reader,
        passages=passages,
        downloads=downloads,
        model_files=ModelFiles(downloads, locator),
        exports=RunExports(settings.data_dir, library, downloads),
        imports=RunImports(
            settings.data_dir,
            supervisor,
            uploads,
            StagingLimits(
                settings.max_import_bytes, settings.max_upload_bytes, settings.max_network_bytes
            ),
            settings.max_saved_passages,
        ),
        gallery=Gallery(supervisor, store_reader, passages, models, settings.max_saved_passages),
        gradient_checks=gradient_checks,
        course=CourseService(max_waiting),
        estimates=EstimateService(max_waiting),
        mistakes=MistakeTrainingService(max_waiting),
        surprisal=SurprisalService(store_reader, supervisor.get, max_waiting),
        probes=ProbeService(inspected, units, max_characters, max_waiting),
        predictions=PredictionService(inspected, max_waiting),
        unit_experiments=UnitExperiments(inspected, max_waiting),
        unrolled_updates=UnrolledUpdates(max_waiting),
        probe_history=ProbeHistoryService(max_characters, max_waiting),
        health=HealthService(inspected, max_waiting),
        units=units,
        held_out_losses=HeldOutLossService(max_waiting),
        loss_analysis=loss_analysis,
        loss_cache=LossCache(store_reader),
        metric_cache=MetricCache(store_reader),
        own_losses=OwnLossesService(store_reader),
        reports=ReportService(
            store=supervisor.store,
            reader=store_reader,
            corpora=library,
            passages=passages,
            checks=gradient_checks,
            analysis=loss_analysis,
            waiting=max_waiting,
        ),
        broadcaster=broadcaster,
        wall=wall,
        lectures=Lectures(settings.data_dir),
        games=Games(),
        throttle=Throttle(settings),
    )
