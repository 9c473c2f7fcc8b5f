import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.vocabulary import UnknownCharacterError, Vocabulary

any_text = st.text(st.characters(codec=None), min_size=1)


@given(any_text)
def test_any_text_survives_encoding_and_decoding(text):
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(any_text)
def test_characters_are_distinct_and_ascending(text):
    vocabulary = Vocabulary.from_text(text)
    assert list(vocabulary.characters) == sorted(set(text))
    assert len(vocabulary) == len(set(text))


@given(any_text, st.text(st.characters(codec=None)))
def test_known_and_unknown_characters_make_up_the_text(known_text, text):
    vocabulary = Vocabulary.from_text(known_text)
    known, unknown = vocabulary.split_known(text)
    assert set(known) <= set(known_text)
    assert [c for c in text if c in known_text] == list(known)
    assert unknown == list(dict.fromkeys(c for c in text if c not in known_text))


@given(any_text, any_text)
def test_encoding_names_unknown_characters(known_text, text):
    vocabulary = Vocabulary.from_text(known_text)
    unknown = vocabulary.split_known(text)[1]
    if unknown:
        with pytest.raises(UnknownCharacterError) as caught:
            vocabulary.encode(text)
        assert caught.value.characters == unknown
    else:
        assert vocabulary.decode(vocabulary.encode(text)) == text


def test_unknown_characters_are_named_in_the_message():
    with pytest.raises(UnknownCharacterError, match=r"'ö' \(U\+00F6\), 'ß' \(U\+00DF\)"):
        Vocabulary.from_text("abc").encode("aöbßcö")
    with pytest.raises(UnknownCharacterError, match="and 16 more"):
        Vocabulary.from_text("!").encode("abcdefghijklmnopqrstuvwxyz")


def test_a_character_is_a_code_point():
    text = "e\u0301 🙋🏽‍♀️ 𝔘"
    assert len(Vocabulary.from_text(text)) == len(set(text))


def test_indices_are_compact():
    assert Vocabulary.from_text("ab").encode("abba").dtype == np.uint16
    many = "".join(map(chr, range(0x20, 0xD800))) + "".join(map(chr, range(0x10000, 0x14000)))
    large = Vocabulary(many)
    assert len(large) > 1 << 16
    encoded = large.encode(many)
    assert encoded.dtype == np.int32
    assert large.decode(encoded) == many


def test_a_long_text_is_encoded_in_parts():
    text = "abc" * 500_000 + "d"
    vocabulary = Vocabulary("abcd")
    assert np.array_equal(vocabulary.encode(text), [0, 1, 2] * 500_000 + [3])
    with pytest.raises(UnknownCharacterError, match="'d'"):
        Vocabulary("abc").encode(text)


def test_an_empty_text_has_no_indices():
    vocabulary = Vocabulary("ab")
    assert vocabulary.encode("").tolist() == []
    assert vocabulary.decode(vocabulary.encode("")) == ""


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_a_vocabulary_must_be_distinct_and_ascending(characters):
    with pytest.raises(ValueError, match="ascending"):
        Vocabulary(characters)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_the_vocabulary_is_refused(index):
    with pytest.raises(IndexError):
        Vocabulary("ab").decode(np.array([0, index]))


def test_equal_characters_make_equal_vocabularies():
    assert Vocabulary("ab") == Vocabulary.from_text("abba")
    assert Vocabulary("ab") != Vocabulary("abc")
    assert len({Vocabulary("ab"), Vocabulary.from_text("ba")}) == 1
    assert repr(Vocabulary("ab")) == "Vocabulary('ab')"
