"""Checking an archive and unpacking it into a directory of the data directory.

This runs in a process of its own, so that a large archive neither delays the server nor grows it.
Its output is trusted: files in the form of a run's directory, a database with the run's rows, and
the text if it must be added.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from server.analysis.own_losses import MAX_ROWS, ROW_BYTES, are_rows, fingerprint, rows_of
from server.corpora.visible_text import without_controls
from server.files.durable import sync_directory
from server.files.failpoints import failpoint
from server.history.loss_history import HistoryWriter
from server.history.metric_history import MetricWriter
from server.passages.saved_passage import SavedPassage
from server.rnn.metrics import measured_updates
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import MAX_SAMPLE_LENGTH, MAX_UPDATES, MAX_WATCH_WORDS
from server.spec.schemas import Checkpoint, Milestone, Replay, Run, RunState, Sample
from server.spec.sizing import measure_sizes
from server.store.migrations import open_database
from server.transfer.archive_format import (
    CHECKPOINT_ROWS,
    CHECKPOINTS,
    CORPUS,
    LOSSES,
    METRICS,
    MILESTONES,
    MODELS,
    OWN_LOSSES,
    PASSAGES,
    REMARKS,
    RUN,
    SAMPLES,
    SNAPSHOTS,
    TRAINING_TIME,
    ArchivedCorpus,
    ArchiveError,
)
from server.transfer.archive_reader import Archive, parse_json
from server.transfer.file_checks import FileChecks
from server.transfer.texts import FoundText, KnownText, find_text

__all__ = ["FILES", "ROWS", "TEXT", "StagedRun", "StagingLimits", "stage"]

FILES, ROWS, TEXT = "run", "rows.db", "text.txt"
"""What a staging directory contains: the run's directory, its rows, and a text that is new here."""

LOSS_BYTES = np.dtype("<f8").itemsize
LOSSES_AT_ONCE = 2**18
MAX_TEXT_CHARACTERS = 2_000
RUN_ID = re.compile(r"[0-9a-f]{12}")
HASH = re.compile(r"[0-9a-f]{12,64}")

Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class StagingLimits:
    """The limits on an archive.

    Attributes
    ----------
    archive_bytes : int
        Of the archive.
    text_bytes : int
        Of its text.
    network_bytes : int
        Of the memory of its network.
    """

    archive_bytes: int
    text_bytes: int
    network_bytes: int


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A checked archive.

    Attributes
    ----------
    run : Run
        The run, with the id that it had.
    corpus : ArchivedCorpus
        Its text as the archive describes it.
    known_text : str or None
        The id of the same text on this server; None: it is in the staging directory.
    passages : int
        The number of saved passages.
    """

    run: Run
    corpus: ArchivedCorpus
    known_text: str | None
    passages: int


class ArchivedLosses:
    """The losses in an archive."""

    def __init__(self, archive: Archive) -> None:
        size_bytes = archive.size_bytes(LOSSES)
        self._archive = archive
        self.last = size_bytes // LOSS_BYTES
        if size_bytes % LOSS_BYTES:
            raise ArchiveError("The file's losses end within a number.")

    def losses(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the losses of a range of updates, both included."""
        count = max(last - first + 1, 0)
        found = self._archive.read_at(LOSSES, (first - 1) * LOSS_BYTES, count * LOSS_BYTES)
        return np.frombuffer(found, "<f8").astype(np.float64)


def stage(
    archive: Archive,
    directory: Path,
    texts: list[KnownText],
    given: Path | None,
    limits: StagingLimits,
    *,
    before_piece: Callable[[], None] = lambda: None,
) -> StagedRun:
    """Check an archive and unpack it.

    Parameters
    ----------
    archive : Archive
        The archive.
    directory : pathlib.Path
        An empty directory.
    texts : list of KnownText
        The texts of this server.
    given : pathlib.Path or None
        A text that came with the archive, in any encoding.
    limits : StagingLimits
        The limits.
    before_piece : callable
        Called again and again; it may raise to end this.

    Raises
    ------
    ArchiveError
        The archive cannot be imported; the message says why.
    MissingTextError
        Its text is neither in it nor known.
    SpecError
        Its network is too large for this server.
    """
    archive.verify(before_piece)
    corpus = _read(ArchivedCorpus, archive.document(CORPUS), CORPUS)
    found = find_text(archive, corpus, texts, given, limits.text_bytes)
    run = _read_run(archive, corpus, found, limits)
    _Staging(archive, directory, run, found, before_piece).write()
    if found.known is None:
        _write_durably(directory / TEXT, [found.text.encode()])
    sync_directory(directory)
    return StagedRun(run, corpus, found.known, archive.manifest.counts.passages)


