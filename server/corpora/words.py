"""What counts as a word, in any script."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import chain

LETTER = r"[^\W\d_]"
"""A letter. Numerals that are no digits (roman ones, fractions) pass for letters too."""

APOSTROPHE = "['\u2019]"
"""The typewriter's apostrophe or the printer's."""

# Between them are ideographs and what is not assigned, after them what is for private use: to ask
# about all of them takes each process a third of a second.
_MAY_BE_MARKS = (range(0x20000), range(0xE0000, 0xE1000))

SLICE_CHARACTERS = 1 << 17
"""How much text is searched in one go: a search holds the interpreter until it is done."""

LONGEST_SLICE_CHARACTERS = 4 * SLICE_CHARACTERS
"""And how much at most: a text need have no white space, and a search may take much memory."""


@cache
def word_pattern() -> re.Pattern[str]:
    """Build the pattern that finds words.

    A word is a letter and the letters and combining marks that follow it; an
    apostrophe belongs to it where letters stand on both sides ("don't",
    "O'Hara"), so that quotation marks do not. Digits, underscores and hyphens
    part words. In a script written without spaces a word is what stands
    between two punctuation marks.

    Returns
    -------
    re.Pattern[str]
        Its matches are the words.
    """
    letters = f"{LETTER}+(?:{combining()}{LETTER}*)*"
    return re.compile(f"{letters}(?:{APOSTROPHE}{letters})*")


@cache
def combining() -> str:
    r"""Build the class of what follows a letter without being one.

    Python's ``re`` has none: ``\w`` lacks the combining marks, and the
    zero-width joiners inside Persian and Indic words.

    Returns
    -------
    str
        A class for a regular expression: every code point of general category
        M, and both joiners.
    """
    ranges: list[list[int]] = []
    marks = (code for code in chain(*_MAY_BE_MARKS) if unicodedata.category(chr(code))[0] == "M")
    for code in sorted([*marks, *map(ord, "\u200c\u200d")]):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]"


def find_all(pattern: re.Pattern[str], text: str) -> Iterator[list[str]]:
    """Find all matches in a text of any length, a slice at a time.

    Parameters
    ----------
    pattern : re.Pattern[str]
        A pattern that matches no white space.
    text : str
        Where to look.

    Yields
    ------
    list[str]
        The matches in the next of its `slices`: together they are ``pattern.findall(text)``, but
        that a match is cut in two where no white space was near.
    """
    for piece in slices(text):
        yield pattern.findall(piece)


def slices(text: str) -> Iterator[str]:
    """Cut a long text at white space, or where there is none.

    Parameters
    ----------
    text : str
        The text.

    Yields
    ------
    str
        The next `SLICE_CHARACTERS` or more of it, at most `LONGEST_SLICE_CHARACTERS`; together they
        are the text.
    """
    gap = re.compile(r"\s")
    start = 0
    while start < len(text):
        longest = min(start + LONGEST_SLICE_CHARACTERS, len(text))
        found = gap.search(text, start + SLICE_CHARACTERS, longest)
        end = found.start() if found else longest
        yield text[start:end]
        start = end
