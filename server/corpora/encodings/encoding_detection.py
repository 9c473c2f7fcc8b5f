"""Detection of the encoding of a text, by how plausible each reading of its bytes is."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from server.corpora.encodings.character_costs import (
    ANY_LANGUAGE,
    FOREIGN_LETTER,
    ascii_letter_costs,
    character_cost,
)
from server.corpora.encodings.multi_byte_repair import CHARACTER_BYTES, decode_damaged

__all__ = ["ENCODINGS", "ScoredReading", "rank_encodings", "text_costs"]

_WESTERN = (
    *("English", "French", "German", "Spanish", "Portuguese", "Italian", "Swedish", "Danish"),
    *("Finnish", "Icelandic", "Dutch", "Catalan"),
)
_CENTRAL = ("Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Slovene", "German")
_BALTIC = ("Latvian", "Lithuanian", "Estonian")
_CYRILLIC = ("Russian", "Ukrainian", "Bulgarian", "Serbian", "Belarusian")
_CHINESE = ("Simplified Chinese", "Traditional Chinese")

ENCODINGS: dict[str, tuple[str, ...]] = {
    "utf-8": (ANY_LANGUAGE,),
    # Of encodings in which the text is the same the first is chosen, so the most common comes
    # first.
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1251": _CYRILLIC,
    "cp1253": ("Greek",),
    "cp1254": ("Turkish",),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic", "Persian"),
    "cp1257": _BALTIC,
    "cp1258": ("Vietnamese",),
    "cp874": ("Thai",),
    "gb18030": _CHINESE,
    "cp932": ("Japanese",),
    "euc_jp": ("Japanese",),
    "euc_jis_2004": ("Japanese",),
    "big5": ("Traditional Chinese",),
    "cp950": ("Traditional Chinese",),
    "cp949": ("Korean",),
    "koi8_r": ("Russian",),
    "koi8_u": ("Ukrainian",),
    "iso8859_2": _CENTRAL,
    "iso8859_5": _CYRILLIC,
    "iso8859_6": ("Arabic",),
    "iso8859_7": ("Greek",),
    "iso8859_8": ("Hebrew",),
    "iso8859_15": _WESTERN,
    "cp866": ("Russian", "Ukrainian", "Bulgarian", "Belarusian"),
    "mac_cyrillic": _CYRILLIC,
    "mac_roman": _WESTERN,
    "mac_latin2": _CENTRAL,
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
    "cp857": ("Turkish",),
}
"""The encodings, and the languages that were written in each."""

_RARITY = {
    **dict.fromkeys(ENCODINGS, 2.5),
    "utf-8": 0.0,
    "cp1252": 0.0,
    **dict.fromkeys(("mac_roman", "mac_latin2", "cp850", "cp857"), 4.0),
}
"""Cost of choosing an encoding, in nats; a word or two outweighs it."""

_ISOLATED_LETTERS = 12.0
"""Cost of a reading in another script than the Latin one if it has no two letters of it in a row:
these are rather wrong bytes in a text in Latin script.
"""

_TWO_LETTERS = re.compile(r"[^\W\d_\x00-\x7f]{2}")
_HIGH_BYTES = bytes(range(128, 256))
_REPETITION = re.compile(rb"(.{8}|.{4})\1+", re.DOTALL)

MAX_REPAIRED_BYTES = 1 << 12
"""Size of the damaged parts of the sample that are repaired to rank an encoding."""

MAX_REPAIRED_COST = 1.4
"""A damaged reading is repaired if it costs at most so many times that of the best reading."""

_INVALID_LINE = 600.0
"""Cost of a line of which a byte is lost."""

_KINDS = (
    *("neutral", "latin", "Latin", "greek", "Greek", "cyrillic", "Cyrillic"),
    *("hebrew", "arabic", "thai", "kana", "han", "hangul", "halfwidth", "other"),
    *("mark", "punctuation", "symbol", "replacement", "unassigned"),
)
_KIND = {name: index for index, name in enumerate(_KINDS)}
_LETTER_KINDS = _KINDS[1:15]


@dataclass(frozen=True, slots=True)
class ScoredReading:
    """A text in an encoding.

    Attributes
    ----------
    encoding : str
        The name of the Python codec.
    language : str
        The best-fitting language.
    text : str
        The sample, decoded.
    cost : float
        How surprising it is, in nats, beyond the ASCII bytes that all readings share.
    cost_per_byte : float
        The cost, divided by the number of non-ASCII bytes.
    """

    encoding: str
    language: str
    text: str
    cost: float
    cost_per_byte: float


def rank_encodings(
    sample: bytes, encodings: Iterable[str] = tuple(ENCODINGS)
) -> list[ScoredReading]:
    """Rank the readings of a sample that has non-ASCII bytes.

    The cost of a reading is the negative log-likelihood of its characters in
    the best-fitting language of the encoding. All readings explain the same
    bytes, so their costs can be compared. An invalid sequence costs about as
    much as two letters: it never rules out an encoding.

    Parameters
    ----------
    sample : bytes
        Parts of the file, with non-ASCII bytes.
    encodings : iterable of str, optional
        Some of `ENCODINGS`; by default all.

    Returns
    -------
    list of ScoredReading
        The most plausible first. Encodings in which the sample is the same text appear once.
    """
    # Repeated symbols, as in rulers, say nothing more than one of them. A period of four or eight
    # bytes cannot cut a character of one, two or four bytes.
    sample = _REPETITION.sub(rb"\1", sample)
    ascii_text = sample.translate(None, _HIGH_BYTES).decode("ascii")
    high_bytes = max(1, len(sample) - len(ascii_text))
    common = text_costs(ascii_text, ["English"])["English"]
    unlike = _ascii_penalties(ascii_text)
    readings: dict[str, ScoredReading] = {}
    damaged: list[str] = []
    for encoding in encodings:
        languages = ENCODINGS[encoding]
        text = sample.decode(encoding, errors="replace")
        if text in readings:
            continue
        costs = text_costs(text, languages)
        language = min(languages, key=lambda language: costs[language] + unlike[language])
        cost = costs[language] + unlike[language]
        is_latin = language in ascii_letter_costs() or language == ANY_LANGUAGE
        if not is_latin and not _TWO_LETTERS.search(text):
            cost += _ISOLATED_LETTERS
        if encoding in CHARACTER_BYTES and "\ufffd" in text:
            damaged.append(text)
        cost += _RARITY[encoding] - common
        readings[text] = ScoredReading(encoding, language, text, cost, cost / high_bytes)
    lowest = min((reading.cost for reading in readings.values()), default=0.0)
    for text in damaged:
        reading = readings[text]
        # Repair takes long, and makes no reading so much more plausible.
        if reading.cost > MAX_REPAIRED_COST * lowest + _INVALID_LINE:
            continue
        of_character = partial(character_cost, language=reading.language)
        repaired, _ = decode_damaged(sample, reading.encoding, of_character, MAX_REPAIRED_BYTES)
        cost = text_costs(repaired, [reading.language])[reading.language]
        cost = min(reading.cost, cost + _RARITY[reading.encoding] - common)
        readings[text] = replace(reading, cost=cost, cost_per_byte=cost / high_bytes)
    return sorted(readings.values(), key=lambda reading: reading.cost)


def text_costs(text: str, languages: Iterable[str]) -> dict[str, float]:
    """Return the cost of a text in each language, in nats."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype="<u4")
    codes = np.minimum(codes, 0xFFFF)
    counts = np.bincount(codes)
    present = np.flatnonzero(counts > 0)
    characters = [(chr(code), int(counts[code])) for code in present.tolist()]
    kinds = (_utf_8_kind_table() if ANY_LANGUAGE in languages else _kind_table())[codes]
    pairs = kinds[:-1].astype(np.int64) * len(_KINDS) + kinds[1:]
    transitions = np.bincount(pairs, minlength=len(_KINDS) ** 2) @ _transition_costs().ravel()
    return {
        language: float(transitions) + sum(n * character_cost(c, language) for c, n in characters)
        for language in languages
    }


