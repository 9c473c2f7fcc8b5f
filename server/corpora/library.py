"""The library of corpora: the shipped ones and the uploaded ones."""

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.corpora.decoding import NotTextError, Reading, counted, decode_text
from server.corpora.entropy import Entropy, measure_entropy
from server.corpora.gutenberg import GutenbergLicence, find_licence, without_licence
from server.corpora.headings import find_headings
from server.corpora.proper_names import find_names
from server.corpora.visible_text import JOINERS, without_controls
from server.corpora.words import count_words, slices
from server.files.durable import make_directory, sync_directory

__all__ = [
    "Corpus",
    "CorpusLibrary",
    "CorpusTooShortError",
    "Entropy",
    "NotTextError",
    "ShippedCorpusError",
    "UnknownCorpusError",
    "UploadCancelledError",
    "describe",
    "display_name",
    "find_corpus",
]

MIN_CHARACTERS = 200
"""Minimum length of a corpus."""

MAX_NAME_CHARACTERS = 100
"""Maximum length of a display name; longer ones are truncated."""

_REQUIREMENT = f"at least {MIN_CHARACTERS} are needed."
_ID = re.compile(r"[0-9a-f]{12}")
_INCOMPLETE = ".unfinished-"
# How the names of licences begin under which verbatim copies are allowed.
_OPEN_LICENCES = ("cc0", "cc by", "cc-by", "public domain")
_log = logging.getLogger(__name__)


class UnknownCorpusError(LookupError):
    """There is no corpus with this id."""


class ShippedCorpusError(ValueError):
    """A shipped corpus cannot be deleted."""


class CorpusTooShortError(ValueError):
    """The text is too short; the message is one sentence for the user."""


class UploadCancelledError(RuntimeError):
    """The request that added the text was cancelled before the text was stored."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The description of a corpus, without its text.

    Attributes
    ----------
    id : str
        Its id.
    name : str
        Its display name.
    characters : int
        Its length in code points.
    distinct : int
        K, the number of distinct code points.
    words : int
        Number of words; see `server.corpora.words.count_words`.
    shipped : bool
        Whether it comes with the program.
    licence : str or None
        Its licence, None if unknown.
    entropy : Entropy
        In nats per character.
    encoding : str
        The encoding of the original file; the corpus is stored as UTF-8.
    names : tuple of str
        Its most frequent proper names, the most frequent first.
    repairs : tuple of str
        The changes made to the original file; see `DecodedText.repairs`.
    headings : tuple of (int, str)
        Position and text of the chapter headings; see `find_headings`.
    created_at : str
        When it was added, in UTC, ISO 8601; empty for a shipped one.
    readings : tuple of Reading
        The plausible readings of a file whose encoding is uncertain, the one that was used first.
        Only `CorpusLibrary.add` returns them; they are not stored.
    gutenberg_licence : GutenbergLicence or None
        The licence of Project Gutenberg in the file. Only `CorpusLibrary.add` returns it; what was
        left out is stored in `repairs`.
    """

    id: str
    name: str
    characters: int
    distinct: int
    words: int
    shipped: bool
    licence: str | None
    entropy: Entropy
    encoding: str
    names: tuple[str, ...]
    repairs: tuple[str, ...] = ()
    headings: tuple[tuple[int, str], ...] = ()
    created_at: str = ""
    readings: tuple[Reading, ...] = ()
    gutenberg_licence: GutenbergLicence | None = None

    @property
    def may_be_copied(self) -> bool:
        """Whether an exported run may contain the text; one without a licence is the user's."""
        licence = self.licence
        return licence is None or licence.casefold().startswith(_OPEN_LICENCES)

    def to_json(self) -> dict[str, Any]:
        """Return all fields for JSON; `from_json` is the inverse."""
        return {
            **asdict(self),
            "names": list(self.names),
            "repairs": list(self.repairs),
            "readings": list(map(asdict, self.readings)),
        }

    def summary(self) -> dict[str, Any]:
        """Return the fields for a list, for JSON: all but the headings."""
        fields = self.to_json()
        del fields["headings"]
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Corpus":
        """Return the corpus with the fields that `to_json` returned.

        Raises
        ------
        KeyError, TypeError
            If fields are missing or have the wrong type.
        """
        converted = {
            "entropy": Entropy(**fields["entropy"]),
            "names": tuple(fields["names"]),
            # Early versions wrote neither repairs nor headings.
            "repairs": tuple(fields.get("repairs", ())),
            "headings": tuple((at, title) for at, title in fields.get("headings", ())),
            "readings": (),
            "gutenberg_licence": None,
        }
        return cls(**{**fields, **converted})


