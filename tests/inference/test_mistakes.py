"""The training with a mistake that the page shows, as the inference process makes it."""

import math

import numpy as np
import pytest

from server.course.training import Learner, initial_parameters, right_reference, wrong_reference
from server.inference import mistakes
from server.inference.messages import TrainMistake
from server.inference.mistakes import SAMPLES, train_mistake
from server.rnn.reference import network
from server.rnn.vocabulary import Vocabulary
from tests.serving import PAGES


@pytest.fixture
def trained(tmp_path):
    """Return a function that trains; it returns both curves, the samples, and the reply."""
    path = tmp_path / "text.txt"
    path.write_bytes(PAGES.encode())

    def train(**fields):
        sizes = {"layers": 1, "hidden_size": 6, "sequence_length": 9, "seed": 2, "updates": 40}
        parts = []
        command = TrainMistake(corpus_path=str(path), **(sizes | fields))
        reply = train_mistake(command, parts.append)
        curves = {
            side: [loss for part in parts if side in part for loss in part[side]]
            for side in ("right", "wrong")
        }
        progress = [part for part in parts if "update" in part]
        # Each part has the losses of all updates since the one before.
        made = 0
        for part in progress:
            made += len(part["right"])
            assert len(part["right"]) == len(part["wrong"])
            assert part["update"] == made
            assert part["updates_per_second"] > 0
        samples = [part["sample"] for part in parts if "sample" in part]
        return curves, samples, reply

    return train


def by_hand(reference, cell, **sizes):
    vocabulary = Vocabulary.from_text(PAGES)
    parameters = initial_parameters(cell=cell, vocabulary_size=len(vocabulary), **sizes)
    learner = Learner(reference, parameters, vocabulary.encode(PAGES), 9)
    smooth = []
    for _ in range(40):
        learner.train()
        smooth.append(learner.smooth_loss)
    return smooth, vocabulary.decode(np.array(learner.write(200, seed=40)))


@pytest.mark.parametrize(
    ("cell", "layers", "mistake"),
    [("rnn", 1, "recurrent_not_transposed"), ("lstm", 2, "no_gradient_to_lower_layer")],
)
def test_both_curves_have_every_update(trained, cell, layers, mistake):
    curves, samples, reply = trained(cell=cell, layers=layers, mistake=mistake)
    assert reply["updates"] == 40
    sizes = {"cell": cell, "layers": layers, "hidden_size": 6, "seed": 2}
    right, writes = by_hand(right_reference(cell), **sizes)
    wrong, writes_wrong = by_hand(wrong_reference(cell, mistake), **sizes)
    assert (curves["right"], curves["wrong"]) == (right, wrong)
    assert right[0] == wrong[0]
    assert right != wrong
    assert [sample["update"] for sample in samples] == list(range(4, 41, 40 // SAMPLES))
    assert (samples[-1]["right"], samples[-1]["wrong"]) == (writes, writes_wrong)
    last = "" if layers == 1 else "2"
    assert samples[-1]["gradient_errors"]["V"] == 0.0
    assert (samples[-1]["gradient_errors"][f"W{last}"] == 0.0) == (layers == 2)
    assert samples[-1]["gradient_errors"]["U1" if layers == 2 else "U"] > 0.0


def test_a_loss_that_is_not_finite_is_none_from_there_on(trained, monkeypatch):
    class Growing(Learner):
        def train(self):
            super().train()
            assert self.update < 11 or self._right
            if self.update == 10 and not self._right:
                self.smooth_loss = self.loss = math.inf

        @property
        def _right(self):
            return self.reference.network is network

    monkeypatch.setattr(mistakes, "Learner", Growing)
    curves, samples, _ = trained(cell="rnn", mistake="sign_flipped")
    assert all(math.isfinite(loss) for loss in curves["right"] + curves["wrong"][:9])
    # It is not trained any further.
    assert curves["wrong"][9:] == [None] * 31
    assert len(samples) == SAMPLES
