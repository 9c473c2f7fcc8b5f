"""Preparing the archive of a run, in any of the run's states, beside whatever happens to the run.

The rows are those of one read transaction: what the database has committed, as if the server had
crashed then. The files get a second name in a directory of the export, which takes no space, and
keeps them while they are sent even if the run goes on, or is deleted. So a run never waits, and an
archive is what a crash would have left: importing it is recovering from that crash.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server import __version__
from server.checkpoints.npz import DamagedArchiveError, check_parts, read_meta
from server.corpora.library import Corpus
from server.errors import UnknownRunError
from server.history.metric_history import MetricHistory
from server.history.summaries import CHUNK_UPDATES
from server.rnn.metrics import measured_updates
from server.spec.schemas import Checkpoint
from server.store.migrations import VERSION as DATABASE_VERSION
from server.transfer.archive_format import (
    CHECKPOINT_ROWS,
    CHECKPOINTS,
    CORPUS,
    FORMAT,
    LOSSES,
    MANIFEST,
    MAX_MEMBERS,
    METRICS,
    MILESTONES,
    MODELS,
    OWN_LOSSES,
    PASSAGES,
    REMARKS,
    RUN,
    SAMPLES,
    SNAPSHOTS,
    TEXT,
    TRAINING_TIME,
    VERSION,
    ArchivedCorpus,
    Counts,
    Manifest,
    MemberEntry,
)
from server.transfer.zip_layout import Part, directory, local_header, total_bytes

__all__ = ["ExportCancelledError", "LiveCheckpoint", "PreparedArchive", "RunSource", "prepare"]

PIECE_BYTES = 2**18
# A file system without hard links, or another one than that of the export.
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
# Files beside those of the run itself, such as its rows and metrics.
OTHER_MEMBERS = 100
VALUES_AT_ONCE = 2**16


class ExportCancelledError(RuntimeError):
    """The client has disconnected."""


@dataclass(frozen=True, slots=True)
class RunSource:
    """A run to export.

    Attributes
    ----------
    run : str
        Its id.
    database : pathlib.Path
        The database.
    directory : pathlib.Path
        The run's directory.
    corpus : Corpus
        The text that the run learns from.
    text : pathlib.Path
        The file of the text.
    """

    run: str
    database: Path
    directory: Path
    corpus: Corpus
    text: Path


@dataclass(frozen=True, slots=True)
class LiveCheckpoint:
    """A checkpoint that the run's worker has written for an export.

    Attributes
    ----------
    checkpoint : Checkpoint
        Its description.
    path : pathlib.Path
        Its file.
    """

    checkpoint: Checkpoint
    path: Path


@dataclass(frozen=True, slots=True)
class _Member:
    entry: MemberEntry
    crc: int
    path: Path


class PreparedArchive:
    """An archive that can be sent.

    Attributes
    ----------
    size_bytes : int
        Its size.
    manifest : Manifest
        Its first part.
    """

    def __init__(self, members: list[_Member], counts: Counts) -> None:
        self.manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            hurrah=__version__,
            database=DATABASE_VERSION,
            counts=counts,
            members=[member.entry for member in members],
        )
        self._first = json.dumps(self.manifest.model_dump(), indent=1).encode()
        first = Part(MANIFEST, len(self._first), zlib.crc32(self._first))
        self._parts = [first]
        self._parts += [Part(each.entry.name, each.entry.bytes, each.crc) for each in members]
        self._members = members
        self.size_bytes = total_bytes((part.name, part.bytes) for part in self._parts)

    @property
    def has_text(self) -> bool:
        """Whether the text is one of the parts."""
        return any(part.name == TEXT for part in self._parts)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the archive, at most `PIECE_BYTES` at a time."""
        yield local_header(self._parts[0])
        yield self._first
        for member, part in zip(self._members, self._parts[1:], strict=True):
            yield local_header(part)
            yield from _pieces(member.path)
        yield directory(self._parts)