def _read_run(
    archive: Archive, corpus: ArchivedCorpus, found: FoundText, limits: StagingLimits
) -> Run:
    """Return the run of an archive as it is when it is imported: nothing trains or waits."""
    run = _read(Run, archive.document(RUN), RUN)
    spec, text = run.spec, found.text
    sizes_of_text = len(text), len(set(text))
    _check((corpus.characters, corpus.distinct) == sizes_of_text, CORPUS, "its sizes are others")
    sizes = measure_sizes(
        spec,
        characters=len(text),
        distinct=corpus.distinct,
        max_memory_bytes=limits.network_bytes,
    )
    _check(RUN_ID.fullmatch(run.id) is not None, RUN, "its id is not one")
    _check(spec.name is not None, RUN, "it has no name")
    _check(sizes.parameters == run.parameters, RUN, "it has another number of parameters")
    _check(sizes.updates_per_epoch == run.updates_per_epoch, RUN, "its epochs have other lengths")
    _check(0 <= run.update <= MAX_UPDATES, RUN, "it has an impossible number of updates")
    _check(run.update * LOSS_BYTES == archive.size_bytes(LOSSES), LOSSES, "some are missing")
    _check(run.epoch >= 1 and 0 <= run.position < len(text), RUN, "its position is not one")
    for update in (
        None if run.best is None else run.best.update,
        run.diverged_since,
        run.validation_update,
    ):
        _check(update is None or 0 <= update <= run.update, RUN, "an update is impossible")
    if (test := run.test) is not None:
        _check(bool(spec.test_fraction) and test.times >= 1, RUN, "it has no test part")
        _check(0 <= test.update <= MAX_UPDATES, RUN, "an update is impossible")
        _check(test.nats >= 0 and 0 < test.characters < len(text), RUN, "its test is impossible")
        _check(is_time(test.measured_at), RUN, "measured_at is not a time")
    if (origin := run.forked_from) is not None:
        ids = RUN_ID.fullmatch(origin.run) and RUN_ID.fullmatch(origin.checkpoint)
        _check(bool(ids) and origin.update >= 0, RUN, "its origin is not a run")
    if (weights := run.given_weights) is not None:
        for part in (weights.file, *weights.remarks):
            _check_text(part, RUN)
    _check(run.seconds >= 0 and run.updates_per_second >= 0, RUN, "its times are negative")
    _check(is_time(run.created_at), RUN, "created_at is not a time")
    _check_text(run.error, RUN)
    waits = run.state in {RunState.RUNNING, RunState.QUEUED} or run.disk_full
    return run.model_copy(
        update={
            # The spec's name has been normalised, and changes together with the run's.
            "name": spec.name,
            "state": RunState.PAUSED if waits else run.state,
            "error": None if waits else run.error,
            "disk_full": False,
            "queue_position": None,
            "group": None,
            "sweep": None,
            "updates_per_second": 0.0,
        }
    )


