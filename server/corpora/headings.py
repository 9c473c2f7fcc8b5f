"""Chapter headings of a book."""

import re
from collections.abc import Iterator

from server.corpora.words import MAX_SLICE_CHARACTERS, MIN_SLICE_CHARACTERS

MIN_HEADINGS, MAX_HEADINGS = 2, 200
"""A single heading divides nothing, and more lines than this are not chapters."""

MAX_CHARACTERS = 60

_KINDS = (
    *("act", "book", "canto", "chapter", "letter", "part", "scene", "stave", "volume"),
    *("akt", "brief", "buch", "kapitel", "szene", "teil"),
    *("acte", "chapitre", "lettre", "livre", "partie", "scène"),
    *("acto", "capítulo", "libro", "parte", "atto", "capitolo"),
    *("hoofdstuk", "rozdział", "глава", "книга", "часть"),
)
_HEADING = re.compile(
    rf"^[ \t]*((?:{'|'.join(_KINDS)})\b[^\n]*|[ivxlc]+\.?)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_NUMBERED = re.compile(r"\S+[ \t]+(?:\d+|[IVXLC]+)\b")


def find_headings(text: str) -> list[tuple[int, str]]:
    """Find the headings of a book's chapters.

    A heading is a line between empty lines. It starts with a word such as "Chapter", and either a
    number follows or the line is in capitals; or it is a roman numeral.

    Parameters
    ----------
    text : str
        The book.

    Returns
    -------
    list of (int, str)
        The position of each, in code points, and its text; empty if there are fewer than
        `MIN_HEADINGS` or more than `MAX_HEADINGS`.
    """
    found = []
    for match in _candidate_lines(text):
        start, end = match.span()
        heading = match[1].strip()
        starts_alone = start == 0 or text[max(0, start - 2) : start] in {"\n\n", "\n"}
        ends_alone = text[end : end + 2] in {"\n\n", "\n", ""}
        if starts_alone and ends_alone and _is_heading(heading):
            found.append((start, " ".join(heading.split())))
            if len(found) > MAX_HEADINGS:
                return []
    return found if len(found) >= MIN_HEADINGS else []


def _candidate_lines(text: str) -> Iterator[re.Match[str]]:
    """Yield possible headings. A search keeps the GIL, so the text is searched in slices."""
    start = 0
    while start < len(text):
        longest = min(start + MAX_SLICE_CHARACTERS, len(text))
        end = text.find("\n", start + MIN_SLICE_CHARACTERS, longest)
        # A line that is longer than a slice is not a heading.
        end = longest if end < 0 else end
        yield from _HEADING.finditer(text, start, end)
        start = end + 1


def _is_heading(line: str) -> bool:
    if len(line) > MAX_CHARACTERS or not line[0].isupper():
        return False
    return line.isupper() or _NUMBERED.match(line) is not None
