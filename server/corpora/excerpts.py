"""A part of a text, without reading all of it into memory: many may ask at once."""

from __future__ import annotations

from pathlib import Path

__all__ = ["read_excerpt"]

CHUNK_CHARACTERS = 16_384


def read_excerpt(path: Path, start: int, end: int) -> str:
    """Return the characters of a text from `start` up to, not including, `end`.

    Parameters
    ----------
    path : pathlib.Path
        A file in UTF-8.
    start, end : int
        In code points; what lies behind the text's end is left out.
    """
    # No line end is changed: a position counts every character.
    with path.open(encoding="utf-8", newline="") as file:
        before = start
        while before > 0 and (passed := file.read(min(before, CHUNK_CHARACTERS))):
            before -= len(passed)
        return file.read(max(0, end - start))
