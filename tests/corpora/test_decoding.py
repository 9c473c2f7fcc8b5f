import codecs
import io
import random
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from charset_normalizer import from_bytes
from hypothesis import example, given
from hypothesis import strategies as st

from server.corpora import decoding
from server.corpora.decoding import MAX_SAMPLE_BYTES, DecodedText, NotTextError, decode_text
from server.corpora.latin_encodings import latin_encoding

_LINES = Path(__file__).with_name("passages.txt").read_text(encoding="utf-8").splitlines()
PASSAGES = {language: text + "\n" for language, text in (line.split(": ", 1) for line in _LINES)}

LEGACY = {
    "French": ["latin-1", "cp1252", "iso8859-15", "mac-roman", "cp850"],
    "German": ["latin-1", "cp850"],
    "Spanish": ["latin-1", "mac-roman"],
    "Swedish": ["latin-1", "cp850"],
    "Icelandic": ["latin-1"],
    "Portuguese": ["latin-1"],
    "English": ["cp1252"],
    "Polish": ["iso8859-2", "cp1250"],
    "Czech": ["iso8859-2", "cp1250", "cp852"],
    "Hungarian": ["iso8859-2", "cp1250"],
    "Turkish": ["iso8859-9", "cp1254"],
    "Russian": ["koi8-r", "cp1251", "cp866", "iso8859-5", "mac-cyrillic"],
    "Ukrainian": ["koi8-u", "cp1251"],
    "Greek": ["iso8859-7", "cp1253"],
    "Hebrew": ["cp1255", "iso8859-8"],
    "Arabic": ["cp1256", "iso8859-6"],
    "Japanese": ["shift-jis", "euc-jp", "iso2022-jp"],
    "Chinese": ["gbk", "gb18030"],
    "Old Chinese": ["big5"],
    "Korean": ["euc-kr", "cp949"],
    "Thai": ["tis-620", "cp874"],
}

UNICODE = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-32-be",
]


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize(
    ("language", "encoding"),
    [(language, encoding) for language, encodings in LEGACY.items() for encoding in encodings],
)
def test_legacy_encodings(language, encoding, times):
    text = PASSAGES[language] * times
    assert decode_text(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", UNICODE)
@pytest.mark.parametrize("language", PASSAGES)
def test_every_script_in_every_unicode_encoding(language, encoding):
    text = PASSAGES[language]
    decoded = decode_text(text.encode(encoding))
    assert decoded.text == text
    assert decoded.had_bom == (encoding in {"utf-8-sig", "utf-16", "utf-32"})
    assert decoded.replaced == 0


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides_and_is_removed(mark, encoding):
    decoded = decode_text(mark + "añ\r\n😀".encode(encoding))
    assert decoded == DecodedText("añ\n😀", encoding, had_bom=True, line_ends=1)


def test_repairs_are_described():
    sound = decode_text(b"Nothing to repair.\n")
    assert sound.repairs == ()
    broken = decode_text(codecs.BOM_UTF8 + "añ ".encode() * 40 + b"\xff\r\nend\r\n")
    assert broken.repairs == (
        "a byte-order mark removed",
        "2 line ends normalised",
        "1 invalid sequence replaced by \ufffd",
    )


@pytest.mark.parametrize("text", ["café", "Ä", "naïve\n", "¿Qué?", "“Quotes”"])
def test_very_short_latin_texts(text):
    assert decode_text(text.encode("cp1252")).text == text


def test_one_accent_in_a_long_english_text(saltmere):
    text = saltmere + "The End. Café.\n"
    assert decode_text(text.encode("latin-1")).text == text


def test_curly_quotes_in_a_long_english_text(saltmere):
    text = saltmere.replace("'", "\u2019")
    assert decode_text(text.encode("cp1252")).text == text


def test_a_long_line_is_not_cut_inside_a_character():
    text = PASSAGES["Japanese"].strip() * 4000
    assert decode_text(text.encode("shift-jis")).text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("né" * 1_000_000, "latin-1"),
        ("naïve" + "x" * 2_000_000 + "é", "latin-1"),
        ("x" * 2_000_000 + "é", "latin-1"),
        # No byte marks the end of a character.
        (PASSAGES["Japanese"].strip() * 10_000, "shift-jis"),
        ("我是一只猫还没有名字" * 60_000, "gb18030"),
    ],
)
def test_the_sample_for_encoding_detection_is_bounded(monkeypatch, text, encoding):
    guessed_from = []

    def guess(sample, **options):
        guessed_from.append(len(sample))
        return from_bytes(sample, **options)

    def latin(sample):
        guessed_from.append(len(sample))
        return latin_encoding(sample)

    monkeypatch.setattr(decoding, "from_bytes", guess)
    monkeypatch.setattr(decoding, "latin_encoding", latin)
    assert decode_text(text.encode(encoding)).text == text
    assert 0 < max(guessed_from) <= MAX_SAMPLE_BYTES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_line_ends(encoding):
    data = "é one\r\ntwo\rthree\n\r\n\nfour\r".encode(encoding)
    assert decode_text(data).text == "é one\ntwo\nthree\n\n\nfour\n"


