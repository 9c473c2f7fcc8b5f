"""Names and notes of users without characters that act on the text around them."""

from __future__ import annotations

import unicodedata

__all__ = ["without_controls"]

JOINERS = "\u200c\u200d"
"""The zero-width joiners, which are part of some letters and emoji."""


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
