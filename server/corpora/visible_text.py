"""Text without characters that act on the text around them, or on the terminal."""

from __future__ import annotations

import unicodedata

__all__ = ["escape_controls", "without_controls"]

JOINERS = "\u200c\u200d"
"""The zero-width joiners, which are part of some letters and emoji."""

_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""The classes of the characters that change the direction of the text after them (UAX 9)."""


def without_controls(text: str, kept: str = "") -> str:
    """Replace each control character by a space, such as those that reverse the text after them.

    Parameters
    ----------
    text : str
        Any text.
    kept : str
        Control characters that stay, besides the zero-width joiners.
    """
    kept += JOINERS
    return "".join(
        each if each in kept or unicodedata.category(each)[0] != "C" else " " for each in text
    )


def escape_controls(text: str) -> str:
    r"""Write control characters other than tabs and line ends as escapes, such as ``\x1b``.

    A terminal would carry them out.
    """
    return "".join(_escaped(each) if _is_control(each) else each for each in text)


def _is_control(character: str) -> bool:
    if unicodedata.category(character) in {"Cc", "Cs"}:
        return character not in "\t\n"
    return unicodedata.bidirectional(character) in _DIRECTIONS


def _escaped(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode()
        if character > "\x7f"
        else f"\\x{ord(character):02x}"
    )
