"""Fast searches of a whole text: for control characters, and for places that lack a byte."""

import re

import numpy as np
import numpy.typing as npt

from server.corpora.encodings.character_costs import character_cost

__all__ = ["count_doubtful", "count_lost_escapes", "find_controls"]

BLOCK_CHARACTERS = 1 << 20
"""Size of the parts in which a text is searched."""

DOUBTFUL_ENCODINGS = ("cp932", "big5", "cp950", "cp949", "gb18030")
"""Encodings in which the second byte of a character can be a character of its own."""

MAX_TESTED = 2_000
"""Maximum number of places that are tested."""

MIN_CHARACTERS_PER_PLACE = 200
"""If there are more places, the text is written like that."""

MAX_SHIFTED_CHARACTERS = 8
"""Number of characters that a lost byte may have changed."""

_LOST_BYTE = 9.0
"""Cost of a lost byte in nats."""

_MIN_GAIN = 1.0
"""How much cheaper the repaired text must be, in nats."""

# Cost in nats of a single character between characters of two bytes: most unusual is half-width
# kana, then a mark, then a letter. Capital letters stand alone more often than small ones.
_SINGLE_KANA, _SINGLE_MARK, _SINGLE_LETTER, _SMALL_LETTER = 13.0, 12.0, 9.0, 1.5

_WHITE_SPACE = np.array([0x09, 0x0A, 0x0C, 0x0D], dtype=np.uint16)
_LINE_END, _AT_SIGN, _DELETE = map(np.uint16, (0x0A, 0x40, 0x7F))
_LOW_SURROGATE, _HALF_WIDTH = map(np.uint16, (0xDC00, 0xFF61))

_UNDEFINED_BYTES = "\uf8f0\uf8f1\uf8f2\uf8f3"
"""The bytes A0, FD, FE and FF, which are undefined in cp932, as Python decodes them."""

_DESIGNATION = re.compile(rb"\x1b(\$[@B]|\$\([A-Z]|\([A-Z]|\.[A-Z])")
_LOST_ESCAPE = re.compile(rb"\$[@B](?:[!-~]{2})+\Z")

Codes = npt.NDArray[np.uint16]


def find_controls(text: str) -> bool:
    """Return whether a text has control characters besides white space."""
    for at in range(0, len(text), BLOCK_CHARACTERS):
        codes = _codes(text[at : at + BLOCK_CHARACTERS])
        # The units wrap around, so each comparison tests a range.
        low = codes[codes < 0x20]
        high = codes[(codes - _DELETE) <= 0x9F - 0x7F]
        if not np.isin(low, _WHITE_SPACE).all() or np.any(high != 0x85):
            return True
    return False


def count_doubtful(text: str, encoding: str, language: str) -> int:
    """Count the places of a valid text where a byte is probably missing.

    If a byte is lost, the next ones form other characters, until one is left over: a letter of
    ASCII or a half-width kana, alone between characters of two bytes.

    Parameters
    ----------
    text : str
        The decoded text.
    encoding : str
        Its encoding.
    language : str
        The language that tells how surprising a character is; see `character_cost`.
    """
    if encoding not in DOUBTFUL_ENCODINGS or not language:
        return 0
    places: list[int] = []
    for start in range(0, len(text), BLOCK_CHARACTERS):
        # A place at the border of two parts is in both.
        codes = _codes(text[start : start + BLOCK_CHARACTERS + 2])
        at = np.flatnonzero(_is_single(codes[1:-1])) + 1
        at = at[_is_wide(codes[at - 1]) & (_is_wide(codes[at + 1]) | (codes[at + 1] == _LINE_END))]
        # From units to characters.
        second_halves = np.flatnonzero(codes - _LOW_SURROGATE < 0x400)
        places += (at - np.searchsorted(second_halves, at) + start).tolist()
        if len(places) > MAX_TESTED:
            return 0
    count = sum(_is_doubtful(text, at, encoding, language) for at in places)
    if encoding == "cp932":
        count += sum(map(text.count, _UNDEFINED_BYTES))
    return count if count <= max(3, len(text) // MIN_CHARACTERS_PER_PLACE) else 0


def count_lost_escapes(data: bytes) -> int:
    """Count the places of a text in ISO 2022 where the byte of an escape is missing.

    What follows is then read as ASCII: an odd word that ends at the return to ASCII.
    """
    pieces = _DESIGNATION.split(data)
    in_ascii = [True, *(b"$" not in character_set for character_set in pieces[1::2])]
    followed = zip(pieces[:-1:2], in_ascii, strict=False)
    return sum(is_ascii and _LOST_ESCAPE.search(piece) is not None for piece, is_ascii in followed)


def _is_doubtful(text: str, at: int, encoding: str, language: str) -> bool:
    """Return whether the characters up to this one are less plausible than a wrong byte."""
    single = text[at]
    if not single.isascii():
        cost = _SINGLE_KANA
    elif not single.isalpha():
        cost = _SINGLE_MARK
    else:
        cost = _SINGLE_LETTER + _SMALL_LETTER * single.islower()
    data = single.encode(encoding)
    for start in range(at, max(-1, at - MAX_SHIFTED_CHARACTERS), -1):
        if start < at:
            character = text[start].encode(encoding, "replace")
            if len(character) != 2:
                return False
            data = character + data
            cost += character_cost(text[start], language)
        # The first byte has lost its other half, or the second one was added.
        for rest in (data[1:], data[:1] + data[2:]):
            try:
                repaired = rest.decode(encoding)
            except UnicodeDecodeError:
                continue
            repaired_cost = sum(character_cost(each, language) for each in repaired)
            if cost - (_LOST_BYTE + repaired_cost) >= _MIN_GAIN:
                return True
    return False


def _codes(text: str) -> Codes:
    """Return the text in UTF-16; a character beyond plane 0 is two units."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")


def _is_single(codes: Codes) -> npt.NDArray[np.bool_]:
    """Return which units may be the second byte of a character on its own."""
    result: npt.NDArray[np.bool_] = (codes - _AT_SIGN < 0x3F) | (codes - _HALF_WIDTH < 0x3F)
    return result


def _is_wide(codes: Codes) -> npt.NDArray[np.bool_]:
    """Return which units are characters of at least two bytes."""
    result: npt.NDArray[np.bool_] = (codes >= 0xA0) & (codes - _HALF_WIDTH >= 0x3F)
    return result
