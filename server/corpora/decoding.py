"""Decoding of uploaded files: detects the encoding and normalises line ends."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from charset_normalizer import from_bytes

from server.corpora.latin_encodings import latin_encoding

SAMPLE_BYTES = 1 << 18
"""Size of the sample from which the encoding is detected; it is then verified on the whole file."""

MAX_SAMPLE_BYTES = 2 * SAMPLE_BYTES
"""Maximum size of the sample, if there is no earlier place to cut it."""

SAMPLE_LINE_BYTES = 1 << 12
"""Maximum size of a line in the sample."""

CONTROL_SHARE = 0.01
"""A file with a larger share of control characters is not text."""

DAMAGE_SHARE = 0.05
"""With a larger share of invalid bytes among the non-ASCII bytes, the encoding is rejected."""

BYTE_ORDER_MARKS = (
    # UTF-32 first: its mark starts with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

OTHER_ENCODINGS = [
    *("cp1251", "koi8_r", "koi8_u", "iso8859_5", "cp866", "mac_cyrillic"),
    *("cp1253", "iso8859_7", "cp1255", "iso8859_8", "cp1256", "iso8859_6", "cp874", "tis_620"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "euc_kr"),
    *("cp1258", "cp1252", "cp1250"),
]
"""Legacy encodings that charset-normalizer considers; `latin_encodings` has the Latin ones."""

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

_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ASCII_BYTES = bytes(range(128))


class NotTextError(ValueError):
    """The bytes are not text; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    r"""A decoded text and its encoding.

    Attributes
    ----------
    text : str
        At least one character; line ends are ``\n``; no byte-order mark at the
        start, no NUL, no surrogates. Otherwise the code points are those of the
        file.
    encoding : str
        The name of the Python codec.
    had_bom : bool
        Whether the file starts with a byte-order mark.
    replaced : int
        Number of invalid sequences replaced by U+FFFD, the replacement character.
    line_ends : int
        Number of other line ends replaced by ``\n``.
    """

    text: str
    encoding: str
    had_bom: bool
    replaced: int = 0
    line_ends: int = 0

    @property
    def repairs(self) -> tuple[str, ...]:
        """The changes made to the text, as phrases for the user."""
        bom = "a byte-order mark removed" if self.had_bom else ""
        line_ends = _count_phrase(self.line_ends, "line end", "normalised")
        replaced = _count_phrase(self.replaced, "invalid sequence", "replaced by \ufffd")
        return tuple(phrase for phrase in (bom, line_ends, replaced) if phrase)


def decode_text(data: bytes) -> DecodedText:
    r"""Decode a text whose encoding is unknown.

    A byte-order mark decides. Without one, UTF-16 and UTF-32 are recognised by
    the zero bytes in their line ends and spaces. Otherwise strict UTF-8 comes
    first, which text in another encoding hardly ever passes, and then the best
    match among the legacy encodings. A few invalid bytes in an otherwise valid
    text are replaced.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    DecodedText
        The text, with ``\n`` as line end.

    Raises
    ------
    NotTextError
        If the file is empty or is not text.
    """
    if not data:
        raise NotTextError("The file is empty.")
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            raise NotTextError(f"The file is {kind}, not plain text.")
    if _has_stray_zeros(data):
        raise NotTextError("The file contains zero bytes, so it is not plain text.")
    matching = [(bom, encoding) for bom, encoding in BYTE_ORDER_MARKS if data.startswith(bom)]
    for bom, encoding in matching:
        decoded = _decode(data[len(bom) :], encoding, had_bom=True)
        if decoded is not None:
            return decoded
    if matching:
        name = matching[0][1].upper()
        raise NotTextError(f"The file starts with a byte-order mark of {name} but is not {name}.")
    for encoding in _candidates(data):
        decoded = _decode(data, encoding, had_bom=False)
        if decoded is not None:
            return decoded
    raise NotTextError("The file is not plain text in any supported encoding.")


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


