"""The compiled loops against NumPy, and the choice between them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.backend import selection
from server.rnn.network import Network
from server.rnn.optimizers import BLOCK, make_optimizer
from tests.rnn.support import bytes_of, make_trainer

needs_numba = pytest.mark.skipif(
    selection.load_numba() is None, reason="Numba, the extra `fast`, is not installed"
)
ROUNDING = float(np.finfo(np.float32).eps)


@pytest.fixture
def without_numba(monkeypatch):
    """Simulate a Python without Numba."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "server.rnn.backend.numba_kernels", raising=False)
    selection.load_numba.cache_clear()
    yield
    selection.load_numba.cache_clear()


def both_networks(K, m, T, seed):
    rng = np.random.default_rng(seed)
    by_numpy, by_numba = Network(K, m, T), Network(K, m, T)
    # Small enough that the recurrence does not amplify rounding.
    flat = rng.standard_normal(by_numpy.parameters.flat.size) / (2 * np.sqrt(max(m, K)))
    state = rng.uniform(-1, 1, m)
    for network in (by_numpy, by_numba):
        network.parameters.flat[:] = flat
        network.state["h"][:] = state
    by_numba.set_kernel(selection.load_numba())
    text = rng.integers(0, K, T + 1)
    return by_numpy, by_numba, text[:-1], text[1:]


@needs_numba
@settings(deadline=None)
@given(K=st.integers(1, 40), m=st.integers(1, 70), T=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_losses_states_and_gradients_are_equal_up_to_rounding(K, m, T, seed):
    by_numpy, by_numba, x, y = both_networks(K, m, T, seed)
    expected = float(by_numpy.forward(x, y))
    assert float(by_numba.forward(x, y)) == pytest.approx(expected, rel=50 * ROUNDING, abs=1e-5)
    states = by_numpy.last_state["h"], by_numba.last_state["h"]
    assert np.abs(states[0] - states[1]).max() < 50 * ROUNDING
    by_numpy.backward()
    by_numba.backward()
    errors = np.abs(by_numpy.gradients.flat - by_numba.gradients.flat)
    assert errors.max() < 200 * ROUNDING * max(1.0, np.abs(by_numpy.gradients.flat).max())


@needs_numba
@pytest.mark.parametrize("size", [1, 1000, 2 * BLOCK + 7])
def test_adagrad_is_equal_up_to_rounding(size):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(size).astype(np.float32)
    parameters, gradients = [start.copy(), start.copy()], np.empty_like(start)
    by_numpy, by_numba = (make_optimizer("adagrad", p, gradients) for p in parameters)
    by_numba.set_kernel(selection.load_numba())
    for _ in range(20):
        gradients[:] = 10.0 * rng.standard_normal(size)
        gradients[::3] = 0.0
        by_numpy.step(0.1)
        by_numba.step(0.1)
    assert by_numpy.steps == by_numba.steps == 20
    assert np.abs(parameters[0] - parameters[1]).max() < 50 * ROUNDING
    memories = by_numpy.state["memory"], by_numba.state["memory"]
    assert np.allclose(*memories, rtol=10 * ROUNDING, atol=0.0)


@needs_numba
@pytest.mark.parametrize("name", ["U", "W", "b"])
def test_nan_and_infinity_propagate(name):
    _, by_numba, x, y = both_networks(5, 20, 9, 0)
    by_numba.parameters[name][...] = np.nan
    with np.errstate(all="ignore"):
        assert np.isnan(by_numba.forward(x, y))
    assert np.isnan(by_numba.last_state["h"]).all()


@needs_numba
@pytest.mark.parametrize("a", [0.0, 1e-30, 1e-4, 0.3, 1.0, 5.0, 7.9, 7.91, 30.0, 3e38])
def test_tanh_agrees_with_numpy(a):
    by_numba = both_networks(1, 1, 1, 0)[1]
    for sign in (1.0, -1.0):
        by_numba.parameters.flat[:] = 0.0
        by_numba.parameters["b"][0] = sign * a
        by_numba.forward(np.array([0]), np.array([0]))
        expected = np.tanh(np.float64(by_numba.parameters["b"][0]))
        assert by_numba.last_state["h"].item() == pytest.approx(expected, rel=4 * ROUNDING, abs=0)
        assert abs(by_numba.last_state["h"].item()) <= 1.0


def kernel_of(trainer):
    return trainer.state()[1]["kernel"]


@needs_numba
@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        ({}, "numba"),
        ({"optimizer": "adam"}, "numba"),
        ({"dtype": "float64"}, "numpy"),
        ({"cell": "gru"}, "numpy"),
        ({"layers": 2}, "numpy"),
        ({"batch_size": 2}, "numpy"),
    ],
    ids=str,
)
def test_the_kernel_is_chosen_at_the_first_update(changes, kernel):
    trainer = make_trainer(**changes)
    trainer.sample(10)
    assert kernel_of(trainer) is None
    trainer.update()
    assert kernel_of(trainer) == kernel


@needs_numba
@pytest.mark.parametrize("kernel", ["numpy", "numba"])
def test_a_restored_trainer_uses_the_saved_kernel(kernel):
    undisturbed, stopped, resumed, elsewhere = (make_trainer() for _ in range(4))
    for trainer in (undisturbed, stopped):
        trainer.restore(*with_kernel(stopped.state(), kernel))
        for _ in range(9):
            trainer.update()
    resumed.restore(*stopped.state())
    for _ in range(30):
        assert undisturbed.update() == resumed.update()
    assert kernel_of(resumed) == kernel
    assert bytes_of(undisturbed) == bytes_of(resumed)
    other = {"numpy": "numba", "numba": "numpy"}[kernel]
    elsewhere.restore(*with_kernel(stopped.state(), other))
    for _ in range(30):
        elsewhere.update()
    assert elsewhere.loss == pytest.approx(resumed.loss, rel=1e-3)
    assert bytes_of(elsewhere)[0] != bytes_of(resumed)[0]


def with_kernel(state, kernel):
    arrays, scalars = state
    return arrays, scalars | {"kernel": kernel}


def test_without_numba_the_kernel_is_numpy(without_numba):
    trainer = make_trainer()
    trainer.update()
    assert kernel_of(trainer) == "numpy"


def test_a_state_saved_with_numba_resumes_without_it(without_numba):
    source, trainer = make_trainer(), make_trainer()
    for _ in range(5):
        source.update()
    trainer.restore(*with_kernel(source.state(), "numba"))
    assert trainer.update() == source.update()
    assert kernel_of(trainer) == "numpy"


def test_sampling_does_not_import_numba():
    code = (
        "import sys; from tests.rnn.support import make_trainer;"
        "t = make_trainer(); t.sample(20); t.current_model(); t.restore(*t.state());"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