def prepare(
    source: RunSource,
    scratch: Path,
    *,
    with_text: bool = True,
    live: LiveCheckpoint | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> PreparedArchive:
    """Collect the parts of a run in a directory, from which they can be sent.

    Parameters
    ----------
    source : RunSource
        The run.
    scratch : pathlib.Path
        An empty directory, which must exist until the archive is sent.
    with_text : bool
        Whether to include the text. One whose licence does not allow copies is never included.
    live : LiveCheckpoint or None
        A checkpoint besides the stored ones.
    is_cancelled : callable
        Returns whether to stop.

    Raises
    ------
    UnknownRunError
        There is no such run.
    ExportCancelledError
        `is_cancelled` returned True.
    """
    return _Preparation(source, scratch, is_cancelled).run(with_text=with_text, live=live)


class _Preparation:
    def __init__(self, source: RunSource, scratch: Path, is_cancelled: Callable[[], bool]) -> None:
        self._source = source
        self._scratch = scratch
        self._is_cancelled = is_cancelled
        self._files: list[tuple[str, Path]] = []
        self._names = itertools.count()
        self._counted = dict.fromkeys(Counts.model_fields, 0)

    def run(self, *, with_text: bool, live: LiveCheckpoint | None) -> PreparedArchive:
        source = self._source
        with _reading(source.database) as connection:
            row = connection.execute("SELECT run FROM runs WHERE id = ?", (source.run,)).fetchone()
            if row is None:
                raise UnknownRunError(source.run)
            self._write(RUN, [row[0]])
            # First, because newer ones replace automatic checkpoints.
            self._add_checkpoints(connection, live)
            self._add_rows(connection)
            if json.loads(row[0]).get("own_losses") is not None:
                self._add_own_losses(connection)
        self._add_models(source.directory / "snapshots", SNAPSHOTS)
        self._add_models(source.directory / "models", MODELS)
        self._add_text(with_text=with_text)
        return PreparedArchive([self._hashed(*file) for file in self._files], self._counts)

    @property
    def _counts(self) -> Counts:
        return Counts(**self._counted)

    # -- rows -------------------------------------------------------------------------------------

    def _add_rows(self, connection: sqlite3.Connection) -> None:
        def rows(query: str) -> Iterable[tuple[str]]:
            return connection.execute(query, (self._source.run,))

        self._counted["updates"] = updates = self._write_losses(connection)
        self._write_metrics(connection, len(measured_updates(1, updates)))
        for name, key, query in (
            (SAMPLES, "samples", "SELECT sample FROM samples WHERE run = ? ORDER BY update_"),
            (
                MILESTONES,
                "milestones",
                "SELECT milestone FROM milestones WHERE run = ? ORDER BY number",
            ),
            (
                PASSAGES,
                "passages",
                "SELECT passage FROM saved_passages WHERE run = ? ORDER BY number",
            ),
        ):
            self._counted[key] = self._write(name, (row[0] for row in rows(query)))
        times = connection.execute(
            "SELECT update_, seconds FROM training_time WHERE run = ? ORDER BY update_",
            (self._source.run,),
        )
        self._write(TRAINING_TIME, (json.dumps(list(row)) for row in times))
        remarks = rows("SELECT remarks FROM report_remarks WHERE run = ?")
        self._write(REMARKS, (row[0] for row in remarks))

    def _write(self, name: str, lines: Iterable[str]) -> int:
        """Write lines to a part, and return how many."""
        count = 0
        with self._new(name).open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
        return count

    def _write_losses(self, connection: sqlite3.Connection) -> int:
        size_bytes = 0
        with self._new(LOSSES).open("wb") as file:
            for (losses,) in connection.execute(
                "SELECT losses FROM losses WHERE run = ? ORDER BY chunk", (self._source.run,)
            ):
                self._check_cancelled()
                size_bytes += file.write(np.frombuffer(losses, np.float64).astype("<f8").tobytes())
        return size_bytes // np.dtype("<f8").itemsize

    def _write_metrics(self, connection: sqlite3.Connection, measurements: int) -> None:
        history = MetricHistory(connection, self._source.run)
        for name in history.names:
            with self._new(f"{METRICS}/{name}.f64").open("wb") as file:
                for first in range(1, measurements + 1, VALUES_AT_ONCE):
                    self._check_cancelled()
                    last = min(first + VALUES_AT_ONCE - 1, measurements)
                    file.write(history.values(name, first, last).astype("<f8").tobytes())

    def _add_own_losses(self, connection: sqlite3.Connection) -> None:
        (rows,) = connection.execute(
            "SELECT rows FROM own_losses WHERE run = ?", (self._source.run,)
        ).fetchone()
        self._new(OWN_LOSSES).write_bytes(rows)

    # -- files ------------------------------------------------------------------------------------

    def _add_checkpoints(self, connection: sqlite3.Connection, live: LiveCheckpoint | None) -> None:
        """Add the checkpoints that continue this history; a damaged one stays behind."""
        stored = connection.execute(
            "SELECT checkpoint FROM checkpoints WHERE run = ? ORDER BY update_, rowid",
            (self._source.run,),
        ).fetchall()
        checkpoints = [
            (checkpoint, self._source.directory / "checkpoints" / f"{checkpoint.id}.npz")
            for checkpoint in (Checkpoint.model_validate_json(row[0]) for row in stored)
        ]
        if live is not None:
            checkpoints.append((live.checkpoint, live.path))
        added = []
        for checkpoint, path in reversed(checkpoints):
            name = f"{CHECKPOINTS}/{checkpoint.id}.npz"
            with self._linked(path, name) as link:
                if link is None or not _continues(connection, self._source.run, link):
                    continue
                size = link.stat().st_size
                added.append(checkpoint.model_copy(update={"damaged": False, "bytes": size}))
                self._files.append((name, link))
        rows = [checkpoint.model_dump_json() for checkpoint in reversed(added)]
        self._counted["checkpoints"] = self._write(CHECKPOINT_ROWS, rows)

    def _add_models(self, folder: Path, name: str) -> None:
        for path in sorted(folder.glob("[!.]*.npz")):
            if len(self._files) > MAX_MEMBERS - OTHER_MEMBERS:
                break
            with self._linked(path, name) as link:
                if link is not None and _is_intact(link):
                    self._files.append((f"{name}/{path.name}", link))
                    self._counted[name] += 1

    def _add_text(self, *, with_text: bool) -> None:
        corpus, text = self._source.corpus, self._source.text
        digest = hashlib.sha256()
        for piece in _pieces(text):
            self._check_cancelled()
            digest.update(piece)
        described = ArchivedCorpus(
            id=corpus.id,
            name=corpus.name,
            characters=corpus.characters,
            distinct=corpus.distinct,
            sha256=digest.hexdigest(),
            licence=corpus.licence,
            encoding=corpus.encoding,
            repairs=list(corpus.repairs),
        )
        self._write(CORPUS, [described.model_dump_json()])
        if with_text and corpus.may_be_copied:
            with self._linked(text, TEXT) as link:
                if link is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(text))
                self._files.append((TEXT, link))

    @contextlib.contextmanager
    def _linked(self, path: Path, name: str) -> Iterator[Path | None]:
        """Give a file a name in the export's directory; None if the file has been deleted."""
        self._check_cancelled()
        link = self._path(name)
        try:
            os.link(path, link)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            try:
                shutil.copyfile(path, link)
            except FileNotFoundError:
                yield None
                return
        yield link

    def _new(self, name: str) -> Path:
        path = self._path(name)
        self._files.append((name, path))
        return path

    def _path(self, name: str) -> Path:
        # The dot marks a temporary file: the quota does not count it.
        return self._scratch / f".{next(self._names)}-{Path(name).name}"

    def _hashed(self, name: str, path: Path) -> _Member:
        digest, crc, size = hashlib.sha256(), 0, 0
        for piece in _pieces(path):
            self._check_cancelled()
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
        return _Member(MemberEntry(name=name, bytes=size, sha256=digest.hexdigest()), crc, path)

    def _check_cancelled(self) -> None:
        if self._is_cancelled():
            raise ExportCancelledError


