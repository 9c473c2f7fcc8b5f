"""Decoding of damaged text in an encoding whose characters have several bytes.

After a lost or an added byte, all bytes up to the end of the line may form
wrong but valid characters. So the damaged line is divided into characters
and invalid bytes in the most plausible way.
"""

import re
from collections.abc import Callable, Iterator
from math import inf

__all__ = ["CHARACTER_BYTES", "decode_damaged"]

CHARACTER_BYTES = {
    "cp932": 2,
    "big5": 2,
    "cp950": 2,
    "cp949": 2,
    "euc_jp": 3,
    "euc_jis_2004": 3,
    "gb18030": 4,
}
"""Maximum length of a character in each of these encodings."""

MAX_SEGMENT_BYTES = 1 << 13
"""A longer damaged segment is decoded from left to right."""

CHUNK_BYTES = 1 << 14
"""Size of the parts that are first decoded as a whole."""

# No encoding has a byte this low inside a multi-byte character.
_SEGMENT = re.compile(rb"[^\x00-\x2f]+|[\x00-\x2f]+")
_INVALID_BYTE = 12.0
"""Cost of an invalid byte in nats: more than any known character costs."""


def decode_damaged(
    data: bytes, encoding: str, cost: Callable[[str], float], limit_bytes: int
) -> tuple[str, int]:
    """Decode text with some invalid, missing or added bytes.

    Parameters
    ----------
    data : bytes
        The text.
    encoding : str
        One of `CHARACTER_BYTES`.
    cost : callable
        The cost of a character in nats.
    limit_bytes : int
        Maximum size of all segments that are divided in the most plausible way; the rest is decoded
        from left to right.

    Returns
    -------
    str, int
        The text, with U+FFFD for each invalid byte, and their number.
    """
    parts: list[str] = []
    replaced = 0
    costs: dict[bytes, tuple[float, str]] = {}
    for chunk in _chunks(data):
        try:
            parts.append(chunk.decode(encoding))
            continue
        except UnicodeDecodeError:
            pass
        decoded: list[str] = []
        for segment in _SEGMENT.findall(chunk):
            try:
                part = segment.decode(encoding)
            except UnicodeDecodeError:
                if len(segment) > min(MAX_SEGMENT_BYTES, limit_bytes):
                    part = segment.decode(encoding, errors="replace")
                else:
                    limit_bytes -= len(segment)
                    part = _most_plausible(segment, encoding, cost, costs)
                replaced += part.count("\ufffd")
            decoded.append(part)
        parts.append("".join(decoded))
    return "".join(parts), replaced


def _chunks(data: bytes) -> Iterator[bytes]:
    """Divide the data at bytes that are no part of a multi-byte character."""
    boundary = re.compile(rb"[\x00-\x2f]")
    start = 0
    while start < len(data):
        found = boundary.search(data, start + CHUNK_BYTES)
        end = found.start() if found else len(data)
        yield data[start:end]
        start = end


def _most_plausible(
    segment: bytes,
    encoding: str,
    cost: Callable[[str], float],
    known: dict[bytes, tuple[float, str]],
) -> str:
    """Return the reading of a segment with the lowest cost (dynamic programming)."""
    lengths = range(1, CHARACTER_BYTES[encoding] + 1)
    lowest = [inf] * len(segment) + [0.0]
    chosen = [(1, "\ufffd")] * len(segment)
    for start in range(len(segment) - 1, -1, -1):
        best, choice = lowest[start + 1] + _INVALID_BYTE, (1, "\ufffd")
        for length in lengths:
            if start + length > len(segment):
                break
            unit = segment[start : start + length]
            if unit not in known:
                known[unit] = _read(unit, encoding, cost)
            unit_cost, character = known[unit]
            if unit_cost + lowest[start + length] < best:
                best, choice = unit_cost + lowest[start + length], (length, character)
        lowest[start], chosen[start] = best, choice
    characters = []
    position = 0
    while position < len(segment):
        length, character = chosen[position]
        characters.append(character)
        position += length
    return "".join(characters)


def _read(unit: bytes, encoding: str, cost: Callable[[str], float]) -> tuple[float, str]:
    """Return the cost and the text of bytes that may be one character."""
    try:
        text = unit.decode(encoding)
    except UnicodeDecodeError:
        return inf, ""
    return (cost(text), text) if len(text) == 1 else (inf, "")