def _candidates(data: bytes) -> Iterator[str]:
    """Yield possible encodings of the data, the most likely first."""
    if b"\0" in data:
        yield from _wide_encodings(data)
        return
    if data.isascii() and b"\x1b$" in data:
        yield "iso2022_jp"
    yield "utf-8"
    sample = _sample(data)
    if _has_short_runs(sample) and (latin := latin_encoding(sample)):
        yield latin
    for guess in from_bytes(sample, cp_isolation=OTHER_ENCODINGS):
        yield guess.encoding
    yield "cp1252"


def _decode(data: bytes, encoding: str, *, had_bom: bool) -> DecodedText | None:
    """Decode the data; return None if the result is not text."""
    replaced = 0
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if not _is_slightly_damaged(_sample(data), encoding):
            return None
        text = data.decode(encoding, errors="replace")
        replaced = text.count("\ufffd")
        if not _is_slight(replaced, data):
            return None
    line_ends = text.count("\r")
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text or "\0" in text or not _is_readable(text):
        return None
    return DecodedText(text, encoding, had_bom, replaced, line_ends)


def _count_phrase(count: int, noun: str, participle: str) -> str:
    """Return a phrase such as "2 line ends normalised", or nothing for 0."""
    return f"{count:,} {noun}{'' if count == 1 else 's'} {participle}" if count else ""


def _is_slightly_damaged(sample: bytes, encoding: str) -> bool:
    """Return whether a sample has only a few invalid bytes in an encoding."""
    return _is_slight(sample.decode(encoding, errors="replace").count("\ufffd"), sample)


def _is_slight(replaced: int, data: bytes) -> bool:
    """Return whether this number of replacements is small for the data."""
    return replaced <= DAMAGE_SHARE * len(data.translate(None, _ASCII_BYTES))


def _is_readable(text: str) -> bool:
    """Return whether a text has few or no control characters."""
    allowed = int(len(text) * CONTROL_SHARE)
    return all(count < allowed for count, _ in enumerate(_CONTROL.finditer(text)))


def _wide_encodings(data: bytes) -> Iterator[str]:
    """Yield the UTF-32 or UTF-16 encodings that data with zero bytes may have."""
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4)):
        if len(data) % width == 0 and _is_wide(data, encoding):
            yield encoding
    if len(data) % 2 == 0:
        # In the wrong byte order, a space is U+2000 and a line end U+0A00.
        counts = {order: _count_ascii(data, order) for order in ("utf-16-le", "utf-16-be")}
        likelier = max(counts, key=lambda order: counts[order])
        if counts[likelier] and _is_wide(data, likelier):
            yield likelier


def _count_ascii(data: bytes, encoding: str) -> int:
    """Count the ASCII characters in the beginning of the data, decoded."""
    beginning = data[:SAMPLE_BYTES].decode(encoding, errors="replace")
    return len(re.findall(r"[\t\r\n -~]", beginning))


def _is_wide(data: bytes, encoding: str) -> bool:
    """Return whether the beginning of the data has only assigned characters."""
    beginning = data[:SAMPLE_BYTES].decode(encoding, errors="replace")
    # The end of the sample may separate two surrogates.
    characters = Counter(beginning[:-1] or beginning)
    invalid = sum(
        count
        for character, count in characters.items()
        if character not in "\t\r\n\f"
        and unicodedata.category(character) in {"Cc", "Cn", "Cs", "Co"}
    )
    return invalid + characters["\ufffd"] == 0


def _sample(data: bytes) -> bytes:
    """Return lines with non-ASCII bytes: only these distinguish the encodings."""
    lines: list[bytes] = []
    size = position = 0
    while size < SAMPLE_BYTES and (found := _HIGH_BYTES.search(data, position)):
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


def _has_short_runs(sample: bytes) -> bool:
    """Return whether non-ASCII bytes are mostly single, as accented letters in Latin text are."""
    runs = _HIGH_BYTES.findall(sample)
    return sum(map(len, runs)) < 2 * len(runs)
