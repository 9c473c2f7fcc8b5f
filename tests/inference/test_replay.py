"""Replays depend only on what the network has learned, and need its snapshot."""

from dataclasses import replace

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import model_contents, new_trainer
from server.checkpoints.npz import write_archive
from server.inference.generator import TextGenerator
from server.inference.messages import MeasureSample
from server.inference.replay import opening, replay
from server.rnn.sampling.sampling import generate
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from tests.serving import NOVEL, ROOT

TEXT = "a lamp\nand a sea\n" * 20
BEGINNING = TEXT[:204]
VOCABULARY = Vocabulary.from_text(TEXT)
CELLS = [{}, {"cell": "gru"}, {"cell": "lstm", "layers": 2}]


def trained(changes, updates):
    spec = RunSpec().model_dump() | {"hidden_size": 6, "sequence_length": 8, **changes}
    trainer = new_trainer(VOCABULARY.encode(TEXT), VOCABULARY, spec)
    for _ in range(updates):
        trainer.update()
    return trainer, spec


@pytest.mark.parametrize("changes", CELLS, ids=str)
def test_a_replay_does_not_depend_on_the_position_in_the_text(changes):
    trainer, _ = trained(changes, 5)
    model = trainer.current_model()
    text = replay(model, VOCABULARY, BEGINNING, 80)
    assert len(text) == 80
    for state in model.state.values():
        state[:] = np.random.default_rng(0).normal(size=state.shape)
    assert replay(model, VOCABULARY, BEGINNING, 80) == text


def test_a_huge_network_writes_a_shorter_replay():
    trainer, _ = trained({}, 1)
    model = trainer.current_model()
    whole = replay(model, VOCABULARY, BEGINNING, 80)
    a_character = sum(array.size for array in model.parameters.values() if array.ndim == 2)
    assert replay(model, VOCABULARY, BEGINNING, 80, max_products=30 * a_character) == whole[:30]


def test_a_replay_needs_the_carried_state():
    # At this update, the demo's network with this seed writes hardly a letter from a zero state.
    book = ROOT / "data" / "corpora" / "the-lamps-of-saltmere.txt"
    text = NOVEL
    vocabulary = Vocabulary.from_text(text)
    trainer = new_trainer(vocabulary.encode(text), vocabulary, RunSpec(seed=5).model_dump())
    for _ in range(500):
        trainer.update()
    model = trainer.current_model()
    written = replay(model, vocabulary, opening(book, 10_000), 100)
    assert sum(character.islower() for character in written) > 60
    prime = vocabulary.encode(opening(book, 10_000))
    zero = {name: np.zeros_like(view) for name, view in model.state.items()}
    lost = vocabulary.decode(generate(replace(model, state=zero), 100, seed=0, prime=prime))
    assert sum(character.islower() for character in lost) < 20


def test_the_opening_ends_with_a_line(tmp_path):
    book = tmp_path / "book.txt"
    book.write_bytes(("é" * 150 + "\n" + "è" * 100 + "\n" + "a" * 500).encode())
    assert opening(book, 10_000) == "é" * 150 + "\n" + "è" * 100 + "\n"
    book.write_bytes(b"A title\n" + b"ab" * 400)
    assert opening(book, 10_000) == "A title\n" + "ab" * 296
    # What is held out is not read.
    assert opening(book, 20) == "A title\n" + "ab" * 6


def test_there_is_no_replay_without_the_network_of_that_update(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(TEXT)
    trainer, spec = trained({}, 5)
    write_archive(tmp_path / "5.npz", *model_contents(trainer.current_model(), VOCABULARY, spec))
    (tmp_path / "6.npz").write_bytes(b"half a file")
    inference = TextGenerator()

    def written(name, update):
        command = MeasureSample(
            corpus_path=str(book),
            text="a lamp",
            watched=["lamp"],
            snapshot=str(tmp_path / name),
            update=update,
            length=30,
            characters_to_learn=len(TEXT),
        )
        answer = inference.reply(command, lambda _: None)
        assert answer["found"] == ["lamp"]
        return answer["replay"]

    assert len(written("5.npz", 5)["text"]) == 30
    assert written("5.npz", 4) is None
    assert written("6.npz", 6) is None
    assert written("7.npz", 7) is None
