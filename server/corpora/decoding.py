"""Decoding of uploaded files: detects the encoding, repairs damage and normalises line ends."""

import codecs
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial

from server.corpora.encodings.character_costs import character_cost
from server.corpora.encodings.character_scan import (
    count_doubtful,
    count_lost_escapes,
    find_controls,
)
from server.corpora.encodings.encoding_detection import ENCODINGS, ScoredReading, rank_encodings
from server.corpora.encodings.multi_byte_repair import CHARACTER_BYTES, decode_damaged
from server.corpora.encodings.wide_encodings import WIDE_ENCODINGS, decode_wide, rank_wide

SAMPLE_BYTES = 1 << 15
"""Size of the sample from which the encoding is detected."""

MAX_SAMPLE_BYTES = 2 * SAMPLE_BYTES
"""Maximum size of the sample, if there is no earlier place to cut it."""

SAMPLE_PARTS = 16
"""Number of places, evenly distributed over the file, from which the sample is taken."""

SAMPLE_LINE_BYTES = 1 << 12
"""Maximum size of a line in the sample."""

CONTROL_SHARE = 0.01
"""A file with a larger share of control characters is not text."""

DAMAGE_SHARE = 0.05
"""With a larger share of invalid bytes among the non-ASCII bytes, the encoding is rejected."""

MAX_COST_PER_BYTE = 7.5
"""If the best reading costs more nats per non-ASCII byte, the file is not text."""

BYTE_ORDER_MARKS = (
    # UTF-32 first: its mark starts with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

ISO_2022_ENCODINGS = ("iso2022_jp", "iso2022_jp_2004", "iso2022_jp_ext")
"""Encodings of Japanese in ASCII bytes, with escape sequences."""

SUPERSETS = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "tis-620": "cp874",
}
"""Encodings that are never detected, and the one with more characters that is detected instead.

A file is read in the former only if it was asked for and all bytes are valid: other bytes are
rather characters of the latter than damage.
"""

