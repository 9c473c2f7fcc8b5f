"""A passage with dialogue, in texts of any length and script."""

import pytest

from server.corpora.dialogue import dialogue_passage, read_dialogue_passage

PLAIN = "The sea was grey that day and nobody spoke of it at all.\n\n" * 40
LENGTH = 200


@pytest.mark.parametrize(
    "dialogue",
    [
        '"Come in," said Orla. "It is open," said Vane. "No."',
        "“Come in,” said Orla. “It is open,” said Vane. “No.”",
        "«Entrez», dit Orla. «C’est ouvert», dit Vane. «Non.»",
        "„Komm herein“, sagte Orla. „Es ist offen“, sagte Vane.",
        "「入りなさい」とオーラは言った。「開いている」とヴェインは言った。",
    ],
)
def test_a_passage_with_dialogue_is_found(dialogue):
    text = f"{PLAIN}{dialogue}\n\n{PLAIN}"
    position, passage = dialogue_passage(text, LENGTH)
    assert dialogue in passage
    assert text[position:].startswith(passage)
    assert len(passage) <= LENGTH


@pytest.mark.parametrize("text", [PLAIN, "ab" * 5_000, "русский текст без кавычек\n" * 300])
def test_a_text_without_dialogue_gives_any_passage(text):
    position, passage = dialogue_passage(text, LENGTH)
    assert LENGTH / 2 <= len(passage) <= LENGTH
    assert text[position:].startswith(passage)


def test_a_short_text_is_given_whole(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("« Oui »,\ndit-il.".encode())
    assert read_dialogue_passage(path) == (0, "« Oui »,\ndit-il.")
