"""UTF-16 and UTF-32, also with a missing or an added byte, after which all units are shifted."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from server.corpora.encodings.character_costs import ANY_LANGUAGE
from server.corpora.encodings.encoding_detection import ENCODINGS, ScoredReading, text_costs

__all__ = ["WIDE_ENCODINGS", "decode_wide", "rank_wide"]

WIDE_ENCODINGS = {"utf-16-le": "<u2", "utf-16-be": ">u2", "utf-32-le": "<u4", "utf-32-be": ">u4"}
"""The encodings, and the units that they consist of."""

SAMPLE_BYTES = 1 << 16
"""Size of the beginning from which the encoding is detected."""

MAX_IMPLAUSIBLE_SHARE = 0.05
"""With a larger share of characters that no text has, an encoding is rejected."""

MAX_MEAN_COST = 6.5
"""With a higher mean cost of its characters in nats, an encoding is rejected."""

COUNTED_BYTES = 1 << 18
"""Size of the parts in which costs are computed; a multiple of the size of a block."""

BLOCK_UNITS = 32
"""Number of units that are shifted or not together; then the exact place is found."""

LANGUAGES = sorted({name for names in ENCODINGS.values() for name in names} - {ANY_LANGUAGE})

_SHIFT = 40.0
"""Cost of a missing or an added byte, in nats."""

_START_SHIFT = 12.0
"""Cost of bytes that are missing at the beginning, in nats: more than that of the character whose
bytes they are, so that no sound text is read without its first character.
"""

_IMPLAUSIBLE = 16.0

_MARK_ENDS = {"le": b"\xfe", "be": b"\xff"}
"""What is left of a byte-order mark that lost its first byte."""

# Emoji, mostly. The costs of characters are those of plane 0, so these are taken for symbols.
_BEYOND_PLANE_0 = re.compile("[\U00010000-\U0010ffff]")

Costs = npt.NDArray[np.float32]


def rank_wide(data: bytes) -> list[ScoredReading]:
    """Rank the readings of data that has zero bytes and no byte-order mark.

    If the first byte is lost, most of UTF-16-LE is valid UTF-16-BE, and the other way round: only
    the languages tell which one is right.

    Returns
    -------
    list of ScoredReading
        The most plausible first, with the cost beyond that of the first; empty if the data is no
        text in any of the encodings. Encodings in which the text is the same appear once.
    """
    beginning = data[:SAMPLE_BYTES]
    found: list[ScoredReading] = []
    for encoding, unit in WIDE_ENCODINGS.items():
        parts = _aligned(beginning, encoding)
        costs = np.concatenate([_unit_costs(part, unit) for part in parts])
        text = "".join(part.decode(encoding, errors="replace") for part in parts)
        # The end of the sample, and each part, may cut a character.
        implausible = max(0, int(np.count_nonzero(costs >= _IMPLAUSIBLE)) - len(parts))
        if implausible > MAX_IMPLAUSIBLE_SHARE * len(costs) or not any(map(_is_usual, text)):
            continue
        if costs.mean() > MAX_MEAN_COST:
            continue
        same = text.strip("\ufffd")
        by_language = text_costs(_BEYOND_PLANE_0.sub("\u2603", text), LANGUAGES)
        language = min(by_language, key=by_language.__getitem__)
        cost = by_language[language] + _IMPLAUSIBLE * same.count("\ufffd")
        # A lost beginning is more usual than a byte lost inside.
        is_cut = not parts[0]
        if not data.startswith(_MARK_ENDS[encoding[-2:]]):
            cost += _START_SHIFT * is_cut
        cost += _SHIFT * (len(parts) - 1 - is_cut)
        found.append(ScoredReading(encoding, language, same, cost, cost / len(beginning)))
    found.sort(key=lambda reading: reading.cost)
    return [
        replace(reading, cost=reading.cost - found[0].cost)
        for place, reading in enumerate(found)
        # Readings may differ in a character at the beginning or the end that is cut in one.
        if not any(reading.text[1:-1] in better.text for better in found[:place])
    ]


def decode_wide(data: bytes, encoding: str) -> tuple[str, int]:
    """Decode text in UTF-16 or UTF-32.

    Parameters
    ----------
    data : bytes
        The text without a byte-order mark.
    encoding : str
        One of `WIDE_ENCODINGS`.

    Returns
    -------
    str, int
        The text, with U+FFFD for each invalid sequence and for each missing or added byte, and
        their number.
    """
    width = int(WIDE_ENCODINGS[encoding][-1])
    try:
        text = data.decode(encoding)
        blocks = _cost_blocks(data, WIDE_ENCODINGS[encoding])
        if not any(np.any(costs >= _IMPLAUSIBLE) for costs in blocks):
            return text, 0
        invalid_before = text.count("\ufffd")
        del text
    except UnicodeDecodeError:
        invalid_before = 0
    parts = _aligned(data, encoding)
    rest = len(parts[-1]) % width
    texts = [part[: len(part) - len(part) % width].decode(encoding, "replace") for part in parts]
    text = "\ufffd".join(texts) + ("\ufffd" if rest else "")
    return text, text.count("\ufffd") - invalid_before


def _aligned(data: bytes, encoding: str) -> list[bytes]:
    """Divide the data where a byte is missing or was added (the Viterbi algorithm)."""
    unit = WIDE_ENCODINGS[encoding]
    width = int(unit[-1])
    count = len(data) // width - 1
    if count < 1:
        return [data]
    by_shift = [_block_costs(data, s, s + count * width, unit) for s in range(width)]
    starts = np.arange(0, count, BLOCK_UNITS)
    total = [0.0] + [_SHIFT] * (width - 1)
    origins: list[list[int]] = []
    for costs in zip(*by_shift, strict=True):
        cheapest = min(range(width), key=total.__getitem__)
        switched = total[cheapest] + _SHIFT
        origin = [s if total[s] <= switched else cheapest for s in range(width)]
        total = [min(total[s], switched) + costs[s] for s in range(width)]
        origins.append(origin)
    shift = min(range(width), key=total.__getitem__)
    shifts = []
    for origin in reversed(origins):
        shifts.append(shift)
        shift = origin[shift]
    shifts.reverse()
    # `shift` is now the one before the first block.
    # If the first character lost a byte, an empty part is before the rest.
    begin = current = shifts[0]
    parts = [b""] if begin else []
    for block in range(1, len(shifts)):
        following = shifts[block]
        if following == current:
            continue
        low = int(starts[block - 1])
        high = min(low + 2 * BLOCK_UNITS, count)
        kept, shifted = (
            _unit_costs(data[s + low * width : s + high * width], unit)
            for s in (current, following)
        )
        gain = kept - shifted
        at = low + int(np.argmin(np.concatenate(([0.0], np.cumsum(gain)))))
        end = at * width + current
        parts.append(data[begin:end])
        # After a missing byte, the rest of its unit is skipped.
        begin = at * width + following + (width if following < current else 0)
        current = following
    return [*parts, data[begin:]]


def _block_costs(data: bytes, begin: int, end: int, unit: str) -> list[float]:
    """Return the cost of each `BLOCK_UNITS` units from one position to another."""
    found: list[float] = []
    for costs in _cost_blocks(data, unit, begin, end):
        found += np.add.reduceat(costs, np.arange(0, len(costs), BLOCK_UNITS)).tolist()
    return found


def _cost_blocks(data: bytes, unit: str, begin: int = 0, end: int | None = None) -> Iterator[Costs]:
    """Yield `_unit_costs` from one position to another, in parts, which take less memory."""
    end = len(data) if end is None else end
    for at in range(begin, end, COUNTED_BYTES):
        if len(costs := _unit_costs(data[at : min(at + COUNTED_BYTES, end)], unit)):
            yield costs


def _unit_costs(data: bytes, unit: str) -> Costs:
    """Return how surprising each unit is in a text, in nats."""
    units = np.frombuffer(data[: len(data) - len(data) % int(unit[-1])], dtype=unit)
    costs: Costs = _cost_table()[np.minimum(units, 0xFFFF)]
    costs[units > 0xFFFF] = 5.0
    costs[units > 0x10FFFF] = _IMPLAUSIBLE
    return costs


@cache
def _cost_table() -> Costs:
    """Return the cost of each unit of UTF-16."""
    return np.array([_unit_cost(chr(code)) for code in range(0x10000)], dtype=np.float32)


def _unit_cost(character: str) -> float:
    if _is_usual(character):
        return 3.0
    category = unicodedata.category(character)
    if category in {"Cc", "Cn", "Co"}:
        return _IMPLAUSIBLE
    if category == "Cs":
        return 5.0
    code = ord(character)
    if category[0] not in "LMP":
        # A file may have whole pages of lines and boxes; shifted by a byte, they are rare letters.
        return 3.5 if 0x2500 <= code < 0x2700 else 8.0
    if code < 0x700 or 0xE00 <= code < 0xE80:
        return 4.0
    is_east_asian = 0x3000 <= code < 0x3100 or 0x4E00 <= code < 0xA000 or 0xAC00 <= code < 0xD7A4
    # The characters whose last byte is zero are seldom used; shifted ASCII consists of them.
    return 12.0 if code & 0xFF == 0 else 6.0 if is_east_asian or code < 0x2100 else 8.0


def _is_usual(character: str) -> bool:
    return " " <= character <= "~" or character in "\t\n\r\f"