def _ascii_penalties(ascii_text: str) -> dict[str, float]:
    """Return how much less the ASCII letters are like each language than like the best one.

    Languages of other scripts, whose texts may contain any ASCII letters, have no penalty.
    """
    counts = Counter(ascii_text.lower())
    costs = {
        language: sum(counts[c] * cost for c, cost in letters.items())
        for language, letters in ascii_letter_costs().items()
    }
    lowest = min(costs.values())
    return defaultdict(float, {language: cost - lowest for language, cost in costs.items()})


@cache
def _kind_table() -> npt.NDArray[np.uint8]:
    """Return the kind of each character of the Basic Multilingual Plane."""
    return np.array([_KIND[_kind(chr(code))] for code in range(0x10000)], dtype=np.uint8)


@cache
def _utf_8_kind_table() -> npt.NDArray[np.uint8]:
    """Return the kinds for UTF-8, where the script does not matter."""
    table = _kind_table().copy()
    table[0x80:0xFFFD] = table[0xFFFE:] = _KIND["punctuation"]
    return table


_RANGES = (
    (0x0041, 0x007A, "latin"),
    (0x00AA, 0x00AA, "symbol"),
    (0x00AD, 0x00AD, "punctuation"),
    (0x00B4, 0x00B4, "punctuation"),
    (0x00BA, 0x00BA, "symbol"),
    (0x00C0, 0x00D6, "latin"),
    (0x00D8, 0x00F6, "latin"),
    (0x00F8, 0x024F, "latin"),
    (0x0370, 0x0373, "greek"),
    (0x0386, 0x0386, "greek"),
    (0x0388, 0x03FF, "greek"),
    (0x0400, 0x0481, "cyrillic"),
    (0x048A, 0x052F, "cyrillic"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x06FF, "arabic"),
    (0x0E00, 0x0E7F, "thai"),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "greek"),
    (0x3041, 0x30FF, "kana"),
    (0x4E00, 0x9FFF, "han"),
    (0xAC00, 0xD7A3, "hangul"),
    (0xFF01, 0xFF5E, "punctuation"),
    (0xFF61, 0xFF9F, "halfwidth"),
    (0xFFFD, 0xFFFD, "replacement"),
)


