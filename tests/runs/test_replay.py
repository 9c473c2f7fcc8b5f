"""What is written with the same random numbers, and when nothing can be."""

import numpy as np
import pytest

from server.rnn.vocabulary import Vocabulary
from server.runs.archive import write_archive
from server.runs.checkpoints import model_contents, new_trainer
from server.runs.replay import beginning, replay
from server.runs.scribe import Scribe
from server.runs.spec import RunSpec

TEXT = "a lamp\nand a sea\n" * 20
VOCABULARY = Vocabulary.from_text(TEXT)
CELLS = [{}, {"cell": "gru"}, {"cell": "lstm", "layers": 2}]


def trained(changes, updates):
    spec = RunSpec().model_dump() | {"hidden_size": 6, "sequence_length": 8, **changes}
    trainer = new_trainer(VOCABULARY.encode(TEXT), VOCABULARY, spec)
    for _ in range(updates):
        trainer.update()
    return trainer, spec


@pytest.mark.parametrize("changes", CELLS, ids=str)
def test_the_place_in_the_book_has_no_part_in_it(changes):
    trainer, _ = trained(changes, 5)
    model = trainer.current_model()
    text = replay(model, VOCABULARY, 80)
    assert len(text) == 80
    for state in model.state.values():
        state[:] = np.random.default_rng(0).normal(size=state.shape)
    assert replay(model, VOCABULARY, 80) == text


def test_a_huge_network_writes_less():
    trainer, _ = trained({}, 1)
    model = trainer.current_model()
    whole = replay(model, VOCABULARY, 80)
    a_character = sum(array.size for array in model.parameters.values() if array.ndim == 2)
    assert replay(model, VOCABULARY, 80, most_products=30 * a_character) == whole[:30]


def test_it_begins_after_a_line_or_with_what_there_is():
    assert beginning(VOCABULARY) == "\n"
    assert beginning(Vocabulary("abc")) == "a"


def test_without_the_network_of_that_update_there_is_none(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(TEXT)
    trainer, spec = trained({}, 5)
    write_archive(tmp_path / "5.npz", *model_contents(trainer.current_model(), VOCABULARY, spec))
    (tmp_path / "6.npz").write_bytes(b"half a file")
    scribe = Scribe()

    def written(name, update):
        command = {
            "do": "measure",
            "corpus_path": str(book),
            "text": "a lamp",
            "watched": ["lamp"],
            "snapshot": str(tmp_path / name),
            "update": update,
            "length": 30,
        }
        answer = scribe.answer(command, lambda _: None)
        assert answer["found"] == ["lamp"]
        return answer["replay"]

    assert len(written("5.npz", 5)["text"]) == 30
    assert written("5.npz", 4) is None
    assert written("6.npz", 6) is None
    assert written("7.npz", 7) is None
