"""Features of texts in several scripts."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora.text_features.features import (
    MAX_DISTANCE,
    MIN_OCCURRENCES,
    Stretch,
    text_features,
)
from server.corpora.text_features.spans import (
    bracket_spans,
    quotation_spans,
    sentence_spans,
    single_quotation_spans,
)


def parts(spans, text):
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "quotations"),
    [
        ('He said, "Go on," and went.', ['"Go on,']),
        ("“Yes,” he said. “No.”", ["“Yes,", "“No."]),
        ("„Ja“, sagte er. „Nein”", ["„Ja", "„Nein"]),
        ("« Oui », dit-il.", ["« Oui "]),
        ("»Nein«, sagte sie, »doch«.", ["»Nein", "»doch"]),
        ("彼は「はい『いいえ』」と言った。", ["「はい『いいえ』"]),
        # The second paragraph opens the same speech again.
        ('"One.\n\n"Two," she said.', ['"One.', '"Two,']),
        ("no marks", []),
    ],
)
def test_quotations(text, quotations):
    assert parts(quotation_spans(text), text) == quotations


def test_an_apostrophe_opens_no_single_quotation():
    text = "‘Don’t,’ said Dan's aunt. 'I can't.' The dogs' bowl."
    assert parts(single_quotation_spans(text), text) == ["‘Don’t,", "'I can't."]


def test_brackets_may_be_nested_and_unbalanced():
    text = "f(a[1], (b)) :) (c [d) e ]"
    assert sorted(parts(bracket_spans(text), text)) == ["(a[1], (b)", "(b", "(c [d", "[1"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            'He went. "Did he?" Yes!\n\nA title\n\nEnd',
            ["He went.", '"Did he?"', "Yes!", "A title", "End"],
        ),
        ("行った。「どこ？」家！", ["行った。", "「どこ？」", "家！"]),
        ("वह गया। कहाँ?", ["वह गया।", "कहाँ?"]),
        ("version 1.5 is out", ["version 1.5 is out"]),
    ],
)
def test_sentences(text, sentences):
    found = list(sentence_spans(text))
    assert parts([span[:2] for span in found], text) == sentences


def features_of(text, times=MIN_OCCURRENCES + 1):
    """The features of a text that is repeated, so that nothing in it is rare; of its last time."""
    found = text_features([Stretch(text * times, 0, len(text) * times)])
    return dict(zip(found.names, found.values[0][:, -len(text) :], strict=True))


def marked(text, values):
    """The characters for which a feature holds; the others as dots."""
    return "".join(c if value else "." for c, value in zip(text, values, strict=True))


def test_features_of_an_english_text():
    text = 'Ann (12) ran. "Why, Bo?" he asked, too.\nNASA did see the sea.\n\n'
    features = features_of(text)

    def where(name):
        return marked(text, features[name])

    assert where("inside quotation marks").replace(".", "") == '"Why, Bo?'
    assert where("inside brackets").strip(".") == "(12"
    assert where("a digit").strip(".") == "12"
    assert where("inside a word in capitals").strip(".") == "NASA"
    assert where("after a digit").strip(".") == "2)"
    assert where("before a digit").strip(".") == "(1"
    assert re.findall(r"[^.]+", where("the last letter of a word"))[:3] == ["n", "n", "y"]
    assert "a Latin letter" not in features  # it equals "a letter"
    assert features["position in the line"][:4].tolist() == [0, 1, 2, 3]
    assert features["position in the line"][text.index("NASA")] == 0
    assert features["position in the word"][:5].tolist() == [1, 2, 3, 0, 0]
    assert where("inside a question").strip(".") == '"Why, Bo?"'
    assert where("inside the word “see”").strip(".") == "see"
    assert set(where("a vowel")) == set("Aaoeiy.")


SCRIPTS = {
    "Russian": ("Йод и Ёлка. Мой ПАПА ел. ", {"a vowel": "оиЁаоААе"}),
    "Greek": ("Ήρθε η Άννα. ", {"a vowel": "ΉεηΆα", "an upper-case letter": "ΉΆ"}),
    "Arabic": (
        "كَتَبَ الوَلَدُ كتابا. ",
        {"a vowel mark": "َ" * 5 + "ُ", "a letter of long vowels": "اواا"},
    ),
    "Hebrew": ("שָׁלוֹם עולם. ", {"a letter of long vowels": "וו"}),
    "Hindi": ("अब वह हिन्दी में। ", {"a vowel sign": "िीे", "an independent vowel": "अ"}),
    "Thai": ("น้ำ มา ก่อน ", {"a tone mark": "้่"}),
    "Korean": ("나는 밥을 먹다. ", {"a syllable with a final consonant": "는밥을먹"}),
    "Japanese": (
        "私はコーヒーを飲む。",
        {"hiragana": "はをむ", "katakana": "コーヒー", "a Chinese character": "私飲"},
    ),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_has_features_of_its_own(script):
    text, expected = SCRIPTS[script]
    features = features_of(text)
    for name, characters in expected.items():
        found = "".join(c for c, holds in zip(text, features[name], strict=True) if holds)
        assert found == characters, name


def test_frequent_pairs_of_characters_stand_for_words_without_spaces():
    assert "inside the word “です”" in features_of("これは本です。あれも本です。")


def test_rare_and_constant_features_are_left_out():
    # One quotation in a text of words and spaces.
    text = "one two six " * 40 + '"two" ' + "ten six " * 40
    names = text_features([Stretch(text, 0, len(text))]).names
    assert "inside the word “six”" in names
    assert "inside quotation marks" not in names
    assert "a digit" not in names
    assert text_features([Stretch("a" * 50, 0, 50)]).names == []


def test_a_stretch_has_the_features_of_its_place_in_the_text():
    text = 'She said "yes" or "no" to Bo (a cat). ' * 60
    whole = text_features([Stretch(text, 0, len(text))])
    part = text_features([Stretch(text, 500, 1900), Stretch(text, 300, 1200)])
    assert [values.shape[1] for values in part.values] == [1400, 900]
    for name in set(part.names) & set(whole.names):
        values = whole.values[0][whole.names.index(name)]
        number = part.names.index(name)
        assert np.array_equal(part.values[0][number], values[500:1900]), name
        assert np.array_equal(part.values[1][number], values[300:1200]), name


@given(st.text(min_size=1, max_size=300))
def test_any_text_has_finite_features(text):
    found = text_features([Stretch(text * 9, 0, len(text) * 9)])
    (values,) = found.values
    assert values.shape == (len(found.names), len(text) * 9)
    assert len(set(found.names)) == len(found.names)
    assert np.isfinite(values).all()
    assert not values.size or (values.min() >= 0 and values.max() <= MAX_DISTANCE)
