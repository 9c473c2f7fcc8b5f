import codecs
import io
import itertools
import random
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.corpora import decoding
from server.corpora.decoding import (
    MAX_SAMPLE_BYTES,
    READABLE_ENCODINGS,
    DecodedText,
    NotTextError,
    UnknownEncodingError,
    decode_text,
)
from server.corpora.encodings import wide_encodings
from server.corpora.encodings.encoding_detection import rank_encodings

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

    def rank(sample):
        guessed_from.append(len(sample))
        return rank_encodings(sample)

    monkeypatch.setattr(decoding, "rank_encodings", rank)
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
        b"\xef\xbb\xbf\xff\xff\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe\0\0",
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


# The encodings of LEGACY; of each language, every one but ISO 2022, whose text is ASCII.
_DAMAGEABLE = [
    (language, encoding)
    for language, encodings in LEGACY.items()
    for encoding in encodings
    if encoding != "iso2022-jp"
]
_BAD_BYTES = b"\x80\x81\x98\xa0\xfe\xff"


def damage(data, draw, count):
    """Insert, delete or cut off bytes."""
    data = bytearray(data)
    for _ in range(count):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["insert", "delete", "cut the beginning", "cut the end"]))
        if kind == "insert":
            data.insert(at, draw(st.sampled_from(_BAD_BYTES)))
        elif kind == "delete":
            del data[at]
        elif kind == "cut the beginning":
            del data[: at % (len(data) // 8)]
        else:
            del data[-1 - at % (len(data) // 8) :]
    return bytes(data)


def same_letters(text, original):
    """Return the share of the trigrams of a text that are in the original, as often."""
    counts = Counter(zip(text, text[1:], text[2:], strict=False))
    common = counts & Counter(zip(original, original[1:], original[2:], strict=False))
    return common.total() / max(1, counts.total())


@pytest.mark.parametrize(("language", "encoding"), _DAMAGEABLE)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_damaged_text_is_read_in_its_encoding(language, encoding, data):
    original = PASSAGES[language] * 6
    damaged = damage(original.encode(encoding), data.draw, data.draw(st.integers(1, 3)))
    decoded = decode_text(damaged)
    best = decoded.encoding
    others = [reading.encoding for reading in decoded.readings]
    assert original in {original.encode(encoding).decode(e, "replace") for e in [best, *others]}
    if original.encode(encoding).decode(best, "replace") == original:
        assert same_letters(decoded.text, original) > 0.7
    assert decoded.replaced == decoded.text.count("\ufffd")
    assert (decoded.replaced > 0) == any("invalid" in phrase for phrase in decoded.repairs)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("language", ["English", "Russian", "Japanese", "Korean", "Arabic"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_damaged_unicode_is_repaired(language, encoding, data):
    original = PASSAGES[language] * 6
    decoded = decode_text(damage(original.encode(encoding), data.draw, 1))
    assert decoded.encoding.replace("-", "")[:4] == encoding.replace("-", "")[:4]
    assert same_letters(decoded.text, original) > 0.7
    assert decoded.replaced == decoded.text.count("\ufffd")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("at", [501, 777])
def test_only_the_damaged_character_of_a_wide_encoding_is_lost(encoding, at):
    original = PASSAGES["Russian"] * 20
    data = original.encode(encoding)
    for damaged in (data[:at] + data[at + 1 :], data[:at] + b"\xff" + data[at:]):
        decoded = decode_text(damaged)
        assert 1 <= decoded.replaced <= 2
        assert same_letters(decoded.text, original) > 0.998


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "shift-jis", "euc-jp", "cp949"])
def test_a_lost_byte_does_not_spoil_the_rest_of_its_line(encoding):
    language = {"gb18030": "Chinese", "big5": "Old Chinese", "cp949": "Korean"}
    original = PASSAGES[language.get(encoding, "Japanese")].strip() * 10
    data = original.encode(encoding)
    decoded = decode_text(data[:101] + data[102:])
    assert same_letters(decoded.text, original) > 0.98


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ((PASSAGES["Chinese"] * 60).encode("gbk") + b"\xff\n", "gb18030"),
        ((PASSAGES["Chinese"] * 60).encode("gbk")[1:], "gb18030"),
        ((PASSAGES["Old Chinese"] * 60).encode("big5") + b"\xff\n", "big5"),
        ((PASSAGES["Russian"] * 60).encode("cp1251") + b"\x98\n", "cp1251"),
        ((PASSAGES["English"] * 60).encode("cp1252") + b"\x81\n", "cp1252"),
        (b"She read it all again, twice.\n" * 9500 + "It\u2019s\n".encode() + b"\xff\n", "utf-8"),
    ],
)
def test_one_bad_byte_does_not_change_the_encoding(data, encoding):
    decoded = decode_text(data)
    assert decoded.encoding == encoding
    assert decoded.repairs == ("1 invalid sequence replaced by \ufffd",)


@pytest.mark.parametrize("byte", [b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"])
@pytest.mark.parametrize("line", [b"%b", b"%b\n", b"x%b\n", b"\n%b\n\n"])
def test_one_bad_byte_is_not_taken_for_a_letter_of_another_script(byte, line):
    text = "“It isn’t the lamp,” said Orla — “it’s the sea.”\n" * 80
    decoded = decode_text(text.encode("cp1252") + line % byte)
    assert decoded.encoding == "cp1252"
    assert decoded.repairs == ("1 invalid sequence replaced by \ufffd",)


def test_surrogate_pairs_in_utf_8_are_joined():
    text = PASSAGES["German"] * 20 + "Bär 😀 und 🐻.\n"
    pairs = "".join(
        c if ord(c) < 0x10000 else c.encode("utf-16-le").decode("utf-16-le", "surrogatepass")
        for c in text
    )
    halves = [pairs.encode("utf-16-le")[i : i + 2] for i in range(0, 2 * len(text) + 4, 2)]
    units = "".join(half.decode("utf-16-le", "surrogatepass") for half in halves)
    decoded = decode_text(units.encode("utf-8", "surrogatepass"))
    assert decoded.text == text
    assert decoded.repairs == ("2 surrogate pairs joined",)
    lone = decode_text((text + "\ud83d.\n").encode("utf-8", "surrogatepass"))
    assert lone.text == text + "\ufffd.\n"
    assert lone.repairs == ("1 invalid sequence replaced by \ufffd",)


def test_a_replacement_character_of_the_file_is_no_repair():
    data = ("Eins \ufffd zwei. " + PASSAGES["German"] * 9).encode() + b"\xff"
    assert decode_text(data).repairs == ("1 invalid sequence replaced by \ufffd",)


_RULERS = "■□◆★" * 20 + "\n" + "━" * 40 + "\n" + "┌──────┬──────┐\n" + "①②③ ☆※→\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("row", ["■□◆★" * 20, "━" * 40, "┌──────┬──────┐", "☆◎●○" * 9])
def test_boxes_with_little_text_in_a_wide_encoding(encoding, row):
    text = (row + "\n") * 200 + "おわり\n"
    decoded = decode_text(text.encode(encoding))
    assert (decoded.text, decoded.encoding, decoded.readings) == (text, encoding, ())


@pytest.mark.parametrize("encoding", ["cp932", "euc_jis_2004"])
@pytest.mark.parametrize("rows", [1, 30])
def test_japanese_with_many_symbols(encoding, rows):
    text = (_RULERS.replace("①②③", "123") + "■第一章 旅の始まり■\n") * rows + "終わり。\n" * 3
    assert decode_text(text.encode(encoding)).text == text
    with_numbers = (_RULERS + "■第一章 旅の始まり■\n") * rows + "終わり。\n" * 3
    assert decode_text(with_numbers.encode(encoding)).text == with_numbers


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("Chinese", "gb18030"), ("Old Chinese", "big5"), ("Korean", "cp949")],
)
def test_east_asian_text_with_many_symbols(language, encoding):
    ruler = "━" if language == "Korean" else "═"
    text = ("■□◆★" * 20 + "\n" + ruler * 40 + "\n") * 30 + PASSAGES[language]
    assert decode_text(text.encode(encoding if encoding != "big5" else "cp950")).text == text


@pytest.mark.parametrize("language", ["Russian", "German", "Polish"])
@pytest.mark.parametrize("sound", [20, 40])
def test_boxes_in_dos_encodings(language, sound):
    encoding = {"Russian": "cp866", "German": "cp850", "Polish": "cp852"}[language]
    text = ("╔" + "═" * 60 + "╗\n║ █▓▒░ ║\n") * 10 + PASSAGES[language] * sound
    assert decode_text(text.encode(encoding)).text == text


_FRAMES = {
    "double": "╔" + "═" * 60 + "╗\n║ █▓▒░ ║\n",
    "single": "┌──────┬──────┐\n│      │      │\n├──────┼──────┤\n└──────┴──────┘\n",
    "shades": "░▒▓█▄▀■" * 8 + "\n",
    "table": "╔═══════╦══════╗\n║ 1     ║ 2    ║\n╠═══════╬══════╣\n╚═══════╩══════╝\n",
    "line": "─" * 70 + "\n",
}
_DOS = {
    "Russian": "cp866",
    "Ukrainian": "cp866",
    "German": "cp850",
    "French": "cp850",
    "Swedish": "cp850",
    "Polish": "cp852",
    "Czech": "cp852",
    "Turkish": "cp857",
}


@pytest.mark.parametrize("language", _DOS)
@pytest.mark.parametrize("frame", _FRAMES)
@pytest.mark.parametrize("rows", [3, 40])
def test_a_short_text_below_many_boxes_is_read_or_asked(language, frame, rows):
    encoding = _DOS[language]
    for passage in (PASSAGES[language], PASSAGES[language][:60] + "\n"):
        data = (_FRAMES[frame] * rows + passage).encode(encoding, "ignore")
        text = data.decode(encoding)
        decoded = decode_text(data)
        readings = {reading.encoding for reading in decoded.readings}
        assert decoded.text == text or text in {data.decode(e, "replace") for e in readings}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("Japanese", "cp932"), ("Old Chinese", "big5"), ("Old Chinese", "cp950"), ("Korean", "cp949")],
)
def test_a_lost_byte_that_leaves_valid_characters_is_reported(language, encoding):
    original = PASSAGES[language] * 5
    data = original.encode(encoding)
    start = len(PASSAGES[language].encode(encoding)) * 2
    places = [at for at in range(start, start * 3 // 2) if data[at] >= 0x80]
    reported = 0
    for at in places:
        decoded = decode_text(data[:at] + data[at + 1 :])
        assert (decoded.doubtful + decoded.replaced > 0) == bool(decoded.repairs)
        reported += bool(decoded.repairs) or bool(decoded.readings)
    # A single letter may be all that is left of a character.
    assert reported >= 0.9 * len(places)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "iso2022_jp_ext"])