class _Staging:
    def __init__(
        self,
        archive: Archive,
        directory: Path,
        run: Run,
        found: FoundText,
        before_piece: Callable[[], None],
    ) -> None:
        self._archive = archive
        self._directory = directory
        self._run = run
        self._before_piece = before_piece
        self._losses = ArchivedLosses(archive)
        self._checks = FileChecks(run, found.text, self._losses)

    def write(self) -> None:
        """Write the rows and the files."""
        with contextlib.closing(open_database(self._directory / ROWS)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            self._write_losses(connection)
            self._write_metrics(connection)
            self._write_rows(connection)
            connection.commit()
        self._write_models(SNAPSHOTS)
        self._write_models(MODELS)

    # -- rows -------------------------------------------------------------------------------------

    def _write_losses(self, connection: sqlite3.Connection) -> None:
        run = self._run
        writer = HistoryWriter(connection, run.id, run.spec.smoothing)
        for first in range(1, self._losses.last + 1, LOSSES_AT_ONCE):
            self._before_piece()
            last = min(first + LOSSES_AT_ONCE - 1, self._losses.last)
            losses = self._losses.losses(first, last)
            _check(bool(np.isfinite(losses).all()), LOSSES, "some are not finite")
            writer.append(first, losses)
        writer.write()

    def _write_metrics(self, connection: sqlite3.Connection) -> None:
        archive = self._archive
        count = len(measured_updates(1, self._run.update))
        for part in [name for name in archive.names if name.startswith(f"{METRICS}/")]:
            _check(archive.size_bytes(part) == count * LOSS_BYTES, part, "it has another size")
            writer = MetricWriter(connection, self._run.id, Path(part).stem)
            for start in range(0, count, LOSSES_AT_ONCE):
                self._before_piece()
                length = min(LOSSES_AT_ONCE, count - start)
                found = archive.read_at(part, start * LOSS_BYTES, length * LOSS_BYTES)
                values = np.frombuffer(found, "<f8").astype(np.float64)
                if not np.isnan(values).all():
                    writer.append(start + 1, values)
            writer.write()

    def _write_rows(self, connection: sqlite3.Connection) -> None:
        run, counts = self._run.id, self._archive.manifest.counts
        _check(counts.updates == self._run.update, LOSSES, "some are missing")

        def insert(table: str, rows: Iterator[tuple[Any, ...]], width: int) -> int:
            count, marks = 0, ", ".join("?" * width)
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
                count += 1
            return count

        samples = ((run, each.update, each.model_dump_json()) for each in self._samples())
        _check(insert("samples", samples, 3) == counts.samples, SAMPLES, "some are missing")
        milestones = (
            (None, run, each.update, each.model_dump_json(exclude={"id"}))
            for each in self._milestones()
        )
        _check(
            insert("milestones", milestones, 4) == counts.milestones, MILESTONES, "some are missing"
        )
        checkpoints = (
            (run, each.id, each.update, each.model_dump_json()) for each in self._checkpoints()
        )
        stored = insert("checkpoints", checkpoints, 4)
        _check(stored == counts.checkpoints, CHECKPOINT_ROWS, "some are missing")
        passages = (
            (None, each.id, run, each.fingerprint, each.model, 0, each.model_dump_json())
            for each in self._passages()
        )
        stored = insert("saved_passages", passages, 7)
        _check(stored == counts.passages, PASSAGES, "some are missing")
        insert("training_time", ((run, *each) for each in self._times()), 3)
        remarks = [each.model_dump_json() for each in self._rows(ReportRemarks, REMARKS)]
        _check(len(remarks) <= 1, REMARKS, "there are several")
        insert("report_remarks", ((run, each) for each in remarks), 2)
        if (own := self._own_losses()) is not None:
            insert("own_losses", iter([(run, own)]), 2)

    def _own_losses(self) -> bytes | None:
        about, archive = self._run.own_losses, self._archive
        _check((about is None) != (OWN_LOSSES in archive), OWN_LOSSES, "it is not that of the run")
        if about is None:
            return None
        for part in (about.file, *about.remarks):
            _check_text(part, RUN)
        size = archive.size_bytes(OWN_LOSSES)
        fits = 0 < about.rows <= MAX_ROWS and size == about.rows * ROW_BYTES
        _check(fits, OWN_LOSSES, "it has another size")
        data = archive.read_at(OWN_LOSSES, 0, size)
        _check(are_rows(rows_of(data)), OWN_LOSSES, "its rows are not losses")
        _check(fingerprint(data) == about.fingerprint, OWN_LOSSES, "it is not that of the run")
        return data

    def _samples(self) -> Iterator[Sample]:
        before = -1
        for sample in self._rows(Sample, SAMPLES):
            _check(before < sample.update <= self._run.update, SAMPLES, "they are not in order")
            _check(sample.epoch >= 1, SAMPLES, "an epoch is not one")
            _check(len(sample.hurrahs) <= MAX_WATCH_WORDS, SAMPLES, "there are too many hurrahs")
            _check_spans(sample)
            if sample.replay is not None:
                _check_spans(sample.replay)
            before = sample.update
            yield sample

    def _milestones(self) -> Iterator[Milestone]:
        for milestone in self._rows(Milestone, MILESTONES):
            # A note about an update stays where it is when the run goes back to before it.
            _check(0 <= milestone.update <= MAX_UPDATES, MILESTONES, "an update is impossible")
            _check_text(milestone.text, MILESTONES)
            yield milestone

    def _times(self) -> Iterator[tuple[int, float]]:
        before: tuple[int, float] = (-1, 0.0)
        for line in self._archive.rows(TRAINING_TIME):
            match parse_json(line, TRAINING_TIME):
                case [int(update), float() | int() as seconds]:
                    ascends = before[0] < update <= MAX_UPDATES and seconds >= before[1]
                    _check(ascends, TRAINING_TIME, "it does not ascend")
                    before = (update, float(seconds))
                    yield before
                case _:
                    raise ArchiveError(f"The file's {TRAINING_TIME} has a point of another form.")

    def _checkpoints(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints, whose files have been checked and written."""
        folder = self._folder(CHECKPOINTS)
        known = set()
        for checkpoint in self._rows(Checkpoint, CHECKPOINT_ROWS):
            name = f"{CHECKPOINTS}/{checkpoint.id}.npz"
            _check(
                name in self._archive and checkpoint.id not in known,
                CHECKPOINT_ROWS,
                "one has no file",
            )
            known.add(checkpoint.id)
            _check_text(checkpoint.note, CHECKPOINT_ROWS)
            _check(is_time(checkpoint.created_at), CHECKPOINT_ROWS, "created_at is not a time")
            size = self._archive.size_bytes(name)
            _check(checkpoint.bytes == size, CHECKPOINT_ROWS, "one has another size")
            path = folder / f"{checkpoint.id}.npz"
            _write_durably(path, self._pieces(name))
            failpoint("import.file_written")
            self._checks.check_checkpoint(path, checkpoint)
            yield checkpoint.model_copy(update={"damaged": False})
        sync_directory(folder)

    def _passages(self) -> Iterator[SavedPassage]:
        known = set()
        for saved in self._rows(SavedPassage, PASSAGES):
            _check(bool(saved.passages), PASSAGES, "one has no text")
            _check(saved.fingerprint not in known, PASSAGES, "two are the same")
            known.add(saved.fingerprint)
            _check(is_time(saved.created_at), PASSAGES, "created_at is not a time")
            for text in (saved.run_name, saved.corpus_name):
                _check_text(text, PASSAGES)
            for passage in saved.passages:
                # The fingerprint of a model is the name of its file.
                hashes = saved.id, passage.fingerprint, passage.model
                _check(all(map(HASH.fullmatch, hashes)), PASSAGES, "a fingerprint is not one")
                _check_spans(passage)
            yield saved

    def _rows(self, kind: type[Row], name: str) -> Iterator[Row]:
        for line in self._archive.rows(name):
            yield _read(kind, line, name)

    # -- files ------------------------------------------------------------------------------------

    def _write_models(self, kind: str) -> None:
        names = [name for name in self._archive.names if name.startswith(f"{kind}/")]
        folder = self._folder(kind)
        for name in names:
            path = folder / name.partition("/")[2]
            # Like the originals, snapshots are not flushed to the disk one by one.
            write = _write if kind == SNAPSHOTS else _write_durably
            write(path, self._pieces(name))
            if kind == SNAPSHOTS:
                self._checks.check_snapshot(path, int(path.stem))
            else:
                self._checks.check_model(path, path.stem)
        sync_directory(folder)

    def _folder(self, name: str) -> Path:
        folder = self._directory / FILES / name
        folder.mkdir(parents=True)
        return folder

    def _pieces(self, name: str) -> Iterator[bytes]:
        for piece in self._archive.pieces(name):
            self._before_piece()
            yield piece


def is_time(text: str) -> bool:
    """Whether a text is a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _read(kind: type[Row], text: str, name: str) -> Row:
    """Return the value of JSON text, in which every number is finite."""
    parse_json(text, name)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ArchiveError(f"The file's {name} is not valid: {where}: {first['msg']}.") from error


def _check(is_valid: bool, name: str, why: str) -> None:
    if not is_valid:
        raise ArchiveError(f"The file's {name} is not valid: {why}.")


def _check_text(text: str | None, name: str) -> None:
    """Check a sentence or a note, which must not act on the text around it."""
    shown = text is None or (
        len(text) <= MAX_TEXT_CHARACTERS and without_controls(text, kept="\n") == text
    )
    _check(shown, name, "a text is too long, or has control characters")


def _check_spans(written: Sample | Replay | Any) -> None:  # noqa: ANN401 - or a passage
    length = len(written.text)
    _check(length <= MAX_SAMPLE_LENGTH, SAMPLES, "a text is too long")
    for start, end in written.invented_words:
        _check(0 <= start < end <= length, SAMPLES, "a word is not in its text")


def _write(path: Path, pieces: Iterator[bytes] | list[bytes]) -> None:
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)


def _write_durably(path: Path, pieces: Iterator[bytes] | list[bytes]) -> None:
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
