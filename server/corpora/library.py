"""The texts that networks learn from."""

import json
import logging
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.corpora.decoding import NotTextError, decode_text
from server.corpora.entropy import Entropy, measure_entropy
from server.corpora.headings import find_headings
from server.corpora.proper_names import find_names
from server.corpora.words import WORD, find_all, slices
from server.files.durable import make_folder, sync_folder

__all__ = [
    "Corpus",
    "CorpusLibrary",
    "CorpusTooShortError",
    "Entropy",
    "NotTextError",
    "ShippedCorpusError",
    "UnknownCorpusError",
]

MIN_CHARACTERS = 200
"""A text shorter than this teaches nothing."""

MAX_NAME_CHARACTERS = 100
"""A display name is cut to this."""

_NEEDED = f"at least {MIN_CHARACTERS} are needed to learn from."
_ID = re.compile(r"[0-9a-f]{12}")
_UNFINISHED = ".unfinished-"
_log = logging.getLogger(__name__)


class UnknownCorpusError(LookupError):
    """No corpus has this id."""


class ShippedCorpusError(ValueError):
    """A shipped corpus cannot be removed."""


class CorpusTooShortError(ValueError):
    """The text is too short to learn from; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is known of a text without reading it.

    Attributes
    ----------
    id : str
        Its id.
    name : str
        What to call it on the page.
    characters : int
        Its length in code points.
    distinct : int
        K, how many different code points it has.
    words : int
        How many words it has; see `WORD`.
    shipped : bool
        Whether it came with the program.
    licence : str or None
        On what terms it may be used, None if that is not known.
    entropy : Entropy
        In nats per character.
    encoding : str
        How its file was encoded when it came; it is kept as UTF-8.
    names : tuple of str
        Its most frequent proper names, the most frequent first.
    repairs : tuple of str
        What of its file was made good when it came, in words.
    headings : tuple of (int, str)
        Where its chapters begin, and what their headings say; see `find_headings`.
    created_at : str
        When it was added, in UTC by ISO 8601; empty for a shipped one.
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

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name, ready for JSON, as `from_json` takes them."""
        return {**asdict(self), "names": list(self.names), "repairs": list(self.repairs)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Corpus":
        """Make a corpus of what `to_json` returned.

        Parameters
        ----------
        fields : dict
            All fields by name.

        Returns
        -------
        Corpus
            Equal to the one that was written.

        Raises
        ------
        KeyError, TypeError
            If fields are missing or not of the right kind.
        """
        entropy = Entropy(**fields["entropy"])
        # A description that was kept before there was a word of repairs or headings has none.
        repairs = tuple(fields.get("repairs", ()))
        headings = tuple((at, title) for at, title in fields.get("headings", ()))
        told = {"entropy": entropy, "names": tuple(fields["names"])}
        return cls(**{**fields, **told, "repairs": repairs, "headings": headings})


class CorpusLibrary:
    """All texts: those that were shipped and those that people brought.

    What is known of them is kept in memory; a text itself is read when it is
    asked for. Methods may be called from several threads. The library is the
    only one to write below ``data_dir / "corpora"``, but for the shipped texts,
    which may stand there as well.

    Parameters
    ----------
    shipped_dir : Path
        The folder with ``corpora.json`` and the texts it lists.
    data_dir : Path
        Each text that was added has a folder ``corpora/<id>`` below it with
        ``text.txt`` and ``corpus.json``. Whatever a crash left there half
        finished is cleared away.
    """

    def __init__(self, shipped_dir: Path, data_dir: Path) -> None:
        self._folder = data_dir / "corpora"
        make_folder(self._folder)
        self._paths: dict[str, Path] = {}
        self._corpora: dict[str, Corpus] = {}
        for entry in json.loads((shipped_dir / "corpora.json").read_text(encoding="utf-8")):
            path = shipped_dir / entry["file"]
            corpus = _describe(path.read_bytes().decode("utf-8"), entry["id"])
            corpus = replace(corpus, name=entry["name"], shipped=True, licence=entry["licence"])
            self._keep(corpus, path)
        for corpus in _added(self._folder):
            self._keep(corpus, self._folder / corpus.id / "text.txt")

    def list(self) -> list[Corpus]:
        """Return all corpora.

        Returns
        -------
        list of Corpus
            The shipped ones first, then the others as they were added.
        """
        return list(self._corpora.values())

    def get(self, corpus_id: str) -> Corpus:
        """Return what is known of a corpus.

        Parameters
        ----------
        corpus_id : str
            Its id.

        Returns
        -------
        Corpus
            What is known of it.

        Raises
        ------
        UnknownCorpusError
            If there is none of this id.
        """
        try:
            return self._corpora[corpus_id]
        except KeyError:
            raise UnknownCorpusError("There is no such corpus.") from None

    def path(self, corpus_id: str) -> Path:
        r"""Return where the text of a corpus is.

        Parameters
        ----------
        corpus_id : str
            Its id.

        Returns
        -------
        Path
            A file in UTF-8 with ``\n`` line ends and no byte-order mark; open
            it with ``newline=""`` or as bytes, for no character may change.

        Raises
        ------
        UnknownCorpusError
            If there is none of this id.
        """
        self.get(corpus_id)
        return self._paths[corpus_id]

    def text(self, corpus_id: str) -> str:
        """Read the text of a corpus.

        Parameters
        ----------
        corpus_id : str
            Its id.

        Returns
        -------
        str
            All of it, as long as its ``characters`` says.

        Raises
        ------
        UnknownCorpusError
            If there is none of this id.
        """
        return self.path(corpus_id).read_bytes().decode("utf-8")

    def add(self, data: bytes, name: str | None = None) -> Corpus:
        """Decode a text, describe it and keep it.

        It is on the disk, whole, when this returns.

        Parameters
        ----------
        data : bytes
            The file as it came.
        name : str or None
            What to call it, or the name of the file. It is shown and never
            used as a path.

        Returns
        -------
        Corpus
            What is known of it, with a new id.

        Raises
        ------
        NotTextError
            If the bytes are no text.
        CorpusTooShortError
            If the text has fewer than `MIN_CHARACTERS` characters.
        """
        if not data:
            raise CorpusTooShortError(f"The text has no characters; {_NEEDED}")
        decoded = decode_text(data)
        if len(decoded.text) < MIN_CHARACTERS:
            raise CorpusTooShortError(f"The text has {len(decoded.text)} characters; {_NEEDED}")
        corpus = replace(
            _describe(decoded.text, secrets.token_hex(6)),
            name=display_name(name),
            encoding=decoded.encoding,
            repairs=decoded.repairs,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        )
        unfinished = self._folder / f"{_UNFINISHED}{corpus.id}"
        try:
            unfinished.mkdir()
            _write(unfinished / "text.txt", decoded.text.encode("utf-8"))
            _write(unfinished / "corpus.json", _to_bytes(corpus))
            sync_folder(unfinished)
            unfinished.rename(self._folder / corpus.id)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync_folder(self._folder)
        self._keep(corpus, self._folder / corpus.id / "text.txt")
        return corpus

    def remove(self, corpus_id: str) -> None:
        """Remove a corpus that was added.

        Whether a run still needs it is for the caller to know.

        Parameters
        ----------
        corpus_id : str
            Its id.

        Raises
        ------
        UnknownCorpusError
            If there is none of this id.
        ShippedCorpusError
            If it came with the program.
        """
        if self.get(corpus_id).shipped:
            raise ShippedCorpusError("A corpus that came with the program cannot be removed.")
        # Renamed first, so that a crash leaves it whole or counts it as left over.
        doomed = self._folder / f"{_UNFINISHED}{corpus_id}"
        # Somebody may have deleted it by hand: then there is nothing left to do but forget it.
        with suppress(FileNotFoundError):
            (self._folder / corpus_id).rename(doomed)
        self._corpora.pop(corpus_id, None)
        self._paths.pop(corpus_id, None)
        sync_folder(self._folder)
        shutil.rmtree(doomed, ignore_errors=True)

    def _keep(self, corpus: Corpus, path: Path) -> None:
        """Know a corpus from now on."""
        # In this order, so that whoever finds the corpus finds its path.
        self._paths[corpus.id] = path
        self._corpora[corpus.id] = corpus


def display_name(name: str | None) -> str:
    r"""Make a name that can be shown of one that a client sent.

    Parameters
    ----------
    name : str or None
        Any text; often a file's name, with a path in front of it.

    Returns
    -------
    str
        What follows the last ``/`` or ``\``, without control characters or
        ``.txt``, at most `MAX_NAME_CHARACTERS` long; "Untitled" if nothing
        is left.
    """
    last = re.split(r"[/\\]", (name or "").rstrip("/\\"))[-1]
    # The zero-width joiners hold some letters and pictures together.
    shown = "".join(
        c if unicodedata.category(c)[0] != "C" or c in "\u200c\u200d" else " " for c in last
    )
    shown = re.sub(r"\.(txt|text|md)$", "", " ".join(shown.split()), flags=re.IGNORECASE)
    return shown[:MAX_NAME_CHARACTERS].strip(" \u200c\u200d") or "Untitled"


def _describe(text: str, corpus_id: str) -> Corpus:
    """Return what a text itself says of it."""
    return Corpus(
        id=corpus_id,
        name="",
        characters=len(text),
        distinct=len(set().union(*map(set, slices(text)))),
        words=sum(len(words) for words in find_all(WORD, text)),
        shipped=False,
        licence=None,
        entropy=measure_entropy(text),
        encoding="utf-8",
        names=tuple(find_names(text)),
        headings=tuple(find_headings(text)),
    )


def _added(folder: Path) -> Iterator[Corpus]:
    """Yield the corpora that were added before, and clear away what was left unfinished."""
    found: list[Corpus] = []
    for path in folder.iterdir():
        if path.name.startswith(_UNFINISHED):
            shutil.rmtree(path, ignore_errors=True)
        elif _ID.fullmatch(path.name) and path.is_dir():
            try:
                corpus = Corpus.from_json(json.loads((path / "corpus.json").read_bytes()))
            except (OSError, ValueError, LookupError, TypeError) as error:
                _log.warning("The corpus in %s is left out, it cannot be read: %s", path, error)
                continue
            if corpus.id == path.name and (path / "text.txt").is_file():
                found.append(corpus)
    yield from sorted(found, key=lambda corpus: corpus.created_at)


def _to_bytes(corpus: Corpus) -> bytes:
    """Return a corpus as the JSON file kept beside its text."""
    return json.dumps(corpus.to_json(), ensure_ascii=False, indent=2).encode("utf-8")


def _write(path: Path, data: bytes) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
