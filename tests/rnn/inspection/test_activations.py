"""Activations and logits against the reference, for every cell."""

import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.inspection.activations import STEPS_AT_ONCE, read_activations
from server.rnn.reference import network as reference
from tests.rnn.support import make_trainer

K = 7


def trained(**changes):
    trainer = make_trainer(K=K, **changes)
    for _ in range(30):
        trainer.update()
    return trainer.current_model()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "carried"), [(1, True), (3, False)])
def test_activations_follow_the_definitions(cell, layers, carried):
    model = trained(cell=cell, layers=layers, dtype="float64")
    # Longer than what is read at once, and not a multiple of it.
    texts = np.random.default_rng(1).integers(0, K, (2, STEPS_AT_ONCE + 9))
    found = read_activations(model, texts, carried=carried)
    m = model.hidden_size
    assert found.hidden.shape == (layers, 2, texts.shape[1], m)
    zero = {name: np.zeros(m) for name in model.state}
    state = model.state if carried else zero
    for b, text in enumerate(texts):
        p, _, steps = reference.forward(
            CELLS[cell].reference, model.parameters, np.eye(K)[text], state
        )
        for number, layer in enumerate(steps.values()):
            h = np.array([layer["h"][t] for t in range(len(text))])
            np.testing.assert_allclose(found.hidden[number, b], h, atol=1e-12)
        np.testing.assert_allclose(reference.softmax(found.logits[b]), p, atol=1e-12)
    assert read_activations(model, texts, logits=False).logits is None


@pytest.mark.parametrize("texts", [[[]], [[0, K]], [[-1]]])
def test_a_text_that_cannot_be_read_is_refused(texts):
    with pytest.raises(ValueError, match="not in the vocabulary"):
        read_activations(trained(), np.array(texts, dtype=int))