MARKED_ENCODINGS = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""Encodings with a byte-order mark, and the one that is meant if it is missing."""

READABLE_ENCODINGS = (
    *ENCODINGS,
    *ISO_2022_ENCODINGS,
    *WIDE_ENCODINGS,
    *SUPERSETS,
    *MARKED_ENCODINGS,
)
"""All encodings that can be read, by the names of the Python codecs."""

MAX_REPAIRED_BYTES = 1 << 17
"""Maximum size of the damaged lines in which lost and added bytes are looked for."""

UNCERTAIN_NATS = 10.0
UNCERTAIN_SHARE = 0.03
"""A reading is uncertain if another one is less plausible by no more than this, absolutely or
relative to its own cost.
"""

DIFFERENT_SHARE = 0.02
"""Readings that differ in fewer of their non-ASCII characters are not worth a question."""

MAX_READINGS = 3
"""Maximum number of readings to choose from."""

EXCERPT_LINES = 3
EXCERPT_CHARACTERS = 240
"""Size of the beginning that is shown of a reading."""

FORMATTING_CHARACTERS = 1 << 17
"""Minimum size of the parts in which formatting codes are searched."""

SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or a Word, EPUB or OpenDocument file)"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Word or Excel document"),
    (b"{\\rtf", "a Rich Text document"),
)

DOS_ENCODINGS = ("cp866", "cp850", "cp852", "cp857")
"""Encodings with box-drawing characters."""

# The lines and shades of boxes have the same bytes in all of them.
_RULER = re.compile(rb"([\xc4\xcd\xb0-\xb2\xdb\xdc\xdf])\1{5}|[\xb0-\xb2\xdb\xdc\xdf\xfe]{8}")
_BOXES = re.compile(
    rb"[\xb3\xb4\xb9-\xbc\xbf-\xc5\xc8-\xce\xd9\xda]*"
    rb"(?:([\xc4\xcd])\1\1[\xb3\xb4\xb9-\xbc\xbf-\xc5\xc8-\xce\xd9\xda]*)+"
    rb"|[\xb0-\xb2\xdb\xdc\xdf\xfe]{3,}|(?<![\x80-\xff])[\xb3\xba](?![\x80-\xff])"
)
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
# The codecs of ISO 8859 decode every byte; U+0085 ends a line.
_C1_CONTROL = re.compile(r"[\x80-\x84\x86-\x9f]")
_ASCII_BYTES = bytes(range(128))
_SURROGATE_PAIR = re.compile(rb"\xed([\xa0-\xaf][\x80-\xbf])\xed([\xb0-\xbf][\x80-\xbf])")
_LONE_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# JIS X 0208, and the Latin and half-width letters of JIS X 0201.
_ISO_2022 = re.compile(rb"\x1b(?:\$[@B(]|\([IJ])")
_FORMATTING = re.compile(
    # Escape sequences of terminals (ECMA-48), and letters printed over one another.
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]|[^\n]\x08"
    # IRC: colours, bold, italic, underlined, reversed, reset.
    r"|\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6})?|[\x02\x0f\x11\x16\x1d-\x1f]"
)


class NotTextError(ValueError):
    """The bytes are not text; the message is one sentence for the user."""


class UnknownEncodingError(ValueError):
    """The requested encoding cannot be read; the message continues a sentence about it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One of several plausible readings of a file.

    Attributes
    ----------
    encoding : str
        The name of the Python codec.
    excerpt : str
        The first lines in which the readings differ, in this encoding.
    """

    encoding: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class DecodedText:
    r"""A decoded text and its encoding.

    Attributes
    ----------
    text : str
        At least one character; line ends are ``\n``; no byte-order mark, no
        NUL, no surrogates, no formatting codes. Otherwise the code points are
        those of the file.
    encoding : str
        The name of the Python codec.
    had_bom : bool
        Whether the file starts with a byte-order mark.
    replaced : int
        Number of invalid sequences replaced by U+FFFD, the replacement character.
    line_ends : int
        Number of other line ends replaced by ``\n``.
    inner_marks : int
        Number of byte-order marks removed from inside the text.
    joined_pairs : int
        Number of characters written in UTF-8 as two surrogates (CESU-8).
    formatting_codes : int
        Number of formatting codes of terminals or IRC that were removed.
    doubtful : int
        Number of places where a byte is probably missing, though the rest is valid.
    readings : tuple of Reading
        The plausible readings, this one first; empty if this one is certain.
    """

    text: str
    encoding: str
    had_bom: bool
    replaced: int = 0
    line_ends: int = 0
    inner_marks: int = 0
    joined_pairs: int = 0
    formatting_codes: int = 0
    doubtful: int = 0
    readings: tuple[Reading, ...] = field(default=(), compare=False)

    @property
    def repairs(self) -> tuple[str, ...]:
        """The changes made to the text, as phrases for the user."""
        phrases = (
            "a byte-order mark removed" if self.had_bom else "",
            _count_phrase(self.inner_marks, "byte-order mark", "inside the text removed"),
            _count_phrase(self.line_ends, "line end", "normalised"),
            _count_phrase(self.formatting_codes, "terminal or IRC formatting code", "removed"),
            _count_phrase(self.joined_pairs, "surrogate pair", "joined"),
            _count_phrase(self.replaced, "invalid sequence", "replaced by \ufffd"),
            _count_phrase(self.doubtful, "place", "that may lack a byte left unchanged"),
        )
        return tuple(phrase for phrase in phrases if phrase)


def decode_text(data: bytes, encoding: str | None = None) -> DecodedText:
    r"""Decode a text.

    Without an encoding, a byte-order mark decides. Without one, UTF-16 and
    UTF-32 are recognised by the zero bytes in their line ends and spaces.
    Otherwise strict UTF-8 comes first, which text in another encoding hardly
    ever passes, and then the most plausible reading in any encoding. Invalid
    bytes are replaced and counted; a few never rule out an encoding.

    Parameters
    ----------
    data : bytes
        The whole file.
    encoding : str, optional
        The encoding, by any name that Python knows; no other one is used. By default it is
        detected.

    Returns
    -------
    DecodedText
        The text, with ``\n`` as line end.

    Raises
    ------
    NotTextError
        If the file is empty or is not text, or not in the given encoding.
    UnknownEncodingError
        If the encoding cannot be read.
    """
    if not data:
        raise NotTextError("The file is empty.")
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            raise NotTextError(f"The file is {kind}, not plain text.")
    if encoding is not None:
        return _decode_as(data, readable_encoding(encoding))
    if _has_stray_zeros(data):
        raise NotTextError("The file contains zero bytes, so it is not plain text.")
    decoded = _decode_marked(data) or _decode_certain(data) or _decode_plausible(data)
    if decoded is None:
        raise NotTextError("The file is not plain text in any supported encoding.")
    return decoded


def readable_encoding(name: str) -> str:
    """Return the name of the encoding in `READABLE_ENCODINGS` that a name means.

    Raises
    ------
    UnknownEncodingError
        If there is none.
    """
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        codec = ""
    known = {codecs.lookup(readable).name: readable for readable in READABLE_ENCODINGS}
    if (readable := known.get(codec)) is None:
        raise UnknownEncodingError("is not an encoding that can be read")
    return readable


def _decode_as(data: bytes, encoding: str) -> DecodedText:
    """Decode data in the encoding that the user chose, and in no other one."""
    marks = [(bom, name) for bom, name in BYTE_ORDER_MARKS if data.startswith(bom)]
    if encoding in MARKED_ENCODINGS:
        chosen = [mark for mark in marks if mark[1].startswith(encoding.removesuffix("-sig"))]
        bom, encoding = chosen[0] if chosen else (b"", MARKED_ENCODINGS[encoding])
    else:
        bom = next((bom for bom, name in marks if name == encoding), b"")
    superset = SUPERSETS.get(encoding, encoding)
    if superset != encoding and not _is_valid(data, encoding):
        raise NotTextError(
            f"The file is not plain text in {encoding}, but may be text in {superset}."
        )
    language = ""
    if superset in CHARACTER_BYTES:
        language = rank_encodings(_sample(data), [superset])[0].language
    decoded = _decode(data[len(bom) :], encoding, language)
    if decoded is None:
        raise NotTextError(f"The file is not plain text in {encoding}.")
    return replace(decoded, had_bom=bool(bom))


def _is_valid(data: bytes, encoding: str) -> bool:
    """Return whether all bytes are characters of an encoding, apart from those of ASCII."""
    try:
        return _C1_CONTROL.search(data.decode(encoding)) is None
    except UnicodeDecodeError:
        return False


def _has_stray_zeros(data: bytes) -> bool:
    """Return whether the data is UTF-8 text except for some zero bytes.

    UTF-16 and UTF-32 have many zero bytes, or are invalid as UTF-8, or would be mostly control
    characters.
    """
    if b"\0" not in data:
        return False
    beginning = data[:SAMPLE_BYTES]
    text = beginning.decode("utf-8", errors="replace")
    # The end of the sample may cut a character.
    is_utf8 = text.count("\ufffd") <= (len(beginning) < len(data))
    return is_utf8 and 4 * text.count("\0") < len(text) and _is_readable(text.replace("\0", ""))


def _decode_marked(data: bytes) -> DecodedText | None:
    """Decode data that starts with a byte-order mark; return None if there is none."""
    matching = [(bom, name) for bom, name in BYTE_ORDER_MARKS if data.startswith(bom)]
    for bom, name in matching:
        decoded = _decode(data[len(bom) :], name)
        if decoded is not None:
            return replace(decoded, had_bom=True)
    if matching:
        # The end of a byte-order mark of UTF-32-BE is that of UTF-16-BE.
        bom, name = matching[0]
        if name == "utf-16-be" and (cut := _decode_wide(data[len(bom) :], "utf-32-be")):
            return replace(cut, had_bom=True)
        name = name.upper()
        raise NotTextError(f"The file starts with a byte-order mark of {name} but is not {name}.")
    return None


def _decode_certain(data: bytes) -> DecodedText | None:
    """Decode data whose form shows the encoding: zero bytes, escape sequences or sound UTF-8."""
    if b"\0" in data:
        return _decode_wide(data)
    if b"\x1b" in data and _ISO_2022.search(data):
        sample = data[:SAMPLE_BYTES]
        invalid = {
            name: sample.decode(name, errors="replace").count("\ufffd")
            for name in ISO_2022_ENCODINGS
        }
        best = min(invalid, key=invalid.__getitem__)
        if _is_slight(invalid[best], len(_ISO_2022.findall(sample)), len(sample)):
            decoded = _decode(data, best)
            if decoded is not None:
                return decoded
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return _decode(data, "utf-8")


def _decode_wide(data: bytes, encoding: str | None = None) -> DecodedText | None:
    """Decode data in UTF-16 or UTF-32; return None if it is no text in one, or in the given one."""
    ranked = rank_wide(data)
    if not ranked or encoding not in {None, ranked[0].encoding}:
        return None
    decoded = _decode(data, ranked[0].encoding)
    return None if decoded is None else replace(decoded, readings=_readings(ranked))


def _decode_plausible(data: bytes) -> DecodedText | None:
    """Decode data in the encoding in which it is the most plausible text."""
    if b"\0" in data or data.isascii():
        return None
    sample = _sample(data)
    ranked = rank_encodings(sample)
    if (boxed := _rank_without_boxes(sample, ranked[0])) is not None:
        ranked = boxed
    if ranked[0].cost_per_byte > MAX_COST_PER_BYTE:
        return None
    decoded = _decode(data, ranked[0].encoding, ranked[0].language)
    return None if decoded is None else replace(decoded, readings=_readings(ranked))


def _rank_without_boxes(sample: bytes, best: ScoredReading) -> list[ScoredReading] | None:
    """Rank the encodings of DOS by the text between its boxes; return None if there are none.

    Boxes outweigh a short text, and are letters in other encodings. So the most plausible reading
    of the whole, `best`, is in the list, and is a question.
    """
    if not _RULER.search(sample):
        return None
    rest = _BOXES.sub(b" ", sample)
    if rest.isascii():
        rest = sample
    ranked = rank_encodings(rest)
    dos = [reading for reading in ranked if reading.encoding in DOS_ENCODINGS]
    if best.encoding in DOS_ENCODINGS or not dos:
        return None
    limit = ranked[0].cost + _uncertainty(ranked[0].cost)
    likely = [reading for reading in dos if reading.cost <= limit][: MAX_READINGS - 1]
    chosen = [*likely, best] if likely[:1] == ranked[:1] else [best, *(likely or dos[:1])]
    return [
        replace(reading, text=sample.decode(reading.encoding, "replace"), cost=0.0)
        for reading in chosen
    ]


def _decode(data: bytes, encoding: str, language: str = "") -> DecodedText | None:
    """Decode the data; return None if the result is not text."""
    text, replaced, joined = _characters(data, encoding, language)
    if replaced:
        is_wide = encoding in WIDE_ENCODINGS
        high_bytes = len(data) if is_wide else len(data.translate(None, _ASCII_BYTES))
        if not _is_slight(replaced, high_bytes, len(text)):
            return None
    line_ends = text.count("\r")
    text = text.lstrip("\ufeff")
    if line_ends:
        # In two steps, so that two copies exist at a time and not three.
        text = text.replace("\r\n", "\n")
        text = text.replace("\r", "\n")
    if inner_marks := text.count("\ufeff"):
        text = text.replace("\ufeff", "")
    formatting_codes = 0
    if has_controls := find_controls(text):
        text, formatting_codes = _without_formatting(text)
    if not text or (has_controls and "\0" in text):
        return None
    if has_controls and not _is_readable(text):
        if replaced:
            return None
        worst = Counter(map(re.Match.group, _CONTROL.finditer(text))).most_common(1)[0][0]
        raise NotTextError(
            f"The file has too many control characters, such as U+{ord(worst):04X},"
            " so it is not plain text."
        )
    if encoding in ISO_2022_ENCODINGS:
        doubtful = count_lost_escapes(data)
    else:
        doubtful = count_doubtful(text, SUPERSETS.get(encoding, encoding), language)
    return DecodedText(
        text,
        encoding,
        had_bom=False,
        replaced=replaced,
        line_ends=line_ends,
        inner_marks=inner_marks,
        joined_pairs=joined,
        formatting_codes=formatting_codes,
        doubtful=doubtful,
    )


def _without_formatting(text: str) -> tuple[str, int]:
    """Return the text without formatting codes, and their number.

    No code contains a line end, so the text is searched in parts: a search keeps a string for each
    piece between two codes.
    """
    parts: list[str] = []
    codes = start = 0
    while start < len(text):
        end = text.find("\n", start + FORMATTING_CHARACTERS) + 1 or len(text)
        part, count = _FORMATTING.subn("", text[start:end])
        parts.append(part)
        codes += count
        start = end
    return "".join(parts), codes


def _characters(data: bytes, encoding: str, language: str) -> tuple[str, int, int]:
    """Return the characters, and the numbers of replacements and of joined surrogate pairs."""
    if encoding in WIDE_ENCODINGS:
        return *decode_wide(data, encoding), 0
    joined = 0
    try:
        return data.decode(encoding), 0, 0
    except UnicodeDecodeError:
        if encoding == "utf-8":
            data, joined = _SURROGATE_PAIR.subn(_join_surrogates, data)
    return *_decode_damaged(data, encoding, language), joined


def _decode_damaged(data: bytes, encoding: str, language: str) -> tuple[str, int]:
    """Decode data with invalid bytes; return the text and the number of replacements."""
    if encoding in CHARACTER_BYTES:
        cost = partial(character_cost, language=language)
        return decode_damaged(data, encoding, cost, MAX_REPAIRED_BYTES)
    own = 0
    if encoding == "utf-8":
        # Half of a surrogate pair is one invalid sequence, not three.
        data = _LONE_SURROGATE.sub(b"\xff", data)
        own = data.count("\ufffd".encode())
    text = data.decode(encoding, errors="replace")
    return text, text.count("\ufffd") - own


def _join_surrogates(pair: re.Match[bytes]) -> bytes:
    """Return in UTF-8 the character of two surrogates in CESU-8."""
    surrogates = pair.group().decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
    return surrogates.decode("utf-16-le").encode()


def _count_phrase(count: int, noun: str, participle: str) -> str:
    """Return a phrase such as "2 line ends normalised", or nothing for 0."""
    return f"{counted(count, noun)} {participle}" if count else ""


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 character", "2,000 characters"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is_slight(replaced: int, non_ascii: int, size: int) -> bool:
    """Return whether this number of replacements is small for the text."""
    return replaced <= max(DAMAGE_SHARE * non_ascii, DAMAGE_SHARE * size / 2)


def _is_readable(text: str) -> bool:
    """Return whether a text has few or no control characters."""
    allowed = int(len(text) * CONTROL_SHARE)
    return all(count < allowed for count, _ in enumerate(_CONTROL.finditer(text)))


def _readings(ranked: list[ScoredReading]) -> tuple[Reading, ...]:
    """Return the readings to choose from; none if the first one is certain."""
    best = ranked[0]
    limit = best.cost + _uncertainty(best.cost)
    likely = [other for other in ranked[1:] if other.cost <= limit and _differ(best, other)]
    chosen = [best, *likely[: MAX_READINGS - 1]]
    if len(chosen) == 1:
        return ()
    lines = [reading.text.splitlines() for reading in chosen]
    differing = [row for row in zip(*lines, strict=False) if len(set(row)) > 1][:EXCERPT_LINES]
    excerpts = ["\n".join(column) for column in zip(*differing, strict=True)] or [""] * len(chosen)
    return tuple(
        Reading(reading.encoding, excerpt[:EXCERPT_CHARACTERS])
        for reading, excerpt in zip(chosen, excerpts, strict=True)
    )


def _uncertainty(cost: float) -> float:
    """Return by how much a less plausible reading may cost more and still be likely, in nats."""
    return max(UNCERTAIN_NATS, UNCERTAIN_SHARE * cost)


def _differ(one: ScoredReading, other: ScoredReading) -> bool:
    """Return whether two readings differ in more than the damaged places."""
    if len(one.text) != len(other.text):
        return True
    pairs = [(a, b) for a, b in zip(one.text, other.text, strict=True) if not a.isascii()]
    return sum(a != b for a, b in pairs) >= max(1, DIFFERENT_SHARE * len(pairs))


def _sample(data: bytes) -> bytes:
    """Return lines with non-ASCII bytes from the whole file: only these distinguish encodings."""
    lines: list[bytes] = []
    size = position = 0
    for part in range(SAMPLE_PARTS):
        position = max(position, part * len(data) // SAMPLE_PARTS)
        if part and position == part * len(data) // SAMPLE_PARTS:
            line_end = data.find(b"\n", position, position + SAMPLE_LINE_BYTES)
            position = line_end if line_end >= 0 else position
        budget = (part + 1) * SAMPLE_BYTES // SAMPLE_PARTS
        while size < budget and (found := _HIGH_BYTES.search(data, position)):
            start = max(position, found.start() - SAMPLE_LINE_BYTES)
            start = max(start, data.rfind(b"\n", start, found.start()) + 1)
            end = data.find(b"\n", found.start(), start + SAMPLE_LINE_BYTES)
            if end < 0:
                earliest = max(start, found.start()) + SAMPLE_LINE_BYTES
                end = _safe_cut(data, start, earliest, start + MAX_SAMPLE_BYTES - size)
            lines.append(data[start:end])
            size += end - start
            position = end
    return b"\n".join(lines)


def _safe_cut(data: bytes, start: int, earliest: int, latest: int) -> int:
    """Return a position from `earliest` up to `latest` that does not cut a character.

    If none is found, the length from `start` is a multiple of four bytes.
    """
    # No encoding has a byte this low inside a multi-byte character.
    if (low_byte := re.compile(rb"[\x00-\x2f]").search(data, earliest, latest)) is not None:
        return low_byte.start()
    return len(data) if latest >= len(data) else latest - (latest - start) % 4
