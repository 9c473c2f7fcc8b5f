"""A report of a directory that `train` left."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from server.analysis.loss_analysis import LossAnalysis
from server.checkpoints.npz import DamagedArchiveError, Meta, read_archive
from server.corpora.gutenberg import find_licence, without_licence
from server.corpora.library import Corpus, describe
from server.corpora.proper_names import find_words
from server.corpora.quality import Quality, QualityMeasure
from server.history.run_history import Records
from server.report.gathering import RunSources
from server.report.offline import RunNotFoundError, open_processes, open_store
from server.report.parts.writing import FileWriter
from server.rnn.architecture import Architecture
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import RunSpec, SpecError
from server.spec.schemas import Best, LossOnTest, Milestone, Run, RunState, Sample
from server.spec.sizing import measure_sizes
from server.store.database import Store
from server.store.executor import StoreExecutor

__all__ = ["CHECKPOINT", "open_training"]

CHECKPOINT, BEST, LOSSES, SAMPLES = "checkpoint.npz", "best.npz", "losses.csv", "samples.txt"
TEST = "test.json"
DATABASE = "training.db"
HEADING = re.compile(
    r"^--- update ([\d,]+)(?:, smooth loss (\S+?))?(?:, validation loss (\S+))?$", re.MULTILINE
)


@contextlib.asynccontextmanager
async def open_training(directory: Path, text: str | None, name: str) -> AsyncIterator[RunSources]:
    """Open a directory that `train` left.

    Parameters
    ----------
    directory : pathlib.Path
        The directory.
    text : str or None
        The text that the network learned from; None if it is not at hand.
    name : str
        The name of the text.

    Raises
    ------
    RunNotFoundError
        A file is missing or cannot be read, or the text is another one.
    """
    training = _Training(directory, text, name)
    with tempfile.TemporaryDirectory(prefix="hurrah-") as temporary:
        corpus_path = None
        if training.text is not None:
            corpus_path = Path(temporary) / "text.txt"
            corpus_path.write_bytes(training.text.encode())
        async with open_store(Path(temporary) / DATABASE) as store:
            await training.store(store)
            best = directory / BEST
            async with open_processes() as (inference, checks):
                yield RunSources(
                    run=training.run,
                    corpus=training.corpus,
                    corpus_path=corpus_path,
                    text_name=None if text is None else name,
                    store=store,
                    analysis=LossAnalysis(store),
                    check=checks.check,
                    writer=FileWriter(
                        inference,
                        (best if best.exists() else directory / CHECKPOINT, "best"),
                        None,
                        corpus_path,
                        training.run.spec.model_dump(mode="json"),
                    ),
                    snapshots=[],
                    remarks=ReportRemarks(),
                    text_sha256=training.text_sha256,
                )


class _Training:
    """The files of a training, read.

    Attributes
    ----------
    run : Run
        The training as a run; its id is the directory's name.
    corpus : Corpus or None
        The text's description; None if it is not at hand.
    text : str or None
        The text as the network read it, which may lack a licence.
    text_sha256 : str or None
        Its SHA-256; None in checkpoints of early versions.
    """

    def __init__(self, directory: Path, text: str | None, name: str) -> None:
        meta = _read_meta(directory / CHECKPOINT)
        self.corpus: Corpus | None = None
        if text is not None:
            text = _text_of(meta, text)
            if text is None:
                raise RunNotFoundError(f"{name} is not the text of the training in {directory}.")
            self.corpus = replace(describe(text, "text"), name=name)
        self.text = text
        self.text_sha256: str | None = meta.get("text_sha256")
        self._losses = _read_losses(directory / LOSSES)
        self.run = self._run(directory, meta, name)
        self._samples = self._read_samples(directory / SAMPLES, text)

    async def store(self, store: StoreExecutor) -> None:
        """Store the run, its losses, samples and hurrahs."""
        run, text = self.run, self.run.model_dump_json()
        await store(Store.add_run, run.id, text)
        if len(self._losses):
            await store(Store.add_report, run.id, text, Records(1, self._losses), [])
        for sample in self._samples:
            hurrahs = [
                Milestone(update=sample.update, kind="hurrah", text=word) for word in sample.hurrahs
            ]
            await store(Store.add_sample, run.id, sample, hurrahs)

    def _run(self, directory: Path, meta: Meta, name: str) -> Run:
        try:
            spec = RunSpec.model_validate({"loss_smoothing": 0.999} | meta["spec"])
            trainer = meta["trainer"]
            update, best = int(trainer["updates"]), trainer.get("best_update")
            self._losses = self._losses[:update]
            distinct = len(meta["vocabulary"])
            return Run(
                id=directory.resolve().name,
                name=directory.resolve().name,
                state=RunState.FINISHED,
                spec=spec,
                corpus="text",
                corpus_name=name if self.corpus is not None else "a text that is not named here",
                corpus_characters=0 if self.corpus is None else self.corpus.characters,
                update=update,
                epoch=trainer["epoch"],
                position=trainer["position"],
                loss=trainer["loss"],
                smooth_loss=trainer["smooth_loss"],
                best=None
                if best is None
                else Best(update=best, smooth_loss=trainer["best_smooth_loss"]),
                validation_loss=trainer.get("validation_loss"),
                test=_read_test(directory / TEST),
                diverged_since=trainer.get("diverged_since"),
                given_weights=meta.get("given_weights"),
                updates_per_epoch=self._updates_per_epoch(spec, distinct, trainer),
                parameters=Architecture(
                    vocabulary_size=distinct,
                    hidden_size=spec.hidden_size,
                    cell=spec.cell,
                    layers=spec.layers,
                ).size,
                created_at=datetime.fromtimestamp(
                    (directory / CHECKPOINT).stat().st_mtime, UTC
                ).isoformat(timespec="seconds"),
            )
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise RunNotFoundError(
                f"{directory / CHECKPOINT} cannot be read by this version."
            ) from error

    def _updates_per_epoch(self, spec: RunSpec, distinct: int, trainer: Meta) -> int:
        if self.corpus is not None:
            try:
                characters = self.corpus.characters
                sizes = measure_sizes(spec, characters=characters, distinct=distinct)
            except SpecError as error:
                raise RunNotFoundError(f"The {error.field} {error.message}.") from error
            return sizes.updates_per_epoch
        complete, updates = trainer["epoch"] - 1, trainer["updates"]
        within = trainer["position"] // spec.sequence_length
        # In the first epoch its length is not known yet; it has not ended.
        return int((updates - within) // complete) if complete else int(updates) + 1

    def _read_samples(self, path: Path, text: str | None) -> list[Sample]:
        try:
            written = path.read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return []
        headings = list(HEADING.finditer(written))
        ends = [heading.start() for heading in headings[1:]] + [len(written)]
        measure = None if text is None else QualityMeasure(text)
        pending = list(self.run.spec.watch_words or ())
        if self.corpus is not None and self.run.spec.watch_words is None:
            pending = list(self.corpus.names)
        samples = []
        for heading, end in zip(headings, ends, strict=True):
            update = int(heading[1].replace(",", ""))
            content = written[heading.end() + 1 : end].removesuffix("\n\n")
            found = find_words(content, pending)
            pending = [word for word in pending if word not in found]
            samples.append(
                Sample(
                    update=update,
                    epoch=max(0, update - 1) // self.run.updates_per_epoch + 1,
                    smooth_loss=None if heading[2] is None else float(heading[2]),
                    text=content,
                    quality=_quality(measure, content),
                    hurrahs=found,
                )
            )
        return [sample for sample in samples if sample.update <= self.run.update]


def _text_of(meta: Meta, text: str) -> str | None:
    """Return the text of a training, with or without its licence; None if it is another one."""
    expected = meta.get("text_sha256")
    licence = find_licence(text)
    candidates = [text] if licence is None else [text, without_licence(text, licence)]
    for each in candidates:
        if expected in {None, hashlib.sha256(each.encode()).hexdigest()}:
            return each
    return None


def _quality(measure: QualityMeasure | None, text: str) -> Quality:
    # Without the corpus the report does not show it.
    return Quality(0.0, 0, 0) if measure is None else measure.measure(text)


def _read_test(path: Path) -> LossOnTest | None:
    try:
        return LossOnTest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def _read_meta(path: Path) -> Meta:
    try:
        _, meta = read_archive(path)
    except FileNotFoundError:
        raise RunNotFoundError(f"There is no {path.name} in {path.parent}.") from None
    except DamagedArchiveError as error:
        raise RunNotFoundError(f"{path}: {error}.") from error
    return meta


def _read_losses(path: Path) -> NDArray[np.float64]:
    """Return the loss of each update; a last line that is incomplete after a crash is left out."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
        losses = np.array([float(line.split(",")[3]) for line in lines])
    except FileNotFoundError:
        return np.empty(0)
    except (IndexError, ValueError) as error:
        raise RunNotFoundError(f"{path} is damaged.") from error
    ends = np.flatnonzero(~np.isfinite(losses))
    return losses[: ends[0]] if len(ends) else losses
