"""Gradients through time against the complex step of the reference, in float64."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.gradient_check.perturbation import Matrix
from server.rnn.gradient_check.random_network import make_random_network
from server.rnn.inspection.time_gradients import gradient_by_lag, saliency
from server.rnn.model import Model
from server.rnn.reference import network as reference
from tests.rnn.cells.mgu import MGU

STEP = 1e-30
SIZES = {
    "cell": st.sampled_from([*CELLS, MGU.name]),
    "layers": st.integers(1, 3),
    "hidden_size": st.integers(1, 6),
    "vocabulary_size": st.integers(1, 12),
    "length": st.integers(2, 9),
    "seed": st.integers(0, 2**32),
}


@pytest.fixture(autouse=True, scope="module")
def mgu():
    with patch.dict(CELLS, {MGU.name: MGU}):
        yield


def model_and_text(*, length, cell="rnn", dtype="f8", **sizes):
    random = make_random_network(
        cell=cell,
        dtype=dtype,
        sequence_length=length,
        carried_state=True,
        dropout=0.0,
        batch_size=1,
        text=None,
        **sizes,
    )
    model = Model(
        parameters=dict(random.network.parameters.items()),
        state={name: view[0] for name, view in random.state.items()},
        next_index=0,
        update=0,
        smooth_loss=None,
        cell=cell,
        layers=sizes["layers"],
    )
    return model, np.append(random.x, random.y[-1])


def read(model, x, *, changed=None):
    """Return the logits; `changed` is a layer, a step, a symbol, and what is added to the state."""
    cell = CELLS[model.cell].reference
    matrices = {n: Matrix(p) if p.ndim == 2 else p for n, p in model.parameters.items()}
    states, inputs = reference.split_layers(model.state), list(x)
    for number, (layer, own) in enumerate(reference.split_layers(matrices).items()):
        if changed is None or changed[0] != number:
            steps = cell.forward(own, inputs, states[layer])
            inputs = [steps["h"][t] for t in range(len(x))]
            continue
        _, step, symbol, added = changed
        steps = cell.forward(own, inputs[: step + 1], states[layer])
        state = {s: steps[s][step] for s in cell.STATES}
        state[symbol] = state[symbol] + added
        later = cell.forward(own, inputs[step + 1 :], state)
        inputs = [
            *(steps["h"][t] for t in range(step)),
            state["h"],
            *(later["h"][t] for t in range(len(x) - step - 1)),
        ]
    return [matrices["V"] @ h + model.parameters["c"] for h in inputs]


@given(**SIZES)
def test_saliency_agrees_with_the_complex_step(length, **sizes):
    model, text = model_and_text(length=length, **sizes)
    one_hot = np.eye(model.vocabulary_size)
    expected = np.zeros((length + 1, length + 1))
    for j in range(length):
        x = list(one_hot[text[:-1]])
        x[j] = x[j] + 1j * STEP * one_hot
        for t, o in enumerate(read(model, x)):
            if t >= j:
                expected[t + 1, j] = np.linalg.norm(o[:, text[t + 1]].imag / STEP)
    found = saliency(model, text, state=model.state)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


@given(losses=st.integers(1, 4), **SIZES)
def test_gradient_by_lag_agrees_with_the_complex_step(length, losses, **sizes):
    model, text = model_and_text(length=length, **sizes)
    losses = min(losses, length)
    one_hot = np.eye(model.vocabulary_size)
    symbols = CELLS[model.cell].states
    lags = length - losses + 1
    expected = {symbol: np.zeros((model.layers, losses, lags)) for symbol in symbols}
    change = 1j * STEP * np.eye(model.hidden_size)
    for symbol in symbols:
        for layer in range(model.layers):
            for j in range(length):
                logits = read(model, one_hot[text[:-1]], changed=(layer, j, symbol, change))
                for loss in range(losses):
                    end = length - losses + loss
                    if 0 <= end - j < lags:
                        p = reference.softmax(logits[end])
                        of_units = -np.log(p @ one_hot[text[end + 1]]).imag / STEP
                        norm = np.sqrt(np.square(of_units).sum())
                        expected[symbol][layer, loss, end - j] = norm
    found = gradient_by_lag(model, text, losses=losses, state=model.state)
    assert set(found) == set(symbols)
    for symbol in symbols:
        np.testing.assert_allclose(found[symbol], expected[symbol], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_float32_agrees_with_float64(cell):
    sizes = {"layers": 2, "hidden_size": 20, "vocabulary_size": 30, "length": 50, "seed": 1}
    model, text = model_and_text(cell=cell, **sizes)
    single, _ = model_and_text(cell=cell, dtype="f4", **sizes)
    found, expected = saliency(single, text), saliency(model, text)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_a_text_of_one_character_depends_on_nothing():
    model, text = model_and_text(layers=1, hidden_size=3, vocabulary_size=4, length=2, seed=0)
    assert saliency(model, text[:1]).tolist() == [[0.0]]


@pytest.mark.parametrize("index", [-1, 4])
def test_an_unknown_index_is_refused(index):
    model, _ = model_and_text(layers=1, hidden_size=3, vocabulary_size=4, length=2, seed=0)
    with pytest.raises(ValueError, match="not in the vocabulary"):
        saliency(model, np.array([0, index, 1]))
