"""Training with a mistake, beside the right network."""

from itertools import islice

import numpy as np
import pytest

from server.course.training import (
    Learner,
    gradient_errors,
    initial_parameters,
    right_reference,
    training_mistakes,
    training_variant,
    wrong_reference,
)
from server.rnn.cells import CELLS
from server.rnn.reference import network
from server.rnn.vocabulary import Vocabulary
from tests.rnn.support import make_trainer
from tests.serving import PAGES

VOCABULARY = Vocabulary.from_text(PAGES)
TEXT = VOCABULARY.encode(PAGES)
CASES = [("rnn", 1), ("gru", 2), ("lstm", 2)]
# The gradients of one sequence are right: the mistake is in the loop around them.
IN_THE_LOOP = {"state_not_carried", "not_clipped"}


def start(cell, layers, hidden_size=6, seed=1):
    return initial_parameters(
        cell=cell,
        layers=layers,
        hidden_size=hidden_size,
        vocabulary_size=len(VOCABULARY),
        seed=seed,
    )


def learner(reference, cell, layers, updates=0, scale=1.0, sequence_length=7):
    parameters = {name: scale * values for name, values in start(cell, layers).items()}
    made = Learner(reference, parameters, TEXT, sequence_length)
    for _ in range(updates):
        made.train()
    return made


def test_the_right_network_starts_and_learns_as_a_run_does():
    trainer = make_trainer(n=500, hidden_size=5, dtype="float64", seed=3, sequence_length=8)
    text = trainer._batches._streams[0]
    parameters = initial_parameters(
        cell="rnn", layers=1, hidden_size=5, vocabulary_size=int(text.max()) + 1, seed=3
    )
    for name, view in trainer.parameters.items():
        np.testing.assert_array_equal(view, parameters[name])
    right = Learner(right_reference("rnn"), parameters, text, 8)
    for _ in range(100):
        assert trainer.update() == pytest.approx(right.train() or right.loss, abs=1e-8)
        assert trainer.smooth_loss == pytest.approx(right.smooth_loss, abs=1e-8)
    assert right.update == 100


@pytest.mark.parametrize(("cell", "layers"), CASES)
def test_each_mistake_changes_the_training(cell, layers):
    names = [mistake.name for mistake in training_mistakes(cell, layers)]
    assert len(names) == len(set(names)) > 25
    assert ("no_gradient_to_lower_layer" in names) == (layers > 1)
    # Large parameters, so that no product vanishes; many steps, so that a gradient is clipped.
    sizes = {"updates": 5, "scale": 25.0, "sequence_length": 45}
    right = learner(right_reference(cell), cell, layers, **sizes)
    for name in names:
        variant = training_variant(cell, name)
        for pairs in variant.lines.values():
            assert all(correct != wrong for correct, wrong in pairs)
        mistaken = wrong_reference(cell, name)
        wrong = learner(mistaken, cell, layers, **sizes)
        same = all(
            np.allclose(values, wrong.parameters[parameter], rtol=1e-9, atol=1e-12)
            for parameter, values in right.parameters.items()
        )
        assert not same, name
        errors = gradient_errors(right, mistaken)
        assert list(errors) == list(right.parameters)
        assert (max(errors.values()) == 0.0) == (name in IN_THE_LOOP), name
        assert all(error <= 2.0 + 1e-12 for error in errors.values()), name
    errors = gradient_errors(right, right_reference(cell))
    assert set(errors.values()) == {0.0}


def test_the_errors_are_those_of_the_next_sequence():
    right = learner(right_reference("rnn"), "rnn", 1, 5)
    errors = gradient_errors(right, wrong_reference("rnn", "sign_flipped"))
    assert set(errors.values()) == {2.0}
    errors = gradient_errors(right, wrong_reference("rnn", "mean_instead_of_sum"))
    assert list(errors.values()) == pytest.approx([1 - 1 / 7] * 5)
    errors = gradient_errors(right, wrong_reference("rnn", "no_recurrent_gradient"))
    assert errors["V"] == errors["c"] == 0.0
    assert min(errors[name] for name in "UWb") > 0.0
    x, y, state = right.sequence()
    assert VOCABULARY.decode(x.argmax(axis=1)) == PAGES[35:42]
    assert VOCABULARY.decode(y.argmax(axis=1)) == PAGES[36:43]
    # The state is carried, so it is not zero.
    assert np.abs(state["h"]).max() > 0.0


def test_both_write_with_the_same_random_numbers():
    right, again = (learner(right_reference("gru"), "gru", 2, 3) for _ in range(2))
    before = right.parameters["V"].copy()
    text = right.write(30, seed=5)
    assert text == again.write(30, seed=5) != right.write(30, seed=6)
    assert len(text) == 30
    np.testing.assert_array_equal(before, right.parameters["V"])
    # Writing does not change the training.
    for each in (right, again):
        each.train()
    assert right.loss == again.loss
    # The probabilities of a single step, over time, are all 1.
    wrong = learner(wrong_reference("rnn", "softmax_over_time"), "rnn", 1, 3)
    assert wrong.write(5, seed=0) is None


def test_the_smooth_loss_is_that_of_the_course():
    parameters = start("lstm", 1)
    copied = {name: values.copy() for name, values in parameters.items()}
    found = Learner(right_reference("lstm"), parameters, TEXT, 25)
    smooth = None
    for loss, _, _ in islice(network.train(CELLS["lstm"].reference, copied, TEXT, 25), 200):
        found.train()
        smooth = loss if smooth is None else 0.999 * smooth + 0.001 * loss
        assert found.smooth_loss == pytest.approx(smooth, abs=1e-9)
    assert parameters["W"] is not found.parameters["W"]
