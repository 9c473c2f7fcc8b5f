"""Finding the text of an archived run: on this server, in the archive, or in a file beside it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.corpora.decoding import NotTextError, UnknownEncodingError, decode_text
from server.corpora.gutenberg import find_licence, without_licence
from server.transfer.archive_format import TEXT, ArchivedCorpus, ArchiveError, MissingTextError
from server.transfer.archive_reader import Archive

__all__ = ["FoundText", "KnownText", "find_text"]


@dataclass(frozen=True, slots=True)
class KnownText:
    """A text of this server."""

    id: str
    path: Path
    characters: int


@dataclass(frozen=True, slots=True)
class FoundText:
    """The text of a run.

    Attributes
    ----------
    text : str
        The text.
    known : str or None
        Its id on this server; None: it is not there.
    """

    text: str
    known: str | None


def find_text(
    archive: Archive,
    corpus: ArchivedCorpus,
    texts: list[KnownText],
    given: Path | None,
    max_bytes: int,
) -> FoundText:
    """Find the text with the SHA-256 that an archive names.

    Parameters
    ----------
    archive : Archive
        The archive.
    corpus : ArchivedCorpus
        Its text, as it describes it.
    texts : list of KnownText
        The texts of this server.
    given : pathlib.Path or None
        A file that should be the text, as it was uploaded or as it was stored.
    max_bytes : int
        Maximum size of a text.

    Raises
    ------
    MissingTextError
        The text is nowhere.
    ArchiveError
        The text in the archive is not the one that the archive describes.
    """
    for known in texts:
        if known.characters == corpus.characters:
            content = known.path.read_bytes()
            if _sha256(content) == corpus.sha256:
                return FoundText(content.decode("utf-8"), known.id)
    if TEXT in archive:
        return FoundText(_text_in(archive, corpus, max_bytes), None)
    if given is None:
        raise MissingTextError(f"{_description(corpus)} is not in the file: add the text")
    for text in _readings(given.read_bytes(), corpus.encoding):
        if _sha256(text.encode()) == corpus.sha256:
            return FoundText(text, None)
    raise MissingTextError(f"{_description(corpus)} is not the one that was added")


def _text_in(archive: Archive, corpus: ArchivedCorpus, max_bytes: int) -> str:
    size_bytes = archive.size_bytes(TEXT)
    if size_bytes > max_bytes:
        raise ArchiveError(
            f"The file's text has {size_bytes:,} bytes; the limit is {max_bytes:,}"
            " (HURRAH_MAX_UPLOAD_BYTES)."
        )
    if archive.sha256(TEXT) != corpus.sha256:
        raise ArchiveError("The file's text is not that of the run.")
    try:
        return b"".join(archive.pieces(TEXT)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveError("The file's text is not UTF-8.") from error


def _readings(content: bytes, encoding: str) -> Iterator[str]:
    """Yield what a library may have stored of an uploaded file."""
    with contextlib.suppress(UnicodeDecodeError):
        yield content.decode("utf-8")
    for choice in (encoding, None):
        try:
            text = decode_text(content, choice).text
        except (NotTextError, UnknownEncodingError):
            continue
        yield text
        if (licence := find_licence(text)) is not None:
            yield without_licence(text, licence)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _description(corpus: ArchivedCorpus) -> str:
    return (
        f"The run's text, “{corpus.name}” with {corpus.characters:,} characters"
        f" (SHA-256 of its UTF-8: {corpus.sha256}),"
    )
