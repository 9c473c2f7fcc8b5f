"""The network against its equations, written one step at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.network import Network


def random_network(K, m, T, seed, dtype):
    rng = np.random.default_rng(seed)
    network = Network(K, m, T, dtype)
    network.parameters.flat[:] = 0.5 * rng.standard_normal(network.parameters.flat.size)
    network.state["h"][:] = rng.uniform(-1, 1, m)
    text = rng.integers(0, K, T + 1)
    return network, text[:-1], text[1:]


def by_the_equations(network, x, y):
    U, W, b, V, c = (network.parameters[name].astype(np.float64) for name in "UWbVc")
    h = network.state["h"][0].astype(np.float64)
    losses = []
    for x_t, y_t in zip(x, y, strict=True):
        h = np.tanh(W @ h + U[:, x_t] + b)
        o = V @ h + c
        p = np.exp(o) / np.exp(o).sum()
        losses.append(-np.log(p[y_t]))
    return np.array(losses), h


sizes = {
    "K": st.integers(1, 20),
    "m": st.integers(1, 20),
    "T": st.integers(1, 40),
    "seed": st.integers(0, 2**32),
}


@given(**sizes)
def test_losses_and_states_follow_the_equations(K, m, T, seed):
    network, x, y = random_network(K, m, T, seed, np.float64)
    losses, h = by_the_equations(network, x, y)
    loss = network.forward(x, y)
    assert network.losses == pytest.approx(losses, abs=1e-9)
    assert loss == pytest.approx(losses.sum(), abs=1e-8)
    assert network.last_state["h"][0] == pytest.approx(h, abs=1e-9)


@given(**sizes)
def test_float32_agrees_with_float64(K, m, T, seed):
    wide, x, y = random_network(K, m, T, seed, np.float64)
    narrow = Network(K, m, T, np.float32)
    narrow.parameters.flat[:] = wide.parameters.flat
    wide.parameters.flat[:] = narrow.parameters.flat
    narrow.state["h"][:] = wide.state["h"]
    wide.state["h"][:] = narrow.state["h"]
    assert float(narrow.forward(x, y)) == pytest.approx(
        float(wide.forward(x, y)), rel=1e-3, abs=1e-4
    )
    narrow.backward()
    wide.backward()
    scale = max(1.0, np.abs(wide.gradients.flat).max())
    # A recurrence with large weights amplifies float32 rounding at every step.
    assert np.abs(narrow.gradients.flat - wide.gradients.flat).max() < 5e-2 * scale


def test_a_second_sequence_is_independent_of_the_first():
    network, x, y = random_network(7, 5, 9, 0, np.float64)
    fresh, _, _ = random_network(7, 5, 9, 0, np.float64)
    network.forward(y, x)
    network.backward()
    assert network.forward(x, y) == fresh.forward(x, y)
    network.backward()
    fresh.backward()
    assert np.array_equal(network.gradients.flat, fresh.gradients.flat)


def test_the_state_is_carried():
    network, x, y = random_network(7, 5, 8, 1, np.float64)
    halves, _, _ = random_network(7, 5, 4, 1, np.float64)
    halves.parameters.flat[:] = network.parameters.flat
    halves.state["h"][:] = network.state["h"]
    whole = network.forward(x, y)
    first = halves.forward(x[:4], y[:4])
    halves.carry()
    assert first + halves.forward(x[4:], y[4:]) == pytest.approx(whole, rel=1e-14)
    assert halves.last_state["h"] == pytest.approx(network.last_state["h"], abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_keep_the_loss_finite(dtype):
    network = Network(3, 2, 4, dtype)
    network.parameters["c"][:] = [0.0, 1e4, -1e4]
    x = np.array([0, 1, 2, 0])
    y = np.array([1, 2, 0, 1])
    assert float(network.forward(x, y)) == pytest.approx(3e4)
    network.backward()
    assert np.isfinite(network.gradients.flat).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_any_integer_type_is_accepted(dtype):
    network, x, y = random_network(7, 5, 9, 3, np.float64)
    expected = network.forward(x, y)
    assert network.forward(x.astype(dtype), y.astype(dtype)) == expected
