"""Bytes that somebody brought, made into text."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from charset_normalizer import from_bytes

from server.corpora.latin_encodings import latin_encoding

SAMPLE_BYTES = 1 << 18
"""How much of a file an encoding is guessed from; what is guessed is then held to all of it."""

MAX_SAMPLE_BYTES = 2 * SAMPLE_BYTES
"""And from how much at most, where a cut would have to be far away."""

SAMPLE_LINE_BYTES = 1 << 12
"""How much of one line goes into that sample."""

CONTROL_SHARE = 0.01
"""More control characters than this, and it is not text."""

DAMAGE_SHARE = 0.05
"""More broken bytes than this, compared with all that are not ASCII, and it is another encoding."""

BYTE_ORDER_MARKS = (
    # The longer ones first: UTF-32's begins like UTF-16's.
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
"""Those before Unicode that are guessed among, beside the Latin ones of `alphabets`."""

SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or a Word, EPUB or OpenDocument file, which are such)"),
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
    """The bytes are no text; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    r"""A text and how it was written.

    Attributes
    ----------
    text : str
        At least one character; line ends are ``\n``; no byte-order mark at the
        start, no NUL, no surrogate. Nothing else is changed, so that a
        character is a code point as it stands in the file.
    encoding : str
        The name of Python's codec for it.
    had_bom : bool
        Whether it began with a byte-order mark.
    replaced : int
        How many broken places became U+FFFD, the replacement character.
    line_ends : int
        How many line ends of another kind became ``\n``.
    """

    text: str
    encoding: str
    had_bom: bool
    replaced: int = 0
    line_ends: int = 0

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was made good, in words for a person, each a part of a sentence."""
        line_ends = _counted(self.line_ends, "line end", "made the usual one")
        replaced = _counted(self.replaced, "broken place", "replaced by \ufffd")
        mark = "a byte-order mark taken away" if self.had_bom else ""
        return tuple(words for words in (mark, line_ends, replaced) if words)


def decode_text(data: bytes) -> DecodedText:
    r"""Decode a text in whatever encoding it is.

    A byte-order mark is believed. Without one, strict UTF-8 comes first, which
    hardly anything else passes by accident; then UTF-16 and UTF-32, known by
    the zero bytes of their line ends and spaces; then whatever fits best among
    the encodings of the time before. A few broken bytes in a text that is
    otherwise sound are replaced.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    DecodedText
        The text, with line ends made ``\n``.

    Raises
    ------
    NotTextError
        If the file is empty or is no text.
    """
    if not data:
        raise NotTextError("The file is empty.")
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            raise NotTextError(f"The file is {kind}, not plain text.")
    if _has_stray_zeros(data):
        raise NotTextError("The file has zero bytes among its characters, as no plain text has.")
    marked = [(mark, encoding) for mark, encoding in BYTE_ORDER_MARKS if data.startswith(mark)]
    for mark, encoding in marked:
        found = _with_encoding(data[len(mark) :], encoding, had_bom=True)
        if found is not None:
            return found
    if marked:
        name = marked[0][1].upper()
        raise NotTextError(f"The file begins with the mark of {name}, but no such text follows.")
    for encoding in _candidates(data):
        found = _with_encoding(data, encoding, had_bom=False)
        if found is not None:
            return found
    raise NotTextError("The file is not plain text in any encoding known here.")


def _has_stray_zeros(data: bytes) -> bool:
    """Tell whether zero bytes stand in what else is UTF-8.

    In UTF-16 and UTF-32 every other byte is zero, or not all is UTF-8, or it is full of controls.
    """
    if b"\0" not in data:
        return False
    beginning = data[:SAMPLE_BYTES]
    text = beginning.decode("utf-8", errors="replace")
    # The cut may stand within a character.
    is_utf8 = text.count("\ufffd") <= (len(beginning) < len(data))
    return is_utf8 and 4 * text.count("\0") < len(text) and _is_readable(text.replace("\0", ""))


def _candidates(data: bytes) -> Iterator[str]:
    """Yield the encodings the data may be in, the likeliest first."""
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


def _with_encoding(data: bytes, encoding: str, *, had_bom: bool) -> DecodedText | None:
    """Return the data as text in an encoding, None if it is none in this one."""
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


def _counted(count: int, what: str, repaired: str) -> str:
    """Say how many there were and what was done with them, or nothing of none."""
    return f"{count:,} {what}{'' if count == 1 else 's'} {repaired}" if count else ""


def _is_slightly_damaged(sample: bytes, encoding: str) -> bool:
    """Tell whether a sample is in an encoding but for a few bytes."""
    return _is_slight(sample.decode(encoding, errors="replace").count("\ufffd"), sample)


def _is_slight(replaced: int, data: bytes) -> bool:
    """Tell whether so many broken places are few for this data."""
    return replaced <= DAMAGE_SHARE * len(data.translate(None, _ASCII_BYTES))


def _is_readable(text: str) -> bool:
    """Tell whether a text has next to no control characters."""
    allowed = int(len(text) * CONTROL_SHARE)
    return all(count < allowed for count, _ in enumerate(_CONTROL.finditer(text)))


def _wide_encodings(data: bytes) -> Iterator[str]:
    """Yield the UTF-32 or UTF-16 that data with zero bytes may be in."""
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4)):
        if len(data) % width == 0 and _is_wide(data, encoding):
            yield encoding
    if len(data) % 2 == 0:
        # Read in the wrong order, a space is U+2000 and a line end U+0A00.
        readings = {order: _familiar(data, order) for order in ("utf-16-le", "utf-16-be")}
        likelier = max(readings, key=lambda order: readings[order])
        if readings[likelier] and _is_wide(data, likelier):
            yield likelier


def _familiar(data: bytes, encoding: str) -> int:
    """Count the ASCII characters in a reading of the data's beginning."""
    beginning = data[:SAMPLE_BYTES].decode(encoding, errors="replace")
    return len(re.findall(r"[\t\r\n -~]", beginning))


