"""Excerpts of a text file, read without loading the whole file into memory."""

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
        In code points; beyond the end of the text there is nothing.
    """
    # Positions count every character, so line ends must not be translated.
    with path.open(encoding="utf-8", newline="") as file:
        to_skip = start
        while to_skip > 0 and (skipped := file.read(min(to_skip, CHUNK_CHARACTERS))):
            to_skip -= len(skipped)
        return file.read(max(0, end - start))
