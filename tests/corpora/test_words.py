import sys
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from server.corpora.words import (
    LETTER,
    LETTER_OR_MARK,
    MAX_SLICE_CHARACTERS,
    MIN_SLICE_CHARACTERS,
    WORD,
    count_words,
    find_all,
    has_one_letter,
    slices,
    word_at,
    word_units,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("12 + 3_4 = ?", []),
        ("It's the dog's dinner.", ["It's", "the", "dog's", "dinner"]),
        ("'Hush,' said O\u2019Hara. 'Don\u2019t.'", ["Hush", "said", "O\u2019Hara", "Don\u2019t"]),
        ("half-light, snake_case, b2b", ["half", "light", "snake", "case", "b", "b"]),
        ("e\u0301te\u0301 cafe\u0301", ["e\u0301te\u0301", "cafe\u0301"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("قالَ لَهُم", ["قالَ", "لَهُم"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("Всё смешалось", ["Всё", "смешалось"]),
        ("名前は、まだ無い。", ["名前は", "まだ無い"]),
        ("a\u0301\u0302\u0303b ❤\ufe0f 👩\u200d👧 c", ["a\u0301\u0302\u0303b", "c"]),
    ],
)
def test_words(text, words):
    assert WORD.findall(text) == words


@pytest.mark.parametrize(
    ("text", "index", "word"),
    [
        ("half-light", 0, "half"),
        ("half-light", 4, None),
        ("half-light", 9, "light"),
        ("O\u2019Hara", 1, "O\u2019Hara"),
        ("'tis", 0, None),
        ("'tis", 1, "tis"),
        ("the dogs' dinner", 8, None),
        ("x2", 1, None),
        ("e\u0301te", 1, "e\u0301te"),
        ("\u0645\u06cc\u200c\u062e\u0648", 2, "\u0645\u06cc\u200c\u062e\u0648"),
        ("\u2167th", 0, "\u2167th"),
    ],
)
def test_the_word_at_an_index(text, index, word):
    assert word_at(text, index) == word


def is_letter(character):
    return character.isalnum() and not character.isdecimal()


def is_mark(character):
    return unicodedata.category(character)[0] == "M" or character in "\u200c\u200d"


def test_letters_and_marks_agree_with_unicodedata():
    letter, letter_or_mark = regex.compile(LETTER), regex.compile(LETTER_OR_MARK)
    for character in map(chr, range(sys.maxunicode + 1)):
        # The newer of the two has characters that are unassigned in the other.
        if unicodedata.category(character) != "Cn":
            code = hex(ord(character))
            assert bool(letter.match(character)) == is_letter(character), code
            assert bool(letter_or_mark.match(character)) == (
                is_letter(character) or is_mark(character)
            ), code


def plain_words(text):
    """Find the words by their definition, one character at a time."""
    words, word = [], ""
    for i, c in enumerate(text):
        between = word and c in "'\u2019" and i + 1 < len(text) and is_letter(text[i + 1])
        if is_letter(c) or (word and is_mark(c)) or between:
            word += c
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


@given(
    st.text(
        st.sampled_from("ab Zé'\u2019\u0301\u200d1_-.语½")
        | st.characters(codec="utf-8", exclude_categories=["Cn"])
    )
)
def test_words_match_their_definition(text):
    assert WORD.findall(text) == plain_words(text)


@pytest.mark.parametrize(
    "text", ["", "word", "It's a long way. " * 50_000, "x" * 3 * MIN_SLICE_CHARACTERS]
)
def test_slices_do_not_cut_words(text):
    found = [word for words in find_all(WORD, text) for word in words]
    assert found == WORD.findall(text)
    assert "".join(slices(text)) == text


@pytest.mark.parametrize("unit", ["a'", "x", "語", "-", "a\u0301"])
def test_a_text_without_white_space_is_cut_too(unit):
    text = unit * (3 * MAX_SLICE_CHARACTERS)
    cut = list(slices(text))
    assert "".join(cut) == text
    assert max(map(len, cut)) <= MAX_SLICE_CHARACTERS


@pytest.mark.parametrize(
    ("word", "units"),
    [
        ("don't", ["don't"]),
        ("走", ["走"]),
        ("走了", ["走了"]),
        ("他走了", ["他走", "走了"]),
        ("スーパー", ["スー", "ーパ", "パー"]),
        ("iPhoneは高い", ["iPhone", "は高", "高い"]),
        ("ไทย", ["ไทย"]),
        ("ภาษาไทย", ["ภาษา", "าษาไ", "ษาไท", "าไทย"]),
    ],
)
def test_the_units_of_a_word(word, units):
    assert [word[start:end] for start, end in word_units(word)] == units


@given(st.text(st.sampled_from("aé\u0301'走カーไท\u0e31"), max_size=12))
def test_units_cover_a_word_in_order(text):
    for word in WORD.findall(text):
        spans = list(word_units(word))
        assert spans == sorted(spans)
        assert {i for start, end in spans for i in range(start, end)} == set(range(len(word)))


@pytest.mark.parametrize(
    ("word", "expected"),
    [("a", True), ("e\u0301", True), ("É", True), ("an", False), ("走", False), ("", False)],
)
def test_a_word_of_one_letter(word, expected):
    assert has_one_letter(word) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It's the dog's dinner.", 4),
        ("名前は、まだ無い。", 7),
        ("他用iPhone写字", 5),
        ("ภาษาไทย ง่าย", 2),
        ("", 0),
    ],
)
def test_the_number_of_words(text, count):
    assert count_words(text) == count
