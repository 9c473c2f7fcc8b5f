"""Reports of the server's runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.analysis.gradient_check import (
    GradientCheckRequest,
    GradientCheckResult,
    GradientCheckService,
)
from server.analysis.loss_analysis import LossAnalysis
from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.single_flight import SingleFlightCache
from server.corpora.library import CorpusLibrary
from server.passages.service import PassageService
from server.report.formats.figures import load_plotly
from server.report.gathering import RunSources
from server.report.parts.check_sizes import check_request
from server.report.parts.writing import ServiceWriter, passage_request
from server.report.rendering import Format, make_report
from server.runs.run_controller import RunController
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import SpecError
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls, StoreExecutor

__all__ = ["ReportCost", "ReportService"]

MAX_CONCURRENT = 2
# A report has one to two megabytes.
MAX_CACHED = 8
MAX_CHECKS_CACHED = 32
# While the run trains, all clients get the same report for this long.
INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class ReportCost:
    """The work of a report, in the units of the rate limits."""

    passages: int
    checks: int


class ReportService:
    """Makes reports; equal requests at the same time share one.

    Parameters
    ----------
    store : StoreExecutor
        The database, for remarks.
    reader : StoreCalls
        The database, for everything else.
    corpora : CorpusLibrary
        The texts.
    passages, checks, analysis
        The services that compute the parts.
    waiting : int
        Reports at most, those that wait included.
    """

    def __init__(
        self,
        *,
        store: StoreExecutor,
        reader: StoreCalls,
        corpora: CorpusLibrary,
        passages: PassageService,
        checks: GradientCheckService,
        analysis: LossAnalysis,
        waiting: int,
    ) -> None:
        self._store = store
        self._reader = reader
        self._corpora = corpora
        self._passages = passages
        self._checks = checks
        self._analysis = analysis
        self._admission = AdmissionLimiter(MAX_CONCURRENT, waiting, "reports")
        self._reports: SingleFlightCache[bytes] = SingleFlightCache(MAX_CACHED)
        # The result of a check depends on the request alone.
        self._checked: SingleFlightCache[GradientCheckResult] = SingleFlightCache(MAX_CHECKS_CACHED)

    def cost(self, controller: RunController) -> ReportCost:
        """Return the work of a report of a run."""
        try:
            passages = self._passages.cost(controller, passage_request())
        except SpecError:
            passages = 1  # It is not written.
        return ReportCost(passages, check_request(controller.run.spec).checks)

    async def report(
        self, controller: RunController, name: Format, charge: Callable[[], None] = lambda: None
    ) -> bytes:
        """Return the report of a run.

        Parameters
        ----------
        controller : RunController
            The run.
        name : {"html", "md"}
            The format.
        charge : callable
            Called if the report is not cached; it may raise.

        Raises
        ------
        TooBusyError
            Too many requests are waiting.
        """
        remarks = await self.remarks(controller)
        run = controller.run.model_copy()
        trains = run.updates_per_second > 0
        state = int(time.monotonic() / INTERVAL_S) if trains else run.model_dump_json()
        key = run.id, name, remarks.model_dump_json(), state
        if key not in self._reports:
            charge()

        async def make() -> bytes:
            async with self._admission:
                return await make_report(await self._sources(controller, remarks), name)

        return await self._reports.get(key, make)

    async def remarks(self, controller: RunController) -> ReportRemarks:
        """Return the author's part of a report."""
        text = await self._reader(queries.report_remarks, controller.run.id)
        return ReportRemarks() if text is None else ReportRemarks.model_validate_json(text)

    async def save_remarks(self, controller: RunController, remarks: ReportRemarks) -> None:
        """Store the author's part of a report; durable."""
        await self._store(Store.save_report_remarks, controller.run.id, remarks.model_dump_json())

    async def prepare(self) -> None:
        """Load and start what the first report needs; nothing if another report has done so."""
        await asyncio.gather(
            asyncio.to_thread(load_plotly), self._passages.prepare(), self._checks.prepare()
        )

    async def _sources(self, controller: RunController, remarks: ReportRemarks) -> RunSources:
        await controller.recorder.drain()
        run = controller.run.model_copy()
        corpus = self._corpora.get(run.corpus)
        snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
        return RunSources(
            run=run,
            corpus=corpus,
            corpus_path=controller.corpus_path,
            text_name=controller.corpus_path.name if corpus.shipped else None,
            store=self._reader,
            analysis=self._analysis,
            check=self._check,
            writer=ServiceWriter(self._passages, controller),
            snapshots=await asyncio.to_thread(snapshots.updates),
            remarks=remarks,
        )

    async def _check(self, request: GradientCheckRequest) -> GradientCheckResult:
        return await self._checked.get(
            request.model_dump_json(), lambda: self._checks.check(request)
        )