def test_nothing_is_normalised():
    text = "e\u0301 é ﬁ Å Å \u00a0\u2028\u0085 \u200d"
    assert decode_text(text.encode()).text == text


def test_a_few_control_characters_are_accepted():
    text = "A page.\f\n" + "Words and words. " * 20 + "\a\n"
    assert decode_text(text.encode()).text == text


def test_utf_8_with_a_few_invalid_bytes_is_utf_8():
    data = bytearray((PASSAGES["Russian"] * 10).encode())
    data[100] = 0xFF
    decoded = decode_text(bytes(data[:-2]))
    assert decoded.encoding == "utf-8"
    assert decoded.replaced == decoded.text.count("\ufffd") > 0


def test_utf_8_truncated_in_its_last_character():
    whole = "Ещё раз"
    decoded = decode_text((PASSAGES["Russian"] + whole).encode()[:-1])
    assert decoded.text == PASSAGES["Russian"] + whole[:-1] + "\ufffd"


def png():
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(random.Random(0).randbytes(2000))


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # Otherwise it would have the current time and differ between calls.
        archive.writestr(zipfile.ZipInfo("text.txt"), PASSAGES["French"] * 20)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        png(),
        png()[4:],
        zipped(),
        zipped()[4:],
        zlib.compress(PASSAGES["German"].encode() * 20),
        b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n" * 20,
        b"{\\rtf1\\ansi Hello}" * 20,
        Path(sys.executable).read_bytes()[:100_000],
        b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40" + bytes(40),
        bytes(1000),
        bytes(range(256)) * 4,
        b"text with a \0 in it",
        b"\xff\xfe\x41",
        b"\xff\xfeA\0\0\xd8",
        b"\xef\xbb\xbf\xff\xff\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe\0\0",
        "lone \ud800 surrogate".encode("utf-16-le", "surrogatepass"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_a_file_that_is_not_text_is_refused_in_one_sentence(data):
    with pytest.raises(NotTextError, match=r"^The file [^\n]*\.$"):
        decode_text(data)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    "text", ["abc\0def" * 30, "h\u00e9llo\0 w\u00f6rld, ", "\u4e2d\u6587\0\u5b57\n" * 9]
)
def test_zero_bytes_in_a_text_are_reported(mark, text):
    with pytest.raises(NotTextError, match=r"^The file contains zero bytes"):
        decode_text(mark + text.encode())


def test_an_empty_file_is_refused():
    with pytest.raises(NotTextError, match=r"^The file is empty\.$"):
        decode_text(b"")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [200, 1000, 10_000])
def test_random_bytes_are_refused(seed, size):
    with pytest.raises(NotTextError):
        decode_text(random.Random(seed).randbytes(size))


fragments = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x1b$B",
        b"text ",
        "é😀Я".encode(),
        b"\xe9t\xe9",
    ]
)


@given(st.binary() | st.lists(fragments | st.binary(max_size=8)).map(b"".join))
@example(b"\x1b$B\x1b(B")
@example(b"\r")
@example(b"\0\xd8\0\xdc")
def test_any_bytes_are_decoded_cleanly_or_refused(data):
    try:
        text = decode_text(data).text
    except NotTextError:
        return
    assert text
    assert not set(text) & {"\0", "\r"}
    assert not text.startswith("\ufeff")
    assert text.encode("utf-8").decode("utf-8") == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1))
def test_any_utf_8_text_is_unchanged(text):
    text = "x" + text
    assert decode_text(text.encode()) == DecodedText(text, "utf-8", False)
