"""Answers are the characters that a grammar determines, against every line of small grammars."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from server.rnn.answers import MAX_LINE_CHARACTERS, MIN_LINES, find_answers
from server.rnn.vocabulary import Vocabulary


def marked(text: str) -> list[bool] | None:
    vocabulary = Vocabulary.from_text(text)
    found = find_answers(vocabulary.encode(text), vocabulary)
    return None if found is None else found.tolist()


def strings(longest: int) -> list[str]:
    return ["".join(s) for n in range(1, longest + 1) for s in product("xyz", repeat=n)]


def pairs(depth: int) -> list[str]:
    things = [".", *(pairs(depth - 1) if depth > 1 else [])]
    return [f"{p[0]}{a}{b}{p[1]}" for p in ("()", "[]") for a, b in product(things, things)]


# All lines, and how long or deep a line may be for the limits of the others not to matter: at the
# greatest length or depth, more characters are determined than a network can know.
LANGUAGES = {
    "repeat": ([f"{s}...{s}" for s in strings(3) if len(s) == 3], lambda line: True),
    "copy": ([f"{s}:{s}" for s in strings(4)], lambda line: len(line) < 9),
    "reverse": ([f"{s}:{s[::-1]}" for s in strings(4)], lambda line: len(line) < 9),
    "counts": (["a" * n + "b" * n for n in range(1, 13)], lambda line: len(line) < 24),
    "brackets": (pairs(3), lambda line: line in set(pairs(2))),
}
# The characters that are the same in every line, and ask for no memory.
CONSTANT = {"repeat": {3, 4, 5, 9}, "counts": {0}}


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_an_answer_is_no_other_character_is_possible_and_nowhere_else(language):
    lines, is_small = LANGUAGES[language]
    following = defaultdict(set)
    for line in lines:
        for index, character in enumerate(line + "\n"):
            following[line[:index]].add(character)
    assert len(lines) >= MIN_LINES
    found = iter(marked("".join(line + "\n" for line in lines)))
    for line in lines:
        of_line = [next(found) for _ in line + "\n"]
        determined = [len(following[line[:index]]) == 1 for index in range(len(line) + 1)]
        assert all(d for d, answer in zip(determined, of_line, strict=True) if answer)
        if is_small(line):
            constant = CONSTANT.get(language, set())
            assert of_line == [d and i not in constant for i, d in enumerate(determined)]
    assert next(found, None) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_with_one_wrong_answer_follows_no_grammar(language):
    lines, _ = LANGUAGES[language]
    text = "".join(line + "\n" for line in lines[-MIN_LINES:])
    characters = set(text)
    for index in np.flatnonzero(marked(text)):
        for other in characters - {text[index]}:
            assert marked(f"{text[:index]}{other}{text[index + 1 :]}") is None


@pytest.mark.parametrize(
    "line",
    [
        *("", "a", "b", "ab a", "aab", "abb", "ba", "ab\nb", ":", "x:", ":x", "x:y", "x:x:x"),
        *(
            "x..y",
            "...",
            "xx",
            "(..",
            "(.)",
            "(...)",
            ".",
            "(..)(..)",
            "(..]",
            ")",
            "(x.)",
            "(.. )",
        ),
    ],
)
def test_one_line_that_fits_no_grammar_is_enough(line):
    for lines, _ in LANGUAGES.values():
        assert marked("\n".join([*lines, line, ""])) is None
        assert marked("\n".join([line, *lines, ""])) is None


def test_lines_of_two_delays_have_no_answers():
    assert marked("xy..xy\n" * MIN_LINES + "xy...xy\n") is None
    assert marked("xy..xy\n" * MIN_LINES + "x..x\n") is None


def test_an_incomplete_last_line_has_no_answers():
    text = "xy:xy\n" * MIN_LINES
    assert marked(text + "xy:x") == [*marked(text), *([False] * 4)]


def test_few_lines_or_long_ones_have_no_answers():
    assert marked("xy:xy\n" * (MIN_LINES - 1) + "xy:xy") is None
    half = "x" * (MAX_LINE_CHARACTERS // 2)
    assert marked(f"{half[1:]}:{half[1:]}\n" * MIN_LINES) is not None
    assert marked(f"{half}:{half}\n" * MIN_LINES) is None


def test_the_beginning_of_a_novel_is_enough_to_see_that_it_has_no_answers(saltmere):
    read = []

    class Spy(Vocabulary):
        def decode(self, indices):
            read.append(len(indices))
            return super().decode(indices)

    vocabulary = Spy.from_text(saltmere)
    assert find_answers(vocabulary.encode(saltmere), vocabulary) is None
    assert read == [MIN_LINES * MAX_LINE_CHARACTERS]
