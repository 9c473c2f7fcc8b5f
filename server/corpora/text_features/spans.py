"""Parts of a text that a reader must remember the start of: quotations, brackets, sentences."""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterator

import regex

__all__ = [
    "bracket_spans",
    "quotation_spans",
    "sentence_spans",
    "single_quotation_spans",
]

Span = tuple[int, int]
"""From the first character up to, not including, the last index."""

PARAGRAPH_END = r"\n[^\S\n]*\n"

CLOSING_MARKS = {
    '"': '"',
    "\uff02": "\uff02",
    "“": "”",
    # German closes with the mark that opens in English, Polish with the one that closes.
    "„": "“”",
    # In Swedish and Finnish the same mark opens and closes.
    "”": "”",
    # French, and German the other way round.
    "«": "»",
    "»": "«»",
    "‹": "›",
    "›": "‹›",
    "「": "」",
    "『": "』",
    "﹁": "﹂",
    "﹃": "﹄",
    "〝": "〞〟",
}
"""The quotation marks that open a quotation, and those that close it."""

MAX_OPEN_BRACKETS = 100
"""Brackets further out than this count as not closed."""

_QUOTATION_MARKS = "".join(sorted({*CLOSING_MARKS, *"".join(CLOSING_MARKS.values())}))
_QUOTATION_TOKEN = regex.compile(rf"[{_QUOTATION_MARKS}]|{PARAGRAPH_END}")
# An apostrophe inside a word is not a mark, and a mark that closes follows a character.
_SINGLE_QUOTATION = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}])(?:'|‘|‚)(?=\S)(?:(?!{PARAGRAPH_END}).)+?(?<=\S)['’‘](?![\p{{L}}\p{{N}}])",
    regex.DOTALL,
)
_BRACKET = regex.compile(rf"[[\p{{Ps}}\p{{Pe}}]--[{_QUOTATION_MARKS}‚]]", regex.VERSION1)
_SENTENCE_END = regex.compile(
    # Chinese and Japanese have no space after a sentence.
    rf"[。！？｡]+[\p{{Pe}}\p{{Pf}}]*|\p{{Sentence_Terminal}}+[\p{{Pe}}\p{{Pf}}\"'”’»]*(?=\s|$)"
    rf"|{PARAGRAPH_END}"
)


def quotation_spans(text: str) -> list[Span]:
    """Return the quotations, each from its opening mark up to, not including, its closing mark.

    A quotation that is not closed ends with its paragraph. Single quotation marks are left out; see
    `single_quotation_spans`.
    """
    spans: list[Span] = []
    opened, closing = 0, ""
    for token in _QUOTATION_TOKEN.finditer(text):
        mark, at = token[0], token.start()
        if closing and (mark in closing or mark[0] == "\n"):
            spans.append((opened, at))
            closing = ""
        elif not closing and mark in CLOSING_MARKS:
            opened, closing = at, CLOSING_MARKS[mark]
    if closing:
        spans.append((opened, len(text)))
    return spans


def single_quotation_spans(text: str) -> list[Span]:
    """Return the quotations in single marks, as in British books.

    An apostrophe is the same mark, so that a word such as "'tis" may begin a span by mistake.
    """
    return [(found.start(), found.end() - 1) for found in _SINGLE_QUOTATION.finditer(text)]


def bracket_spans(text: str) -> list[Span]:
    """Return the pairs of brackets, each up to, not including, the closing bracket.

    They may be inside one another. A bracket without its counterpart is left out.
    """
    spans: list[Span] = []
    opened: deque[tuple[str, int]] = deque(maxlen=MAX_OPEN_BRACKETS)
    for token in _BRACKET.finditer(text):
        mark, at = token[0], token.start()
        if unicodedata.category(mark) == "Ps":
            opened.append((mark, at))
        elif any(_closes(mark, other) for other, _ in opened):
            while not _closes(mark, opened[-1][0]):
                opened.pop()
            spans.append((opened.pop()[1], at))
    return spans


def _closes(mark: str, opening: str) -> bool:
    # In Unicode, the closing bracket is the next code point, or the one after.
    return 0 < ord(mark) - ord(opening) <= 2


def sentence_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the start of each sentence, the index after its last mark, and its last mark.

    The white space between two sentences belongs to none of them, and the mark is empty where the
    paragraph, or the text, ends without one. An abbreviation such as "Mr." ends a sentence too.
    """
    start = 0
    for found in _SENTENCE_END.finditer(text):
        mark = next((c for c in found[0] if regex.match(r"\p{Sentence_Terminal}", c)), "")
        end = found.end() if mark else found.start()
        if start < end:
            yield start, end, mark
        start = _skip_space(text, found.end())
    if start < len(text):
        yield start, len(text), ""


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