def _kind(character: str) -> str:
    """Return the kind of a character: its script and case, or what else it is."""
    code = ord(character)
    if character.isascii() and not character.isalpha():
        return "neutral"
    category = unicodedata.category(character)
    for first, last, kind in _RANGES:
        if first <= code <= last:
            return kind.capitalize() if category == "Lu" and kind.capitalize() in _KIND else kind
    if category in {"Cc", "Cn", "Co", "Cs"}:
        return "unassigned"
    return {"M": "mark", "P": "punctuation", "Z": "punctuation", "L": "other"}.get(
        category[0], "symbol"
    )


# The cost of a kind after some kinds, and after all others.
_AFTER: dict[str, dict[str, float]] = {
    "replacement": {"": 0.5},
    "unassigned": {"": 0.5},
    "neutral": {"": 1.0},
    "punctuation": {"": 1.0},
    "symbol": {"": 5.0, "symbol": 0.7, "neutral": 4.0, "punctuation": 4.0},
    "mark": {"": 6.0, "latin": 1.5, "Latin": 1.5},
    "halfwidth": {"": 6.0, "neutral": 1.5, "punctuation": 1.5},
}


@cache
def _transition_costs() -> npt.NDArray[np.float64]:
    """Return the cost of each kind after each kind."""
    return np.array([[_transition(before, after) for after in _KINDS] for before in _KINDS])


def _transition(before: str, after: str) -> float:
    if before in _LETTER_KINDS and after in _LETTER_KINDS:
        return _letter_transition(before, after)
    costs = _AFTER.get(after, {"": 2.5 if after[0].isupper() else 1.0, "symbol": 2.5})
    return costs.get(before, costs[""])


def _letter_transition(before: str, after: str) -> float:
    """Return the cost of a letter directly after another one."""
    capital = after[0].isupper()
    if before == after:
        return 1.5 if capital else 0.2
    if before.lower() == after.lower():
        return 5.0 if capital else 0.7
    if {before, after} <= {"han", "kana"}:
        return 1.0
    if after == "halfwidth":
        return 6.0
    if {before, after} <= {"han", "hangul", "kana", "halfwidth", "latin", "Latin"}:
        return 3.0
    return FOREIGN_LETTER / 2
