"""Backpropagation through time by step, against numerical derivatives and the whole sequence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.inspection.unrolled import unroll
from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.reference import network as reference
from tests.rnn.cells.mgu import MGU

EVERY_CELL = [*CELLS, MGU.name]
K, m = 5, 3


@pytest.fixture(autouse=True)
def mgu(monkeypatch):
    monkeypatch.setitem(CELLS, MGU.name, MGU)


def random_network(cell, layers, T, *, dropout=0.0, seed=0):
    """A network with a state, its model, and a sequence; the model shares its arrays."""
    rng = np.random.default_rng(seed)
    network = Network(K, m, T, "float64", cell=cell, layers=layers)
    network.parameters.flat[:] = 0.5 * rng.standard_normal(network.parameters.flat.size)
    for state in network.state.values():
        state[:] = rng.uniform(-1, 1, state.shape)
    if dropout:
        network.draw_masks(rng, dropout)
    text = rng.integers(0, K, T + 1)
    model = Model(
        parameters=dict(network.parameters.items()),
        state={name: view[0] for name, view in network.state.items()},
        next_index=0,
        update=0,
        smooth_loss=None,
        cell=cell,
        layers=layers,
    )
    return network, model, text[:-1], text[1:]


def unrolled(network, model, x, y, **options):
    return unroll(model, x, y, masks=[mask[:, 0] for mask in network.masks], **options)


@settings(deadline=None, max_examples=15)
@given(
    cell=st.sampled_from(EVERY_CELL),
    layers=st.integers(1, 3),
    T=st.integers(1, 9),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 2**32),
)
def test_its_steps_add_up_to_the_networks_gradient(cell, layers, T, dropout, seed):
    network, model, x, y = random_network(cell, layers, T, dropout=dropout, seed=seed)
    found = unrolled(network, model, x, y)
    assert found.losses.sum() == pytest.approx(float(network.forward(x, y)), rel=1e-12)
    assert found.losses == pytest.approx(network.losses, rel=1e-9, abs=1e-12)
    assert found.hidden[-1, -1] == pytest.approx(
        network.last_state[network.architecture.name("h", layers - 1)][0], abs=1e-12
    )
    network.backward()
    for name, gradient in network.gradients.items():
        assert found.sums[name] == pytest.approx(np.linalg.norm(gradient), rel=1e-9, abs=1e-12)
    # A term is the gradient of the losses from its step on, less that of the later losses.
    later = np.zeros_like(network.gradients.flat)
    for t in reversed(range(T)):
        rest, _, _, _ = random_network(cell, layers, T - t, dropout=dropout)
        rest.parameters.flat[:] = network.parameters.flat
        for mask, whole in zip(rest.masks, network.masks, strict=True):
            mask[:] = whole[t:]
        for name, state in states_before(network, x, t).items():
            rest.state[name][0] = state
        rest.forward(x[t:], y[t:])
        rest.backward()
        terms = rest.gradients.like(rest.gradients.flat - later)
        for name, term in terms.items():
            expected = np.linalg.norm(term)
            assert found.contributions[name][t] == pytest.approx(expected, rel=1e-7, abs=1e-12)
        later = rest.gradients.flat.copy()


def states_before(network, x, t):
    """The states before step t, by the reference."""
    before = {name: view[0] for name, view in network.state.items()}
    if t == 0:
        return before
    masks = {f"{layer}": mask[:t, 0] for layer, mask in enumerate(network.masks, start=2)}
    cell, parameters = CELLS[network.architecture.cell].reference, dict(network.parameters.items())
    _, after, _ = reference.forward(cell, parameters, np.eye(K)[x[:t]], before, masks=masks)
    return after


@pytest.mark.parametrize("cell", EVERY_CELL)
@pytest.mark.parametrize(("layers", "dropout"), [(1, 0.0), (2, 0.4)])
def test_its_gradients_are_complex_step_derivatives(cell, layers, dropout):
    """An imaginary number is added to one state of one layer after one step of the reference."""
    T = 4
    network, model, x, y = random_network(cell, layers, T, dropout=dropout, seed=4)
    found = unrolled(network, model, x, y)
    module, one_hot = CELLS[cell].reference, np.eye(K)
    own = reference.split_layers(model.parameters)
    suffixes = list(own)

    def derivative(t, number, symbol, unit, *, later_only):
        states = {s: dict(state) for s, state in reference.split_layers(model.state).items()}
        loss = 0.0
        for step in range(T + 1):
            inputs = one_hot[x[step - 1]]
            for layer, suffix in enumerate(suffixes):
                if step:
                    steps = module.forward(own[suffix], [inputs], states[suffix])
                    states[suffix] = {s: steps[s][0] for s in module.STATES}
                seen = states[suffix]["h"]
                if (step, layer) == (t, number):
                    changed = states[suffix][symbol].astype(complex)
                    changed[unit] += 1e-30j
                    states[suffix][symbol] = changed
                    seen = seen if later_only else changed
                inputs = seen * (
                    network.masks[layer][step - 1, 0] if layer < len(network.masks) else 1
                )
            if step:
                p = reference.softmax(model.parameters["V"] @ seen + model.parameters["c"])
                loss = loss - np.log(p[y[step - 1]])
        return loss.imag / 1e-30

    for t, number, unit in np.ndindex(T + 1, layers, m):
        for symbol, rows in found.from_later.items():
            expected = derivative(t, number, symbol, unit, later_only=True)
            assert rows[number, t, unit] == pytest.approx(expected, rel=1e-9, abs=1e-13)
        if t:
            expected = derivative(t, number, "h", unit, later_only=False)
            assert found.hidden_gradients[number, t - 1, unit] == pytest.approx(
                expected, rel=1e-9, abs=1e-13
            )


def test_later_steps_count_although_they_are_not_split():
    _, model, x, y = random_network("lstm", 2, 9)
    whole, part = unroll(model, x, y), unroll(model, x, y, steps=4)
    assert part.hidden.shape == (2, 5, m)
    assert part.probabilities.shape == (4, K)
    assert np.array_equal(part.losses, whole.losses)
    assert np.array_equal(part.from_later["c"], whole.from_later["c"][:, :5])
    assert np.array_equal(part.hidden_gradients, whole.hidden_gradients[:, :4])
    assert np.array_equal(part.contributions["W1"], whole.contributions["W1"][:4])
