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
not. Digits, underscores and hyphens separate words. In a script without spaces, a match is the text
between two punctuation marks; see `word_units`.
"""

IDEOGRAPHS_AND_KANA = r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc]"
"""A character of Chinese or Japanese. U+30FC lengthens a Japanese vowel."""

UNSPACED_LETTERS = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""A character of an alphabet that is written without spaces between words."""

_UNSPACED = regex.compile(f"(?P<pairs>{IDEOGRAPHS_AND_KANA}+)|(?P<fours>{UNSPACED_LETTERS}+)")
_NOT_A_LETTER = regex.compile(r"[\p{M}\p{Join_Control}]")
_COUNTED = regex.compile(
    f"{IDEOGRAPHS_AND_KANA}|{UNSPACED_LETTERS}+|"
    f"(?:(?!{IDEOGRAPHS_AND_KANA}|{UNSPACED_LETTERS})(?:{LETTER_OR_MARK}|{APOSTROPHE}))+"
)

Span = tuple[int, int]


def word_units(word: str) -> Iterator[Span]:
    """Divide a match of `WORD` into the units that are looked up in a corpus.

    A word of a script with spaces is one unit. Scripts without spaces do not show where a word
    ends. Their units are n-grams, one from each character on: two characters in Chinese and
    Japanese, where most words have one or two, and four in Thai, Lao, Khmer and Burmese, whose
    characters stand for single sounds. A shorter run is one unit.

    Parameters
    ----------
    word : str
        A match of `WORD`.

    Yields
    ------
    tuple of (int, int)
        The half-open span of a unit in `word`, in increasing order. N-grams overlap.
    """
    start = 0
    for run in _UNSPACED.finditer(word):
        if start < run.start():
            yield start, run.start()
        size = min(2 if run["pairs"] else 4, len(run[0]))
        for first in range(run.start(), run.end() - size + 1):
            yield first, first + size
        start = run.end()
    if start < len(word):
        yield start, len(word)


def has_one_letter(word: str) -> bool:
    """Return whether a word is one letter of a script with spaces, with or without marks."""
    if _UNSPACED.match(word):
        return False
    return len(word) == 1 or (len(word) < 5 and len(_NOT_A_LETTER.sub("", word)) == 1)


def has_letters(word: str, least: int) -> bool:
    """Return whether a word of a script with spaces has at least so many letters.

    Marks and apostrophes do not count. In a script without spaces, `word_units` are not words, and
    their letters tell nothing: False.
    """
    return not _UNSPACED.match(word) and len(_NOT_A_LETTER.sub("", word)) >= least


def count_words(text: str) -> int:
    """Count the words of a text as a reader would.

    In Chinese and Japanese each character counts, as is usual there. In Thai, Lao, Khmer and
    Burmese the text between two spaces or punctuation marks counts as one word.

    Parameters
    ----------
    text : str
        A text of any length.

    Returns
    -------
    int
        The number of words.
    """
    return sum(
        len(_COUNTED.findall(word)) if _UNSPACED.search(word) else 1
        for words in find_all(WORD, text)
        for word in words
    )


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
