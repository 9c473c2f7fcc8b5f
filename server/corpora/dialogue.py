"""A passage of a text with dialogue in it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["dialogue_passage", "read_dialogue_passage"]

SEARCHED_CHARACTERS = 400_000
"""How much of a text is searched, from its beginning."""
LENGTH = 320
LEAST_SHARE = 0.7
"""Of the length, that remains where the passage is cut before an incomplete word."""
ENOUGH_MARKS = 8
"""Of passages with more quotation marks, the first is chosen."""

# Straight quotation marks do not show where a quotation ends, so they are counted like the others.
MARKS = frozenset('"“”„«»‹›「」『』《》〝〞‟”')
PARAGRAPH = re.compile(r"\n\s*\n")


def dialogue_passage(text: str, length: int = LENGTH) -> tuple[int, str]:
    """Return a passage of a text, if possible one in which quotations open and close.

    Parameters
    ----------
    text : str
        Any text. Without quotation marks, its beginning after the first tenth is returned.
    length : int
        Characters at most.

    Returns
    -------
    position : int
        Where the passage starts in the text, in characters.
    passage : str
        It starts and ends at a line or a word, if there is one near.
    """
    if len(text) <= length:
        return 0, text
    starts = [0, *(found.end() for found in PARAGRAPH.finditer(text))]
    if len(starts) == 1:
        starts = [0, *(found.end() for found in re.finditer(r"\n", text))]
    starts = [start for start in starts if start + length <= len(text)] or [0]
    # Not at the end, which may be cut off.
    counted = int(length * LEAST_SHARE)
    best = max(starts, key=lambda start: _marks(text[start : start + counted]))
    if not _marks(text[best : best + counted]):
        wanted = len(text) // 10
        best = min(starts, key=lambda start: abs(start - wanted))
    return best, _cut(text[best : best + length])


def read_dialogue_passage(path: Path) -> tuple[int, str]:
    """Return such a passage from the first part of a file in UTF-8; see `dialogue_passage`."""
    with path.open(encoding="utf-8", newline="") as file:
        return dialogue_passage(file.read(SEARCHED_CHARACTERS))


def _marks(passage: str) -> int:
    """Return the number of quotation marks, up to `ENOUGH_MARKS`."""
    return min(sum(character in MARKS for character in passage), ENOUGH_MARKS)


def _cut(passage: str) -> str:
    """Return a passage without the incomplete word at its end."""
    cut = max(passage.rfind("\n"), passage.rfind(" "))
    return passage[:cut] if cut > len(passage) * LEAST_SHARE else passage
