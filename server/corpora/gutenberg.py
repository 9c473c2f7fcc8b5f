"""The licence of Project Gutenberg before and after the text of a book."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.corpora.decoding import counted

__all__ = ["GutenbergLicence", "find_licence", "without_licence"]

MAX_START_CHARACTERS = 20_000
"""A line that ends the licence at the start is found up to here; the longest one has 15,000."""

MAX_END_CHARACTERS = 30_000
"""A line that begins the licence at the end is at most this far from the end of the text; the
licence has 19,000.
"""

CHARACTERS_PER_MENTION = 1_500
"""The licence names Project Gutenberg at least this often."""

MAX_TITLE_LINES = 3
"""Number of lines on which the title of a book in a line of asterisks may continue."""

MAX_LINE_CHARACTERS = 120
"""Size of the lines in a description; longer ones are truncated."""

_BOOK = r"(?:COPYRIGHTED[ \t]+)?PROJECT[ \t]+GUTENBERG(?:'S|’S)?[ \t]+E-?(?:BOOK|TEXT)S?\b"
_FLAGS = re.IGNORECASE | re.MULTILINE
_START = re.compile(
    rf"^[ \t]*\*{{2,}}[ \t]*START[ \t]+OF[ \t]+(?:(?:THE|THIS)[ \t]+)?{_BOOK}[^\n]*"
    # Until 2003.
    r"|^[ \t]*\*+[ \t]*END[ \t]{0,9}\*?[ \t]{0,9}THE[ \t]+SMALL[ \t]+PRINT[^\n]*",
    _FLAGS,
)
_END = re.compile(
    rf"^[ \t]*\*{{2,}}[ \t]*END[ \t]+OF[ \t]+(?:(?:THE|THIS)[ \t]+)?{_BOOK}[^\n]*"
    r"|^[ \t]*End of (?:(?:the|this) )?Project Gutenberg\b[^\n]*",
    _FLAGS,
)
_EMPTY_LINES = re.compile(r"(?:[^\S\n]*\n)+")
_VISIBLE = re.compile(r"\S")
_MENTION = re.compile(r"Project\s+Gutenberg", re.IGNORECASE)
_START_PHRASES = re.compile(
    r"use\s+of\s+anyone\s+anywhere|small\s+print|plain\s+vanilla\s+electronic\s+texts"
    r"|^(?:title|author|release date|posting date|language):",
    _FLAGS,
)
_END_PHRASES = re.compile(
    r"updated\s+editions|file\s+should\s+be\s+named|associated\s+files\s+of\s+various"
    r"|full\s+licen[sc]e|small\s+print|foundation|newsletter|gutenberg\.(?:org|net)",
    _FLAGS,
)


@dataclass(frozen=True, slots=True)
class GutenbergLicence:
    """The licence of Project Gutenberg in a text.

    Attributes
    ----------
    start, end : int
        Number of characters of the licence before and after the text of the book, with its lines
        of asterisks and the empty lines beside them; 0 if there is none.
    first_line, last_line : str
        The first and the last line of the book.
    left_out : bool
        Whether the licence was left out.
    """

    start: int
    end: int
    first_line: str
    last_line: str
    left_out: bool = False

    @property
    def repair(self) -> str:
        """What leaving it out changed, as a phrase for the user."""
        return f"the licence of Project Gutenberg left out ({self.size})"

    @property
    def size(self) -> str:
        """How many characters it has, for the user."""
        sizes = [(self.start, "start"), (self.end, "end")]
        return " and ".join(
            f"{counted(size, 'character')} at the {place}" for size, place in sizes if size
        )


def find_licence(text: str) -> GutenbergLicence | None:
    r"""Find the licence of Project Gutenberg at the start and at the end of a text.

    The lines such as ``*** START OF THE PROJECT GUTENBERG EBOOK ... ***`` divide it from the book.
    Such a line counts only if the licence, or nothing, is between it and the start or the end of
    the text, so a quotation of it does not.

    Parameters
    ----------
    text : str
        The text, with ``\n`` as line end.

    Returns
    -------
    GutenbergLicence or None
        None if there is no licence, or nothing besides it.
    """
    start = _book_start(text)
    end = _book_end(text, start)
    if end <= start or (start == 0 and end == len(text)):
        return None
    visible = _VISIBLE.search(text, start, end)
    first_at = end if visible is None else visible.start()
    first = text[first_at : min(first_at + MAX_LINE_CHARACTERS, end)].partition("\n")[0]
    last_end = _end_of_visible(text, start, end)
    last = text[max(start, last_end - MAX_LINE_CHARACTERS) : last_end].rpartition("\n")[2]
    return GutenbergLicence(start, len(text) - end, first, last)


def _end_of_visible(text: str, start: int, end: int) -> int:
    """Return where `text[start:end]` ends without its last white space; makes no large copy."""
    while end > start:
        begin = max(start, end - MAX_END_CHARACTERS)
        if kept := len(text[begin:end].rstrip()):
            return begin + kept
        end = begin
    return start


def without_licence(text: str, licence: GutenbergLicence) -> str:
    """Return the book in a text with a licence."""
    return text[licence.start : len(text) - licence.end]


def _book_start(text: str) -> int:
    """Return where the book starts: after the last line that ends a part of the licence."""
    start = 0
    for marker in _START.finditer(text, 0, min(len(text), MAX_START_CHARACTERS)):
        if not _is_licence(text[start : marker.start()], _START_PHRASES):
            break
        start = _marker_end(text, marker)
    # The empty lines after it are left out too, but not the indentation of the first line.
    if start and (empty_lines := _EMPTY_LINES.match(text, start)) is not None:
        start = empty_lines.end()
    return start


def _book_end(text: str, start: int) -> int:
    """Return where the book ends: before the first line after which there is only the licence."""
    tail = max(start, len(text) - MAX_END_CHARACTERS)
    for marker in _END.finditer(text, tail):
        if _is_licence(_END.sub("", text[marker.start() :]), _END_PHRASES):
            # The empty lines before it are left out too.
            at = marker.start()
            while at > start and text[at - 1].isspace():
                at -= 1
            return min(at + 1, marker.start())
    return len(text)


def _marker_end(text: str, marker: re.Match[str]) -> int:
    """Return the end of a line of asterisks, whose title may continue on the next lines."""
    end = marker.end()
    if "*" in marker.group()[-3:]:
        return end
    for _ in range(MAX_TITLE_LINES):
        line_end = text.find("\n", end + 1, end + MAX_LINE_CHARACTERS)
        line = text[end + 1 : line_end].strip()
        if line_end < 0 or not line:
            break
        if line.endswith("**"):
            return line_end
        end = line_end
    return marker.end()


def _is_licence(part: str, phrases: re.Pattern[str]) -> bool:
    """Return whether a part of a text is empty or belongs to the licence."""
    part = part.strip()
    mentions = len(_MENTION.findall(part))
    is_named = mentions > 0 and len(part) <= mentions * CHARACTERS_PER_MENTION
    return not part or (is_named and phrases.search(part) is not None)