class CorpusLibrary:
    """All corpora, shipped and uploaded.

    The descriptions are in memory; a text is read from its file. The methods
    are thread-safe. Only the library writes below ``data_dir / "corpora"``,
    which may be the directory of the shipped corpora too.

    Parameters
    ----------
    shipped_dir : Path
        The directory with ``corpora.json`` and the texts it lists.
    data_dir : Path
        Each uploaded corpus has a directory ``corpora/<id>`` in it, with
        ``text.txt`` and ``corpus.json``. Incomplete directories, left by a crash,
        are deleted.
    """

    def __init__(self, shipped_dir: Path, data_dir: Path) -> None:
        self._directory = data_dir / "corpora"
        make_directory(self._directory)
        self._paths: dict[str, Path] = {}
        self._corpora: dict[str, Corpus] = {}
        self._summaries: dict[str, str] = {}
        for entry in json.loads((shipped_dir / "corpora.json").read_text(encoding="utf-8")):
            self._register(*_describe_shipped(shipped_dir, entry))
        for corpus in _load_uploaded(self._directory):
            self._register(corpus, self._directory / corpus.id / "text.txt")

    def list(self) -> list[Corpus]:
        """Return all corpora.

        Returns
        -------
        list of Corpus
            The shipped ones first, then the others in the order in which they were added.
        """
        return list(self._corpora.values())

    def summaries(self) -> str:
        """Return a JSON array of the summaries of all corpora, in the order of `list`.

        Each is encoded once: there may be hundreds, and every page requests them.
        """
        return f"[{','.join(list(self._summaries.values()))}]"

    def get(self, corpus_id: str) -> Corpus:
        """Return the description of a corpus.

        Raises
        ------
        UnknownCorpusError
            If there is no corpus with this id.
        """
        try:
            return self._corpora[corpus_id]
        except KeyError:
            raise UnknownCorpusError("There is no such corpus.") from None

    def path(self, corpus_id: str) -> Path:
        r"""Return the text file of a corpus.

        Returns
        -------
        Path
            A file in UTF-8 with ``\n`` line ends and no byte-order mark. Open
            it with ``newline=""`` or in binary mode, so that no character changes.

        Raises
        ------
        UnknownCorpusError
            If there is no corpus with this id.
        """
        self.get(corpus_id)
        return self._paths[corpus_id]

    def text(self, corpus_id: str) -> str:
        """Read the text of a corpus.

        Raises
        ------
        UnknownCorpusError
            If there is no corpus with this id.
        """
        return self.path(corpus_id).read_bytes().decode("utf-8")

    def add(
        self,
        data: bytes,
        name: str | None = None,
        encoding: str | None = None,
        *,
        leave_out_licence: bool = False,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Corpus:
        """Decode a text, describe it and store it durably.

        Parameters
        ----------
        data : bytes
            The contents of the file.
        name : str or None
            The name of the corpus or of the file. It is displayed, and never
            used as a path.
        encoding : str, optional
            The encoding of the file; by default it is detected.
        leave_out_licence : bool
            Whether the licence of Project Gutenberg is left out, if the text has one.
        is_cancelled : callable
            Returns whether the upload was cancelled; called before the corpus is stored.

        Returns
        -------
        Corpus
            Its description, with a new id, the readings to choose from and the licence of Project
            Gutenberg.

        Raises
        ------
        UploadCancelledError
            If `is_cancelled` returned True; nothing was stored.
        NotTextError
            If the bytes are not text.
        UnknownEncodingError
            If the encoding cannot be read.
        CorpusTooShortError
            If the text has fewer than `MIN_CHARACTERS` characters.
        """
        if not data:
            raise CorpusTooShortError(f"The text has no characters; {_REQUIREMENT}")
        decoded = decode_text(data, encoding)
        text, repairs = decoded.text, decoded.repairs
        # A text may take 80 MB, so no copy is kept longer than it is needed.
        decoded = replace(decoded, text="")
        licence = find_licence(text)
        if licence is not None and leave_out_licence:
            text, repairs = without_licence(text, licence), (*repairs, licence.repair)
            licence = replace(licence, left_out=True)
        if len(text) < MIN_CHARACTERS:
            size = counted(len(text), "character")
            raise CorpusTooShortError(f"The text has {size}; {_REQUIREMENT}")
        corpus = replace(
            describe(text, secrets.token_hex(6)),
            name=display_name(name),
            encoding=decoded.encoding,
            repairs=repairs,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        if is_cancelled():
            raise UploadCancelledError
        self._store(corpus, text)
        return replace(corpus, readings=decoded.readings, gutenberg_licence=licence)

    def restore(
        self,
        corpus_id: str,
        text: str,
        *,
        name: str,
        licence: str | None,
        encoding: str,
        repairs: tuple[str, ...],
    ) -> Corpus:
        """Store the text of an imported run as it is, durably, and describe it.

        Parameters
        ----------
        corpus_id : str
            A new id.
        text : str
            The text, as another library stored it.
        name, licence, encoding, repairs
            The fields of its description there that do not follow from the text.

        Raises
        ------
        CorpusTooShortError
            If the text has fewer than `MIN_CHARACTERS` characters.
        """
        if len(text) < MIN_CHARACTERS:
            size = counted(len(text), "character")
            raise CorpusTooShortError(f"The text has {size}; {_REQUIREMENT}")
        corpus = replace(
            describe(text, corpus_id),
            name=display_name(name),
            licence=licence,
            encoding=encoding,
            repairs=repairs,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        self._store(corpus, text)
        return corpus

    def _store(self, corpus: Corpus, text: str) -> None:
        incomplete = self._directory / f"{_INCOMPLETE}{corpus.id}"
        try:
            incomplete.mkdir()
            _write(incomplete / "text.txt", (piece.encode() for piece in slices(text)))
            _write(incomplete / "corpus.json", [_to_bytes(corpus)])
            sync_directory(incomplete)
            incomplete.rename(self._directory / corpus.id)
        except OSError:
            shutil.rmtree(incomplete, ignore_errors=True)
            raise
        sync_directory(self._directory)
        self._register(corpus, self._directory / corpus.id / "text.txt")

    def remove(self, corpus_id: str) -> None:
        """Delete an uploaded corpus. The caller makes sure that no run uses it.

        Raises
        ------
        UnknownCorpusError
            If there is no corpus with this id.
        ShippedCorpusError
            If it is shipped.
        """
        if self.get(corpus_id).shipped:
            raise ShippedCorpusError("A corpus that comes with the program cannot be deleted.")
        # Renamed first, so that after a crash it is either complete or marked as incomplete.
        deleted = self._directory / f"{_INCOMPLETE}{corpus_id}"
        # A user may have deleted the directory by hand.
        with suppress(FileNotFoundError):
            (self._directory / corpus_id).rename(deleted)
        self._corpora.pop(corpus_id, None)
        self._summaries.pop(corpus_id, None)
        self._paths.pop(corpus_id, None)
        sync_directory(self._directory)
        shutil.rmtree(deleted, ignore_errors=True)

    def _register(self, corpus: Corpus, path: Path) -> None:
        # In this order: a thread that finds the corpus must find its path.
        self._paths[corpus.id] = path
        self._corpora[corpus.id] = corpus
        self._summaries[corpus.id] = json.dumps(corpus.summary(), ensure_ascii=False)


def find_corpus(shipped_dir: Path, data_dir: Path, corpus_id: str) -> tuple[Corpus, Path]:
    """Return a corpus and the file of its text, without changing anything on the disk.

    Raises
    ------
    UnknownCorpusError
        If there is no corpus with this id.
    """
    for entry in json.loads((shipped_dir / "corpora.json").read_text(encoding="utf-8")):
        if entry["id"] == corpus_id:
            return _describe_shipped(shipped_dir, entry)
    if not _ID.fullmatch(corpus_id):
        raise UnknownCorpusError("There is no such corpus.")
    path = data_dir / "corpora" / corpus_id / "text.txt"
    try:
        described = json.loads(path.with_name("corpus.json").read_bytes())
        return Corpus.from_json(described), path
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UnknownCorpusError("There is no such corpus.") from error


def _describe_shipped(shipped_dir: Path, entry: dict[str, Any]) -> tuple[Corpus, Path]:
    """Return a corpus of ``corpora.json`` and the file of its text."""
    path = shipped_dir / entry["file"]
    corpus = describe(path.read_bytes().decode("utf-8"), entry["id"])
    return replace(corpus, name=entry["name"], shipped=True, licence=entry["licence"]), path


def display_name(name: str | None) -> str:
    r"""Make a display name of a name that a client sent.

    Parameters
    ----------
    name : str or None
        Any text; often the name of a file with its path.

    Returns
    -------
    str
        The part after the last ``/`` or ``\``, without control characters and
        without ``.txt``, at most `MAX_NAME_CHARACTERS` long; "Untitled" if it is
        empty.
    """
    last = re.split(r"[/\\]", (name or "").rstrip("/\\"))[-1]
    shown = " ".join(without_controls(last).split())
    shown = re.sub(r"\.(txt|text|md)$", "", shown, flags=re.IGNORECASE)
    return shown[:MAX_NAME_CHARACTERS].strip(f" {JOINERS}") or "Untitled"


def describe(text: str, corpus_id: str) -> Corpus:
    """Describe a text; the name, the licence and the origin are defaults."""
    distinct: set[str] = set()
    for piece in slices(text):
        distinct.update(piece)
    return Corpus(
        id=corpus_id,
        name="",
        characters=len(text),
        distinct=len(distinct),
        words=count_words(text),
        shipped=False,
        licence=None,
        entropy=measure_entropy(text),
        encoding="utf-8",
        names=tuple(find_names(text)),
        headings=tuple(find_headings(text)),
    )


def _load_uploaded(directory: Path) -> Iterator[Corpus]:
    """Yield the uploaded corpora in the order of their uploads, and delete incomplete ones."""
    found: list[Corpus] = []
    for path in directory.iterdir():
        if path.name.startswith(_INCOMPLETE):
            shutil.rmtree(path, ignore_errors=True)
        elif _ID.fullmatch(path.name) and path.is_dir():
            try:
                corpus = Corpus.from_json(json.loads((path / "corpus.json").read_bytes()))
            except (OSError, ValueError, LookupError, TypeError) as error:
                _log.warning("Skipped the corpus in %s: it cannot be read: %s", path, error)
                continue
            if corpus.id == path.name and (path / "text.txt").is_file():
                found.append(corpus)
    yield from sorted(found, key=lambda corpus: corpus.created_at)


def _to_bytes(corpus: Corpus) -> bytes:
    """Return the contents of the JSON file beside the text."""
    return json.dumps(corpus.to_json(), ensure_ascii=False, indent=2).encode("utf-8")


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file durably."""
    with path.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
