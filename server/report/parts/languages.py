"""The language of a text, as far as its script tells."""

from __future__ import annotations

import regex

__all__ = ["language_of"]

# Scripts of mostly one language; the first that is frequent counts.
LANGUAGES = (
    ("ja", regex.compile(r"[\p{Hiragana}\p{Katakana}]")),
    ("ko", regex.compile(r"\p{Hangul}")),
    ("zh", regex.compile(r"\p{Han}")),
    ("he", regex.compile(r"\p{Hebrew}")),
    ("el", regex.compile(r"\p{Greek}")),
    ("th", regex.compile(r"\p{Thai}")),
    ("hy", regex.compile(r"\p{Armenian}")),
    ("ka", regex.compile(r"\p{Georgian}")),
)
LETTER = regex.compile(r"\p{L}")
MIN_SHARE = 0.1


def language_of(text: str) -> str | None:
    """Return the language of a text as a BCP 47 tag; None if its script has many.

    Parameters
    ----------
    text : str
        Some thousand characters are enough.
    """
    letters = len(LETTER.findall(text))
    for language, script in LANGUAGES:
        if letters and len(script.findall(text)) / letters > MIN_SHARE:
            return language
    return None
