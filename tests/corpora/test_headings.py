"""Chapter headings."""

import pytest

from server.corpora import headings
from server.corpora.headings import MAX_HEADINGS, find_headings
from server.corpora.words import MAX_SLICE_CHARACTERS, MIN_SLICE_CHARACTERS


def test_the_shipped_novel_has_fifteen_chapters(saltmere):
    found = find_headings(saltmere)
    assert [title for _, title in found][:3] == ["CHAPTER ONE", "CHAPTER TWO", "CHAPTER THREE"]
    assert len(found) == 15
    for at, title in found:
        assert saltmere[at : at + len(title)] == title


@pytest.mark.parametrize(
    ("heading", "is_one"),
    [
        ("Chapter 1", True),
        ("Kapitel 12: Der Müller", True),
        ("PART THE FIRST", True),
        ("ГЛАВА ПЕРВАЯ", True),
        ("XIV.", True),
        ("Act II", True),
        ("Part of me wants to go.", False),
        ("chapter 1", False),
        ("Chapter and verse", False),
        ("ORLA", False),
        ("PART " + "X" * 80, False),
    ],
)
def test_headings(heading, is_one):
    text = f"{heading}\n\nOnce upon a time.\n\n{heading}\n\nAnd so on.\n"
    found = find_headings(text)
    assert found == ([(0, heading), (text.rindex(heading), heading)] if is_one else [])


def test_a_line_in_a_paragraph_is_not_a_heading():
    assert find_headings("He read\nChapter 1\nand slept.\n\n" * 5) == []


def test_one_heading_or_hundreds_are_ignored():
    assert find_headings("Chapter 1\n\nText.\n") == []
    assert find_headings("Chapter 1\n\n" * (MAX_HEADINGS + 1)) == []


def test_long_texts_are_searched_completely():
    page = "Text. " * (MIN_SLICE_CHARACTERS // 6 - 1)
    text = "\n\n".join(f"Chapter {i}\n\n{page}" for i in range(1, 6))
    assert [title for _, title in find_headings(text)] == [f"Chapter {i}" for i in range(1, 6)]


def test_headings_around_a_very_long_line_are_found():
    endless = "Chapter 1 " * MAX_SLICE_CHARACTERS
    text = f"Chapter 1\n\n{endless}\n\nChapter 2\n\nA little."
    assert find_headings(text) == [(0, "Chapter 1"), (text.index("Chapter 2\n"), "Chapter 2")]


def test_a_search_for_headings_is_bounded(monkeypatch):
    searched = []

    class Heading:
        def finditer(self, _text, start, end):
            searched.append((start, end))
            return iter(())

    monkeypatch.setattr(headings, "_HEADING", Heading())
    text = "x" * (5 * MAX_SLICE_CHARACTERS)
    assert find_headings(text) == []
    assert max(end - start for start, end in searched) <= MAX_SLICE_CHARACTERS
    assert searched[-1][1] == len(text)
