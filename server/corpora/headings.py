"""Where the chapters of a book begin."""

import re
from collections.abc import Iterator

from server.corpora.words import MAX_SLICE_CHARACTERS, MIN_SLICE_CHARACTERS

LEAST, MOST = 2, 200
"""One heading divides nothing; more than these are no chapters."""

LONGEST_CHARACTERS = 60

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

    A heading is a line of its own between empty lines that begins with a word such as "Chapter"
    and a number, or is in capitals and begins with such a word, or is a roman numeral.

    Parameters
    ----------
    text : str
        The book.

    Returns
    -------
    list of (int, str)
        Where each begins, in code points, and what it says; none if there are fewer than `LEAST`
        or more than `MOST`.
    """
    found = []
    for match in _lines(text):
        start, end = match.span()
        heading = match[1].strip()
        stands_alone = start == 0 or text[max(0, start - 2) : start] in {"\n\n", "\n"}
        ends_alone = text[end : end + 2] in {"\n\n", "\n", ""}
        if stands_alone and ends_alone and _is_heading(heading):
            found.append((start, " ".join(heading.split())))
            if len(found) > MOST:
                return []
    return found if len(found) >= LEAST else []


def _lines(text: str) -> Iterator[re.Match[str]]:
    """Yield the lines that may be headings; a search holds the interpreter until it is done."""
    start = 0
    while start < len(text):
        longest = min(start + MAX_SLICE_CHARACTERS, len(text))
        end = text.find("\n", start + MIN_SLICE_CHARACTERS, longest)
        # A line that is cut is longer than any heading.
        end = longest if end < 0 else end
        yield from _HEADING.finditer(text, start, end)
        start = end + 1


def _is_heading(line: str) -> bool:
    if len(line) > LONGEST_CHARACTERS or not line[0].isupper():
        return False
    return line.isupper() or _NUMBERED.match(line) is not None
