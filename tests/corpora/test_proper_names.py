from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.corpora import proper_names
from server.corpora.proper_names import find_names, find_words


def test_the_names_of_the_novel(saltmere):
    names = find_names(saltmere)
    assert names[:4] == ["Orla", "Tobin", "Hester", "Cassius"]
    assert {"Brack", "Biscuit", "Mistress Dray", "Nan Tully"} <= set(names)
    assert len(names) == 12


def test_ordinary_words_are_not_names(saltmere):
    names = find_names(saltmere, limit=40)
    no_names = {"I", "I'm", "I've", "The", "Mr", "Captain", "Miss", "No", "Yes", "She", "He"}
    assert not no_names & set(names)


def test_the_limit(saltmere):
    assert find_names(saltmere, limit=3) == find_names(saltmere)[:3]
    assert find_names(saltmere, limit=0) == []


def test_rare_words_of_a_text_with_very_many_are_not_kept(monkeypatch, saltmere):
    monkeypatch.setattr(proper_names, "MAX_COUNTED", 3_000)
    rare = "".join(
        f"\n{chr(0x4E00 + i)}a {chr(0x4E00 + i)}b Q{chr(0x4E00 + i)}." for i in range(9_000)
    )
    text = saltmere + rare
    assert find_names(text)[:4] == ["Orla", "Tobin", "Hester", "Cassius"]
    counts = proper_names._count(text)
    counters = (counts.total, counts.inside, counts.leading, counts.pairs, counts.lower)
    assert max(map(len, counters)) <= 3_000
    assert counts.all_lower > 18_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no capitals at all, only words. " * 20,
        "ALL CAPITALS AND NOTHING ELSE. " * 20,
        "吾輩は猫である。名前はまだ無い。" * 50,
        "בראשית ברא אלהים את השמים ואת הארץ. " * 50,
        "The Dog saw the cat. A dog saw The cat. One dog, one cat. " * 20,
    ],
)
def test_texts_without_names(text):
    assert find_names(text) == []


def test_a_word_only_at_the_start_of_sentences_is_not_a_name():
    assert find_names("Suddenly it rained. And then? Suddenly it stopped. " * 10) == []


def test_names_in_other_scripts():
    russian = "Тогда Наташа засмеялась, и Пьер увидел, что Наташа плачет. " * 5
    assert find_names(russian) == ["Наташа", "Пьер"]


def test_german_nouns_are_not_names():
    tale = Path(__file__).with_name("german_tale.txt").read_text(encoding="utf-8")
    assert find_names(tale) == ["Greta", "Anton"]


def test_possessives_and_apostrophes_in_names():
    text = "It was Orla's lamp, and Orla\u2019s boat, said O'Hara to Orla, and O'Hara knew. " * 5
    assert find_names(text) == ["Orla", "O'Hara"]


def test_a_name_with_a_combining_mark():
    text = "so Re\u0301mi said, and Re\u0301mi went. " * 5
    assert find_names(text) == ["Re\u0301mi"]


@pytest.mark.parametrize("title", ["Captain", "Capt."])
def test_a_title_is_not_a_name(title):
    text = (
        f"then {title} Brack shouted, and {title} Ahab, too. But Brack, said Ahab, was wrong. " * 5
    )
    assert set(find_names(text)) == {"Brack", "Ahab"}


def test_a_name_that_occurs_only_in_a_pair():
    assert find_names("so Gallows Rock rose, and by Gallows\nRock they sat. " * 5) == [
        "Gallows Rock"
    ]


@given(st.text())
def test_any_text_gives_distinct_names(text):
    names = find_names(text)
    assert len(names) == len(set(names)) <= 12


@pytest.mark.parametrize(
    ("text", "watched", "found"),
    [
        ("said Orla.", ["Orla"], ["Orla"]),
        ("Orla", ["Orla"], ["Orla"]),
        ("Orla's lamp, _Orla_, Orla2", ["Orla"], ["Orla"]),
        ("Orlando, orla, XOrla", ["Orla"], []),
        ("Orlando and Orla", ["Orla"], ["Orla"]),
        ("Re\u0301mi", ["Re"], []),
        ("Captain\nBrack  came", ["Captain Brack", "Brack"], ["Captain Brack", "Brack"]),
        ("Captain Bracken", ["Captain Brack"], []),
        ("Tobin and Orla and Tobin", ["Orla", "Tobin", "Orla"], ["Orla", "Tobin"]),
        ("那时孔明笑曰", ["孔明"], ["孔明"]),
        ("홍길동은 웃었다", ["홍길동"], ["홍길동"]),
        ("佐々木とﾀﾛｳが来た", ["ﾀﾛｳ", "佐々"], ["ﾀﾛｳ", "佐々"]),
        ("xa a a", ["a a"], ["a a"]),
        ("what?! (yes)", ["?!", "(yes)", ".*"], ["?!", "(yes)"]),
        ("a 😀 b", ["😀"], ["😀"]),
        ("any text", ["", "  ", "\n"], []),
        ("", ["Orla"], []),
    ],
)
def test_watched_words(text, watched, found):
    assert find_words(text, watched) == found


@given(st.text(), st.lists(st.text()))
def test_found_words_are_watched_and_occur(text, watched):
    found = find_words(text, watched)
    assert [word for word in dict.fromkeys(watched) if word in found] == found
    squeezed = " ".join(text.split())
    assert all(" ".join(word.split()) in squeezed for word in found)
