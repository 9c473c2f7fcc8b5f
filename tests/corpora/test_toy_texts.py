"""Toy texts: each line follows its task, and the network's side recognises every text."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.corpora.decoding import decode_text
from server.corpora.toy_texts import MIN_LINES, TASKS, ToyText
from server.rnn.answers import MAX_LINE_CHARACTERS, find_answers
from server.rnn.vocabulary import Vocabulary

PARAMETERS = {
    "delay": st.integers(1, 30),
    "string_length": st.integers(1, 8),
    "longest": st.integers(1, 12),
    "count": st.integers(1, 20),
    "depth": st.integers(1, 10),
    "alphabet": st.text(
        st.characters(exclude_characters=".:", exclude_categories=("C", "M", "Z")),
        min_size=2,
        max_size=9,
    ).map(lambda text: "".join(dict.fromkeys(text))),
}


@st.composite
def toy_texts(draw):
    task = draw(st.sampled_from(list(TASKS)))
    fields = {name: draw(PARAMETERS[name]) for name in TASKS[task].parameters}
    if len(fields.get("alphabet", "ab")) < 2:
        fields["alphabet"] = "ab"
    characters = draw(st.integers(8_020, 12_000))
    return ToyText(task=task, **fields, characters=characters, seed=draw(st.integers(0, 2**63 - 1)))


@given(toy_texts())
def test_every_text_is_recognised(toy):
    text = toy.text()
    vocabulary = Vocabulary.from_text(text)
    found = find_answers(vocabulary.encode(text), vocabulary)
    assert found is not None
    assert found.any()
    assert text.endswith("\n")
    assert toy.characters - TASKS[toy.task].longest_line(toy) < len(text) <= toy.characters
    lines = text.splitlines()
    assert len(lines) >= MIN_LINES
    assert max(map(len, lines)) + 1 <= TASKS[toy.task].longest_line(toy) <= MAX_LINE_CHARACTERS


@given(toy_texts())
def test_a_longer_text_begins_with_the_same_lines(toy):
    longer = toy.model_copy(update={"characters": toy.characters + 500}).text()
    assert longer.startswith(toy.text())


LINES = {
    "repeat": r"(?P<s>[a-h]{3})\.{10}(?P=s)",
    "copy": r"(?P<s>[a-h]{1,10}):(?P=s)",
    "reverse": r"[a-h]{1,10}:[a-h]{1,10}",
    "counts": r"a{1,50}b{1,50}",
    "brackets": r"[][(){}<>.]{4,46}",
}


@pytest.mark.parametrize("task", TASKS)
def test_the_lines_of_a_task(task):
    for line in ToyText(task=task, characters=20_000).text().splitlines():
        assert re.fullmatch(LINES[task], line)
        if task == "reverse":
            string, answer = line.split(":")
            assert answer == string[::-1]
        if task == "counts":
            assert line.count("a") == line.count("b")
        if task == "brackets":
            depth = np.cumsum([(c in "([{<") - (c in ")]}>") for c in line])
            assert depth.max() <= 4
            assert depth[:-1].min() > depth[-1] == 0


@pytest.mark.parametrize(("task", "parameter"), [("copy", "longest"), ("counts", "count")])
def test_every_length_is_about_equally_frequent(task, parameter):
    lines = ToyText(task=task, **{parameter: 5}).text().splitlines()
    counts = np.bincount([len(line) // 2 for line in lines])[1:]
    assert len(counts) == 5
    assert counts == pytest.approx(np.full(5, len(lines) / 5), rel=0.05)


# The same on every machine, in every version.
DIGESTS = {
    "repeat": "b4688b31d5c026de",
    "copy": "bf29675923a65896",
    "reverse": "277197aef485258d",
    "counts": "9b2769993ee6a164",
    "brackets": "423208bd763f3f72",
}


@pytest.mark.parametrize("task", TASKS)
def test_a_description_always_gives_the_same_text(task):
    text = ToyText(task=task, characters=10_000, seed=7).text()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGESTS[task]
    assert text != ToyText(task=task, characters=10_000, seed=8).text()


def test_names():
    names = [ToyText(task=task).name for task in TASKS]
    assert names == [
        "Repeat after 10 characters",
        "Copy up to 10 letters",
        "Reverse up to 10 letters",
        "Count up to 50: a^n b^n",
        "Brackets to depth 4",
    ]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"task": "sort"}, "task", "'repeat', 'copy', 'reverse', 'counts' or 'brackets'"),
        ({"task": "copy", "delay": 3}, "delay", "does not belong to the task 'copy'"),
        ({"task": "counts", "alphabet": "ab"}, "alphabet", "does not belong to the task 'counts'"),
        ({"task": "brackets", "depth": 0}, "depth", "greater than or equal to 1"),
        ({"task": "brackets", "depth": 11}, "depth", "less than or equal to 10"),
        ({"task": "repeat", "delay": 10**30}, "delay", "less than or equal to 500"),
        ({"task": "repeat", "delay": 2.5}, "delay", "valid integer"),
        ({"task": "repeat", "delay": True}, "delay", "valid integer"),
        ({"task": "copy", "characters": 10**12}, "characters", "less than or equal to 5000000"),
        ({"task": "copy", "longest": 200, "characters": 8_039}, "characters", "at least 8,040"),
        ({"task": "copy", "alphabet": "a"}, "alphabet", "at least 2 characters"),
        ({"task": "copy", "alphabet": "aba"}, "alphabet", "must contain 'a' only once"),
        ({"task": "copy", "alphabet": "a:"}, "alphabet", "':', which separates strings"),
        ({"task": "copy", "alphabet": "a b"}, "alphabet", "U+0020"),
        ({"task": "copy", "alphabet": "a\n"}, "alphabet", "U+000A"),
        ({"task": "copy", "alphabet": "e\u0301"}, "alphabet", "U+0301"),
        ({"task": "copy", "alphabet": "a\u202e"}, "alphabet", "U+202E"),
        ({"task": "copy", "alphabet": "a\ufeff"}, "alphabet", "U+FEFF"),
        ({"task": "copy", "alphabet": "a\0"}, "alphabet", "U+0000"),
        ({"task": "copy", "seed": -1}, "seed", "greater than or equal to 0"),
        ({"task": "copy", "kinds": 3}, "kinds", "not permitted"),
        ({}, "task", "required"),
    ],
)
def test_wrong_values(fields, field, message):
    with pytest.raises(ValidationError) as raised:
        ToyText(**fields)
    (error,) = raised.value.errors()
    assert error["loc"] == (field,)
    assert message in error["msg"]


@given(toy_texts())
def test_an_upload_keeps_the_text_as_it_is(toy):
    decoded = decode_text(toy.text().encode(), "utf-8")
    assert (decoded.text, decoded.repairs, decoded.readings) == (toy.text(), (), ())