def test_a_lost_byte_in_iso_2022_is_reported(encoding):
    text = PASSAGES["Japanese"] * 4 + "It costs $BASIC or $@home.\n"
    data = text.encode(encoding)
    assert decode_text(data).repairs == ()
    start = data.index(b"\x1b", len(data) // 3)
    end = data.index(b"\x1b(B", start) + 1
    for at in range(start, end):
        assert decode_text(data[:at] + data[at + 1 :]).repairs, at


def test_an_undefined_byte_of_shift_jis_is_reported():
    data = ("猫である。\n" * 60).encode("cp932")
    decoded = decode_text(data[:3] + data[4:])
    assert decoded.text.startswith("猫ｂ\uf8f0る。")
    assert decoded.repairs == ("1 place that may lack a byte left unchanged",)


def test_a_place_that_lacks_a_byte_is_found_after_characters_of_two_units():
    text = ("秦滅之後，楚、漢分爭。\n" * 60).encode("gb18030")
    emoji = ("🏮🐉\n" * 50).encode("gb18030")
    reported = ("1 place that may lack a byte left unchanged",)
    for at in range(23 * 30, 23 * 30 + 15):
        assert decode_text(text[:at] + text[at + 1 :], "gb18030").repairs == reported
        damaged = emoji + text[:at] + text[at + 1 :]
        assert decode_text(damaged, "gb18030").repairs == reported


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("彼はＡ型ではなくB型である。X線で見る。第1章、点Pを通る。\n", "cp932"),
        ("他用X光检查，穿T恤，唱卡拉OK，买A股。饕餮、魑魅魍魉。\n", "gb18030"),
        ("他用X光檢查，穿T恤，唱卡拉OK，買A股。饕餮、魑魅魍魎。\n", "big5"),
        ("그는 A형이고 B형이 아니다. X선으로 본다.\n", "cp949"),
        *(
            (PASSAGES[language], encoding)
            for language, encoding in (
                ("Japanese", "cp932"),
                ("Old Chinese", "big5"),
                ("Chinese", "gb18030"),
                ("Korean", "cp949"),
            )
        ),
    ],
)
def test_nothing_is_reported_of_a_sound_text_with_single_letters(text, encoding):
    decoded = decode_text((text * 20).encode(encoding))
    assert decoded.text == text * 20
    assert decoded.repairs == ()
    assert decode_text((text * 20).encode(encoding), encoding).repairs == ()