def _is_wide(data: bytes, encoding: str) -> bool:
    """Tell whether the data's beginning is made of characters that exist."""
    beginning = data[:SAMPLE_BYTES].decode(encoding, errors="replace")
    # The cut may stand between two surrogates.
    characters = Counter(beginning[:-1] or beginning)
    strange = sum(
        count
        for character, count in characters.items()
        if character not in "\t\r\n\f"
        and unicodedata.category(character) in {"Cc", "Cn", "Cs", "Co"}
    )
    return strange + characters["\ufffd"] == 0


def _sample(data: bytes) -> bytes:
    """Return lines of the data that are not all ASCII, which alone tell encodings apart."""
    lines: list[bytes] = []
    size = position = 0
    while size < SAMPLE_BYTES and (found := _HIGH_BYTES.search(data, position)):
        start = max(position, found.start() - SAMPLE_LINE_BYTES)
        start = max(start, data.rfind(b"\n", start, found.start()) + 1)
        end = data.find(b"\n", found.start(), start + SAMPLE_LINE_BYTES)
        if end < 0:
            near = max(start, found.start()) + SAMPLE_LINE_BYTES
            end = _cut(data, start, near, start + MAX_SAMPLE_BYTES - size)
        lines.append(data[start:end])
        size += end - start
        position = end
    return b"\n".join(lines)


def _cut(data: bytes, start: int, near: int, most: int) -> int:
    """Return a place to cut from `near` up to `most` where no character is cut in two.

    Where there is none, it is one before which whole characters of two or of four bytes fit.
    """
    # No encoding has a byte this low inside a character of several bytes.
    if (gap := re.compile(rb"[\x00-\x2f]").search(data, near, most)) is not None:
        return gap.start()
    return len(data) if most >= len(data) else most - (most - start) % 4


def _has_short_runs(sample: bytes) -> bool:
    """Tell a few accents among ASCII letters from words of another script."""
    runs = _HIGH_BYTES.findall(sample)
    return sum(map(len, runs)) < 2 * len(runs)
