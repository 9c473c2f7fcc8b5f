"""The reference against the network that trains, and against numerical derivatives of itself."""

import ast
import inspect
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.network import Network
from server.rnn.reference import gru, lstm, network, vanilla
from tests.rnn.cells import mgu_reference
from tests.rnn.support import make_trainer

MODULES = [vanilla, gru, lstm, mgu_reference]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_both_learn_the_same_for_hundreds_of_updates(cell, layers):
    trainer = make_trainer(n=500, cell=cell, layers=layers, dtype="float64", init_scale=0.3)
    text = trainer._batches._streams[0]
    parameters = {name: view.copy() for name, view in trainer.parameters.items()}
    updates = network.train(CELLS[cell].reference, parameters, text, 8)
    for loss, state, position in islice(updates, 300):
        assert trainer.update() == pytest.approx(loss, abs=1e-8)
        assert trainer._batches.position == position
        for name, view in trainer._network.state.items():
            assert view[0] == pytest.approx(state[name], abs=1e-8)
        for name, view in trainer.parameters.items():
            np.testing.assert_allclose(view, parameters[name], rtol=0, atol=1e-8)
    assert trainer.epoch > 4
    assert np.abs(parameters["c"]).max() > 0.1


@given(
    cell=st.sampled_from(list(CELLS)),
    layers=st.integers(1, 3),
    T=st.integers(1, 9),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 2**32),
)
def test_its_gradients_are_those_of_the_network(cell, layers, T, dropout, seed):
    rng = np.random.default_rng(seed)
    fast = Network(6, 5, T, "float64", cell=cell, layers=layers)
    fast.parameters.flat[:] = 0.5 * rng.standard_normal(fast.parameters.flat.size)
    for view in fast.state.values():
        view[:] = rng.uniform(-1, 1, view.shape)
    if dropout:
        fast.draw_masks(rng, dropout)
    masks = {f"{layer}": mask[:, 0] for layer, mask in enumerate(fast.masks, start=2)}
    text = rng.integers(0, 6, T + 1)
    module, parameters = CELLS[cell].reference, dict(fast.parameters.items())
    x, y = np.eye(6)[text[:-1]], np.eye(6)[text[1:]]
    state = {name: view[0].copy() for name, view in fast.state.items()}
    p, _, steps = network.forward(module, parameters, x, state, masks=masks)
    gradients = network.backward(module, parameters, steps, p, y, masks=masks)
    assert fast.forward(text[:-1], text[1:]) == pytest.approx(sum(network.losses(p, y)), rel=1e-12)
    fast.backward()
    assert list(gradients) == list(fast.gradients)
    for name, view in fast.gradients.items():
        np.testing.assert_allclose(view, gradients[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("module", MODULES)
def test_a_layers_gradients_are_its_complex_step_derivatives(module):
    """Of the states' product with fixed vectors, so that every step's gradient differs."""
    rng = np.random.default_rng(3)
    gates = {vanilla: 1, gru: 3, lstm: 4, mgu_reference: 2}[module]
    shapes = {"U": (gates * 4, 3), "W": (gates * 4, 4), "b": (gates * 4,), "d": (4,)}
    p = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    state = {symbol: rng.standard_normal(4) for symbol in module.STATES}
    x, e = rng.standard_normal((5, 3)), list(rng.standard_normal((5, 4)))
    steps = module.forward(p, x, state)
    gradients, dx = module.backward(p, steps, e)
    # Only a GRU has d.
    assert set(gradients) == ({"U", "W", "b", "d"} if module is gru else {"U", "W", "b"})

    def derivative(name, index):
        changed = {key: array.astype(complex) for key, array in (p | {"x": x}).items()}
        changed[name][index] += 1e-30j
        h = module.forward(changed, changed["x"], state)["h"]
        return sum(h[t] @ e[t] for t in range(5)).imag / 1e-30

    for name, found in (gradients | {"x": np.array(dx)}).items():
        for index in np.ndindex(found.shape):
            assert found[index] == pytest.approx(derivative(name, index), rel=1e-10, abs=1e-13)


def test_samples_are_drawn_from_the_probabilities():
    trainer = make_trainer(K=3, dtype="float64")
    parameters = dict(trainer.parameters.items())
    state = network.zero_state(vanilla, parameters)
    parameters["c"][:] = np.log([0.7, 0.2, 0.1])
    for name in "UWV":
        parameters[name][:] = 0.0
    text = network.sample(vanilla, parameters, state, 0, n=3000, rng=np.random.default_rng(1))
    assert np.bincount(text, minlength=3) / 3000 == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


@pytest.mark.parametrize("module", [network, vanilla, gru, lstm])
def test_it_imports_numpy_and_the_standard_library_alone(module):
    imports = [
        n for n in ast.walk(ast.parse(inspect.getsource(module))) if "Import" in str(type(n))
    ]
    names = {getattr(n, "module", None) or n.names[0].name for n in imports}
    assert names <= {"numpy", "typing", "types", "collections.abc"}