@contextlib.contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, as it is now."""
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("BEGIN")
        yield connection


def _continues(connection: sqlite3.Connection, run: str, path: Path) -> bool:
    """Whether a file is an undamaged checkpoint of a run with this history."""
    if not _is_intact(path):
        return False
    meta = read_meta(path)
    try:
        update, loss = meta["trainer"]["updates"], meta["trainer"]["loss"]
        first = meta["unflushed"]["first"]
    except (KeyError, TypeError):
        return False
    last, at_update = _loss_at(connection, run, update)
    return bool(at_update == loss if update <= last else first <= last + 1)


def _loss_at(connection: sqlite3.Connection, run: str, update: int) -> tuple[int, float | None]:
    """Return the last update of a history, and the loss of an update, which may be 0."""
    chunk, place = divmod(update - 1, CHUNK_UPDATES)
    row = connection.execute(
        "SELECT losses FROM losses WHERE run = ? AND chunk = ?", (run, chunk)
    ).fetchone()
    last = connection.execute(
        "SELECT chunk, updates FROM losses WHERE run = ? ORDER BY chunk DESC LIMIT 1", (run,)
    ).fetchone()
    end = last[0] * CHUNK_UPDATES + last[1] if last else 0
    if update < 1 or row is None:
        return end, None
    losses = np.frombuffer(row[0], np.float64)
    return end, float(losses[place]) if place < len(losses) else None


def _is_intact(path: Path) -> bool:
    try:
        check_parts(path)
    except (DamagedArchiveError, FileNotFoundError):
        return False
    return True


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
