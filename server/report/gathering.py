"""Gathering the content of a report from a run's database, text and models."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from server.analysis.gradient_check import GradientCheckRequest, GradientCheckResult
from server.analysis.loss_analysis import LossAnalysis
from server.analysis.own_losses import beside, rows_of
from server.corpora.library import Corpus
from server.errors import ConflictError
from server.installation import COMMAND
from server.report.content import CheckPart, EvolutionPart, LossPart, PassagePart, ReportContent
from server.report.parts import setup
from server.report.parts.check_sizes import check_request, size_differences
from server.report.parts.evolution import LENGTH, Candidates, gather_evolution
from server.report.parts.findings import find_findings
from server.report.parts.languages import language_of
from server.report.parts.writing import SEED, TEMPERATURE, UnwritableError, Writer
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import SpecError
from server.spec.schemas import Run, Sample
from server.store import queries
from server.store.executor import StoreCalls

__all__ = ["PASSAGE_LENGTH", "RunSources", "gather"]

PASSAGE_LENGTH = 1_000
POINTS = 1_500
SCRIPT_CHARACTERS = 20_000
EPOCHS_WANTED = 2

Check = Callable[[GradientCheckRequest], Awaitable[GradientCheckResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSources:
    """Everything that a report is made of.

    Attributes
    ----------
    run : Run
        The run, as it stood when the report was requested.
    corpus : Corpus or None
        The description of its text, and `corpus_path` the file; None if they are not known.
    text_name : str or None
        The file of a shipped text, as the command line names it; None for others.
    store : StoreCalls
        The database.
    analysis : LossAnalysis
        Explains the variation of the loss.
    check : callable
        Checks gradients.
    writer : Writer
        Writes texts with the run's models.
    snapshots : sequence of int
        The updates that have a snapshot.
    remarks : ReportRemarks
        The author's part.
    text_sha256 : str or None
        The SHA-256 of the text, if `corpus_path` is None and it is known.
    """

    run: Run
    corpus: Corpus | None
    corpus_path: Path | None
    text_name: str | None
    store: StoreCalls
    analysis: LossAnalysis
    check: Check
    writer: Writer
    snapshots: list[int]
    remarks: ReportRemarks
    text_sha256: str | None = None


async def gather(sources: RunSources) -> ReportContent:
    """Gather the content of a report.

    Raises
    ------
    TooBusyError
        Too many requests are waiting.
    """
    run, corpus, remarks, store = sources.run, sources.corpus, sources.remarks, sources.store
    milestones = await store(queries.list_milestones, run.id)
    ends = await _ends(run, store)
    # They wait for different processes.
    check, passage, evolution, loss, findings, about_text = tasks = (
        asyncio.ensure_future(_check(sources)),
        asyncio.ensure_future(_passage(sources)),
        asyncio.ensure_future(_evolution(sources)),
        asyncio.ensure_future(_loss(sources)),
        asyncio.ensure_future(
            find_findings(
                run,
                corpus,
                store=store,
                analysis=sources.analysis,
                milestones=milestones,
                ends=ends,
            )
        ),
        asyncio.ensure_future(asyncio.to_thread(_read_text, sources.corpus_path)),
    )
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    sha256, language = about_text.result()
    sha256 = sha256 or sources.text_sha256
    found, not_found = findings.result()
    return ReportContent(
        run_id=run.id,
        title=remarks.title or run.name,
        summary=setup.summary_of(run),
        key_figures=setup.key_figures(run),
        made_at=datetime.now(UTC).date().isoformat(),
        language=language,
        remarks=remarks,
        check=check.result(),
        loss=loss.result(),
        evolution=evolution.result(),
        passage=passage.result(),
        findings=found,
        findings_missing=not_found,
        settings=setup.setting_rows(run),
        corpus=setup.corpus_rows(run, corpus, sha256),
        environment=setup.environment_rows(run),
        command=setup.training_command(run, sources.text_name or "CORPUS.txt"),
        command_notes=setup.command_notes(
            run, milestones, sha256=None if sources.text_name else sha256
        ),
    )


async def _check(sources: RunSources) -> CheckPart:
    spec, corpus = sources.run.spec, sources.corpus
    request = check_request(spec)
    differences = size_differences(spec, None if corpus is None else corpus.distinct, request)
    try:
        result = await sources.check(request)
    except (ConflictError, SpecError) as error:
        reason = f"{error} Check them with `{COMMAND} gradcheck --cell {spec.cell}`."
        return CheckPart(missing=[reason])
    return CheckPart(request=request, result=result, differences=differences)


async def _passage(sources: RunSources) -> PassagePart:
    remarks = sources.remarks
    try:
        written = await sources.writer.best(PASSAGE_LENGTH)
    except UnwritableError as error:
        return PassagePart(missing=[str(error)])
    missing, translation = [], remarks.translation
    if sources.run.best is None:
        missing.append("No update is made yet, so this is the writing of an untrained network.")
    if translation and remarks.translated_update not in {None, written.update}:
        missing.append(
            f"The translation is of the passage of update {remarks.translated_update:,}, but the"
            " best model is a later one. Translate this passage, and paste the new translation."
        )
        translation = ""
    return PassagePart(
        text=written.text,
        update=written.update,
        smooth_loss=written.smooth_loss,
        temperature=TEMPERATURE,
        seed=SEED,
        quality=written.quality,
        translation=translation,
        missing=missing,
    )


async def _evolution(sources: RunSources) -> EvolutionPart:
    run, store = sources.run, sources.store

    async def read(updates: list[int]) -> list[Sample]:
        rows = await store(
            partial(queries.sample_slice, characters=0, selected=updates), run.id, 0, None
        )
        return [Sample.model_validate_json(text) for _, text in rows]

    async def candidates(target: int) -> Candidates:
        near = await store(queries.sample_updates_near, run.id, target)
        samples = [sample for update in near for sample in await read([update])]
        long_enough = [each.update for each in samples if len(each.text) >= LENGTH]
        return Candidates(long_enough, sources.snapshots)

    async def locate(update: int) -> tuple[int, float | None]:
        if not update:
            return 1, None
        found = await store(queries.reduced_loss, run.id, update, update, points=1)
        smooth = float(found.smooth[0]) if len(found.smooth) else None
        return (update - 1) // run.updates_per_epoch + 1, smooth

    return await gather_evolution(run.update, candidates, read, locate, sources.writer)


async def _loss(sources: RunSources) -> LossPart:
    run, corpus = sources.run, sources.corpus
    curve = await sources.store(queries.reduced_loss, run.id, 1, run.update, points=POINTS)
    per_epoch, missing = run.updates_per_epoch, []
    if run.update < (wanted := EPOCHS_WANTED * per_epoch):
        missing.append(
            f"The run has made {run.update:,} of the {wanted:,} updates of {EPOCHS_WANTED} epochs."
            f" Train it for {wanted - run.update:,} more."
        )
    references = []
    if corpus is not None:
        entropy, length = corpus.entropy, run.spec.sequence_length
        references = [
            (name, getattr(entropy, name) * length) for name in ("uniform", "unigram", "bigram")
        ]
    own = None
    if run.own_losses is not None and (data := await sources.store(queries.own_losses, run.id)):
        own = await beside(run, run.own_losses, rows_of(data), sources.store)
    return LossPart(
        update=curve.update,
        smooth=curve.smooth,
        low=curve.low,
        high=curve.high,
        bucket=curve.bucket,
        epochs=list(range(per_epoch + 1, run.update + 1, per_epoch)),
        lowest=run.best,
        last=run.smooth_loss,
        references=references,
        own=own,
        missing=missing,
    )


async def _ends(run: Run, store: StoreCalls) -> list[Sample]:
    """Return the first and the last sample; fewer if there are none."""
    first = await store(queries.sample_updates_near, run.id, 0)
    last = await store(queries.sample_updates_near, run.id, run.update)
    updates = sorted({*first[:1], *last[:1]})
    rows = await store(
        partial(queries.sample_slice, characters=10**9, selected=updates), run.id, 0, None
    )
    return [Sample.model_validate_json(text) for _, text in rows]


def _read_text(path: Path | None) -> tuple[str | None, str | None]:
    """Return the SHA-256 of a text, and its language."""
    if path is None:
        return None, None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with path.open(encoding="utf-8", newline="") as text:
        return sha256, language_of(text.read(SCRIPT_CHARACTERS))