@pytest.mark.parametrize("encoding", ["euc_jp", "cp932", "iso2022_jp_ext"])
def test_half_width_kana(encoding):
    text = "ﾊﾝｶｸｶﾅ ﾉ ﾌﾞﾝｼｮｳ ﾃﾞｽ｡ ｷｮｳ ﾊ ﾖｲ ﾃﾝｷ ﾃﾞｽ｡\nﾜﾀｼ ﾊ ﾈｺ ﾃﾞｱﾙ｡ ﾅﾏｴ ﾊ ﾏﾀﾞ ﾅｲ｡\n" * 5
    assert decode_text(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("language", ["English", "Russian", "Chinese"])
def test_utf_16_cut_at_an_odd_byte_is_repaired(language, encoding):
    text = PASSAGES[language] * 5
    decoded = decode_text(text.encode(encoding)[:-1])
    assert decoded.text == text[:-1] + "\ufffd"
    assert "1 invalid sequence replaced by \ufffd" in decoded.repairs


@pytest.mark.parametrize("language", PASSAGES)
def test_a_wide_encoding_without_its_first_bytes_is_recognised(language):
    introduction = "A plain “introduction” of two lines.\n" * 2
    texts = (PASSAGES[language] * 5, introduction + PASSAGES[language] * 2)
    encodings = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    for case in itertools.product(texts, encodings, ("", "\ufeff"), (1, 2, 3)):
        text, encoding, mark, lost_bytes = case
        width = 2 if "16" in encoding else 4
        first = max(0, -(-lost_bytes // width) - len(mark))
        decoded = decode_text((mark + text).encode(encoding)[lost_bytes:])
        found = decoded.text.replace("\ufffd", "")
        # The character that was cut may be left, as one at the other end may be lost.
        places = [(at, end) for at in range(first + 2) for end in (len(text) - 1, len(text))]
        assert found in {text[at:end] for at, end in places}, case
        assert decoded.readings == (), case


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("surrogate", ["\ud800"])
def test_a_lone_surrogate_in_utf_16_is_replaced(encoding, surrogate):
    text = PASSAGES["English"] * 5
    decoded = decode_text((text + surrogate + text).encode(encoding, "surrogatepass"))
    assert decoded.text == text + "\ufffd" + text
    assert decoded.replaced == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be", "gb18030"])
def test_byte_order_marks_inside_the_text_are_removed(encoding):
    text = PASSAGES["Chinese"] * 5
    decoded = decode_text((text + "\ufeff" + text + "\ufeff\n").encode(encoding))
    assert decoded.text == text + text + "\n"
    assert "2 byte-order marks inside the text removed" in decoded.repairs


def test_formatting_codes_are_removed_from_each_part_of_a_text(monkeypatch):
    text = "".join(f"\x1b[1m{i}\x1b[0m and \x0302,05more\x03, o\x08over.\n" for i in range(99))
    whole = decode_text(text.encode())
    monkeypatch.setattr(decoding, "FORMATTING_CHARACTERS", 1)
    assert decode_text(text.encode()) == whole
    assert whole.formatting_codes == 99 * 5
    assert whole.text.startswith("0 and more, over.\n1 and more, over.\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("lost", [(), (700,), (301, 802, 1_103)])
def test_a_wide_encoding_is_read_in_parts(monkeypatch, encoding, lost):
    data = bytearray((PASSAGES["German"] * 8).encode(encoding))
    for at in reversed(lost):
        del data[at]
    whole = decode_text(bytes(data), encoding)
    monkeypatch.setattr(wide_encodings, "COUNTED_BYTES", 4 * wide_encodings.BLOCK_UNITS)
    assert decode_text(bytes(data), encoding) == whole
    assert bool(whole.replaced) == bool(lost)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_formatting_codes_of_terminals_and_irc_are_removed(encoding):
    codes = "\x1b[1;31mréd\x1b[0m \x1b]0;title\x07\x0304,12blüe\x03 \x02bold\x0f N\x08No\n"
    decoded = decode_text((codes * 30).encode(encoding))
    assert decoded.text == "réd blüe bold No\n" * 30
    assert "240 terminal or IRC formatting codes removed" in decoded.repairs


def test_control_characters_are_named_in_the_refusal():
    with pytest.raises(NotTextError, match=r"too many control characters, such as U\+0001"):
        decode_text(b"record\x01 field\x01 field\n" * 40)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("windows-1251", "cp1251"), ("KOI8-R", "koi8_r"), ("Shift_JIS", "shift_jis"), ("GBK", "gbk")],
)
def test_a_chosen_encoding_is_used(name, encoding):
    data = "Съешь ещё этих мягких булок.\n".encode("koi8-r") * 10
    if encoding in {"shift_jis", "gbk"}:
        data = PASSAGES["Japanese"].encode(encoding)
    decoded = decode_text(data, name)
    assert decoded.encoding == encoding
    assert decoded.text == data.decode(encoding)
    assert decoded.readings == ()


@pytest.mark.parametrize(
    ("name", "written", "text"),
    [
        ("ascii", "utf-8", "It’s a “naïve” café.\n"),
        ("latin-1", "cp1252", "It’s a “naïve” café.\n"),
        ("iso8859-9", "cp1254", "“Işık” yandı…\n"),
        ("shift_jis", "cp932", "①②③ 髙島屋\n"),
        ("gb2312", "gb18030", "臺灣與馬來西亞\n"),
        ("gbk", "gb18030", "🏮🐉 中国\n"),
        ("euc-kr", "cp949", "똠방각하 펲시콜라\n"),
        ("tis-620", "cp874", "“สวัสดี” …\n"),
    ],
)
@pytest.mark.parametrize("before", ["", "Plain words.\n" * 500])
def test_a_chosen_encoding_is_never_replaced_by_another_one(name, written, text, before):
    data = (before + text * 10).encode(written)
    with pytest.raises(
        NotTextError, match=rf"^The file is not [^.]*, but may be text in {written}\.$"
    ):
        decode_text(data, name)
    assert decode_text(data, written).text == data.decode(written)
    plain = data.decode(name, "ignore").replace("\x85", "")
    plain = decoding._C1_CONTROL.sub("", plain)
    decoded = decode_text(plain.encode(name), name)
    assert (decoded.text, decoded.encoding) == (plain, codecs.lookup(name).name)


def test_a_chosen_encoding_is_used_where_the_larger_one_differs():
    text = "〜‖− ¢£¬ 波ダッシュ\n" * 20
    assert decode_text(text.encode("shift_jis"), "shift_jis").text == text
    assert decode_text("né\x85\n".encode("latin-1") * 20, "latin-1").text == "né\x85\n" * 20


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_the_byte_order_mark_decides_the_order_of_a_chosen_encoding(name, order):
    text = PASSAGES["Russian"]
    decoded = decode_text(("\ufeff" + text).encode(f"{name}-{order}"), name)
    assert decoded == DecodedText(text, f"{name}-{order}", had_bom=True)
    assert decode_text(text.encode(f"{name}-le"), name).text == text


@pytest.mark.parametrize(
    "name", ["", "klingon", "rot13", "zip", "utf-7", "idna", "a\0b", "x" * 999]
)
def test_an_unknown_encoding_is_refused(name):
    with pytest.raises(UnknownEncodingError, match="is not an encoding that can be read"):
        decode_text(b"text", name)


@pytest.mark.parametrize("encoding", READABLE_ENCODINGS)
def test_ascii_text_can_be_read_in_every_encoding(encoding):
    text = "Plain words.\n" * 30
    assert decode_text(text.encode(encoding), encoding).text == text


@pytest.mark.parametrize("text", ["Qdi ó sji.\n", "Ž, Š.\n"])
def test_an_uncertain_reading_is_a_question_with_the_differing_lines(text):
    decoded = decode_text(b"Plain words.\n" * 40 + text.encode("cp1250"))
    assert 2 <= len(decoded.readings) <= 3
    assert decoded.readings[0].encoding == decoded.encoding
    assert decoded.readings[0].excerpt in decoded.text
    assert len({reading.excerpt for reading in decoded.readings}) == len(decoded.readings)
    assert "Plain" not in decoded.readings[0].excerpt


@pytest.mark.parametrize("times", [20])
@pytest.mark.parametrize(("language", "encoding"), _DAMAGEABLE)
def test_a_sound_text_of_some_length_is_no_question(language, encoding, times):
    assert decode_text((PASSAGES[language] * times).encode(encoding)).readings == ()
