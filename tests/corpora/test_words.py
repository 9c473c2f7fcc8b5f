import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora.words import (
    LONGEST_SLICE_CHARACTERS,
    SLICE_CHARACTERS,
    combining,
    find_all,
    slices,
    word_pattern,
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
    assert word_pattern().findall(text) == words


def test_every_mark_that_unicode_has_is_one():
    marks = re.compile(combining())
    for character in map(chr, range(sys.maxunicode + 1)):
        is_mark = unicodedata.category(character)[0] == "M" or character in "\u200c\u200d"
        assert bool(marks.match(character)) == is_mark, hex(ord(character))


def plain_words(text):
    """Find the words as the docstring has it, a character at a time."""
    is_letter = [c.isalnum() and not c.isdecimal() for c in text]
    follows = [unicodedata.category(c)[0] == "M" or c in "\u200c\u200d" for c in text]
    words, word = [], ""
    for i, c in enumerate(text):
        between = word and i + 1 < len(text) and is_letter[i + 1] and c in "'\u2019"
        if is_letter[i] or (word and follows[i]) or between:
            word += c
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


@given(st.text(st.sampled_from("ab Zé'\u2019\u0301\u200d1_-.语½") | st.characters(codec="utf-8")))
def test_words_are_what_the_definition_says(text):
    assert word_pattern().findall(text) == plain_words(text)


@pytest.mark.parametrize(
    "text", ["", "word", "It's a long way. " * 50_000, "x" * 3 * SLICE_CHARACTERS]
)
def test_slices_cut_no_word(text):
    found = [word for words in find_all(word_pattern(), text) for word in words]
    assert found == word_pattern().findall(text)
    assert "".join(slices(text)) == text


@pytest.mark.parametrize("unit", ["a'", "x", "語", "-", "a\u0301"])
def test_a_text_without_white_space_is_cut_all_the_same(unit):
    text = unit * (3 * LONGEST_SLICE_CHARACTERS)
    cut = list(slices(text))
    assert "".join(cut) == text
    assert max(map(len, cut)) <= LONGEST_SLICE_CHARACTERS
