"""The definition of a word, for any script."""

import re
from collections.abc import Iterator

import regex

LETTER = r"[\p{L}\p{Nl}\p{No}]"
"""A letter. Numerals that are not digits (roman numerals, fractions) count as letters."""

LETTER_OR_MARK = r"[\p{L}\p{Nl}\p{No}\p{M}\p{Join_Control}]"
"""A letter, a combining mark, or a zero-width joiner of a Persian or Indic word."""

APOSTROPHE = "['\u2019]"
"""The straight or the curly apostrophe."""

MIN_SLICE_CHARACTERS = 1 << 17
"""Minimum length of a slice of a text. A search does not release the GIL until it ends."""

MAX_SLICE_CHARACTERS = 4 * MIN_SLICE_CHARACTERS
"""Maximum length of a slice. It bounds the memory of a search in a text without white space."""

WORD = regex.compile(f"{LETTER}{LETTER_OR_MARK}*(?:{APOSTROPHE}{LETTER}{LETTER_OR_MARK}*)*")
"""Matches a word: a letter and the letters and combining marks that follow it.

An apostrophe between two letters belongs to the word ("don't", "O'Hara"), so quotation marks do
not. Digits, underscores and hyphens separate words. In a script without spaces, a word is the text
between two punctuation marks.
"""


def word_at(text: str, index: int) -> str | None:
    """Return the word that contains the character at an index; None if no word does."""
    words = WORD.finditer(text)
    return next((word.group() for word in words if word.start() <= index < word.end()), None)


def find_all(pattern: regex.Pattern[str], text: str) -> Iterator[list[str]]:
    """Find all matches of a pattern in a text of any length, one slice at a time.

    Parameters
    ----------
    pattern : regex.Pattern[str]
        A pattern that does not match white space.
    text : str
        The text to search.

    Yields
    ------
    list[str]
        The matches in the next of the text's `slices`. Together they equal
        ``pattern.findall(text)``, except that a slice boundary without white space can cut a match.
    """
    for piece in slices(text):
        yield pattern.findall(piece)


def slices(text: str) -> Iterator[str]:
    """Cut a text into slices, at white space where possible.

    Parameters
    ----------
    text : str
        The text to cut.

    Yields
    ------
    str
        The next slice, of `MIN_SLICE_CHARACTERS` to `MAX_SLICE_CHARACTERS` characters; the last one
        may be shorter. The slices joined are the text.
    """
    gap = re.compile(r"\s")
    start = 0
    while start < len(text):
        longest = min(start + MAX_SLICE_CHARACTERS, len(text))
        found = gap.search(text, start + MIN_SLICE_CHARACTERS, longest)
        end = found.start() if found else longest
        yield text[start:end]
        start = end
