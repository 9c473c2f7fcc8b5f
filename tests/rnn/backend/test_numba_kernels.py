"""The compiled loops against NumPy, and the choice between them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.backend import selection
from server.rnn.backend.selection import NUMBA
from server.rnn.cells import CELLS
from server.rnn.network import Network
from server.rnn.optimizers import BLOCK, make_optimizer
from server.rnn.optimizers.clipping import norm_and_clipped_share
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


def both_networks(K, m, T, seed, cell="rnn"):
    rng = np.random.default_rng(seed)
    by_numpy, by_numba = (Network(K, m, T, cell=cell) for _ in range(2))
    # Small enough that the recurrence does not amplify rounding.
    flat = rng.standard_normal(by_numpy.parameters.flat.size) / (2 * np.sqrt(max(m, K)))
    state = rng.uniform(-1, 1, (2, m))
    for network in (by_numpy, by_numba):
        network.parameters.flat[:] = flat
        for view, numbers in zip(network.state.values(), state, strict=False):
            view[:] = numbers
    by_numba.set_kernel(selection.load_numba())
    text = rng.integers(0, K, T + 1)
    return by_numpy, by_numba, text[:-1], text[1:]


@needs_numba
@pytest.mark.parametrize("cell", CELLS)
@given(K=st.integers(1, 40), m=st.integers(1, 70), T=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_losses_states_and_gradients_are_equal_up_to_rounding(cell, K, m, T, seed):
    by_numpy, by_numba, x, y = both_networks(K, m, T, seed, cell)
    expected = float(by_numpy.forward(x, y))
    assert float(by_numba.forward(x, y)) == pytest.approx(expected, rel=50 * ROUNDING, abs=1e-5)
    assert by_numba.losses == pytest.approx(by_numpy.losses, rel=50 * ROUNDING, abs=1e-5)
    for name, state in by_numpy.last_state.items():
        assert np.abs(state - by_numba.last_state[name]).max() < 50 * ROUNDING
    by_numpy.backward()
    by_numba.backward()
    errors = np.abs(by_numpy.gradients.flat - by_numba.gradients.flat)
    assert errors.max() < 200 * ROUNDING * max(1.0, np.abs(by_numpy.gradients.flat).max())


@needs_numba
@given(
    K=st.integers(1, 40),
    T=st.integers(1, 9),
    greatest=st.floats(-1e4, 1e4, width=32),
    spread=st.floats(0, 200, width=32),
    seed=st.integers(0, 2**32),
)
def test_softmax_agrees_with_float64(K, T, greatest, spread, seed):
    rng = np.random.default_rng(seed)
    o = (greatest - spread * rng.random((T, K))).astype(np.float32)
    y, likeliest, losses = rng.integers(0, K, T), np.zeros(T, np.intp), np.zeros(T, np.float32)
    wide = o.astype(np.float64)
    wide -= wide.max(1, keepdims=True)
    p = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    target = np.arange(T), y
    expected = np.log(np.exp(wide).sum(1)) - wide[target]
    argmax = o.argmax(1)
    loss = selection.load_numba().softmax(o, y, likeliest, losses)
    assert np.array_equal(likeliest, argmax)
    assert losses == pytest.approx(expected, rel=4 * ROUNDING, abs=1e-6)
    assert loss == pytest.approx(expected.sum(), rel=10 * ROUNDING, abs=1e-5)
    p[target] -= 1.0
    assert np.abs(o - p).max() < 4 * ROUNDING


@needs_numba
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_the_loss_of_odd_logits_is_that_of_numpy(odd):
    losses = {}
    for network in both_networks(5, 4, 3, 0)[:2]:
        network.parameters["c"][2] = odd
        with np.errstate(all="ignore"):
            network.forward(np.array([0, 1, 2]), np.array([1, 2, 3]))
        losses[network] = network.losses
    assert np.array_equal(*(np.isfinite(values) for values in losses.values()))


@needs_numba
def test_the_gradient_of_a_row_that_was_not_read_is_zero():
    by_numpy, by_numba, _, y = both_networks(9, 5, 4, 0)
    for x in ([0, 1, 2, 1], [5, 5, 5, 5]):
        for network in (by_numpy, by_numba):
            network.forward(np.array(x), y)
            network.backward()
        read = np.isin(np.arange(9), x)
        assert np.array_equal(by_numba.gradients["U"].any(0), read)
    assert np.allclose(by_numba.gradients.flat, by_numpy.gradients.flat, atol=1e-6)


@needs_numba
@pytest.mark.parametrize("cell", CELLS)
def test_numpy_takes_over_from_the_compiled_loops(cell):
    by_numpy, other, x, y = both_networks(9, 5, 4, 0, cell)
    other.forward(y, x)
    other.backward()
    other.set_kernel(None)
    assert other.forward(x, y) == by_numpy.forward(x, y)
    other.backward()
    by_numpy.backward()
    assert np.array_equal(other.gradients.flat, by_numpy.gradients.flat)
    assert np.array_equal(other.likeliest, by_numpy.likeliest)


@needs_numba
@pytest.mark.parametrize("size", [1, 1000, 2 * BLOCK + 7])
@pytest.mark.parametrize("limit", [np.inf, 5.0])
def test_clipping_and_adagrad_are_equal_up_to_rounding(size, limit):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(size).astype(np.float32)
    parameters, gradients = [start.copy(), start.copy()], np.empty_like(start)
    by_numpy, by_numba = (make_optimizer("adagrad", p, gradients) for p in parameters)
    by_numba.set_kernel(selection.load_numba())
    by_numpy.limit = by_numba.limit = limit
    for _ in range(20):
        start[:] = 10.0 * rng.standard_normal(size)
        start[::3] = 0.0
        gradients[:] = start
        by_numpy.step(0.1)
        clipped = gradients.copy()
        gradients[:] = start
        by_numba.step(0.1)
        assert np.array_equal(gradients, clipped)
    assert by_numpy.steps == by_numba.steps == 20
    assert np.abs(parameters[0] - parameters[1]).max() < 50 * ROUNDING
    memories = by_numpy.state["memory"], by_numba.state["memory"]
    assert np.allclose(*memories, rtol=10 * ROUNDING, atol=0.0)


@needs_numba
@pytest.mark.parametrize("g", [1e30, np.inf, -np.inf, np.nan])
def test_odd_gradients_have_the_same_effect_on_adagrad_as_in_numpy(g):
    results = []
    for kernel in (None, selection.load_numba()):
        parameters, gradients = np.ones((2, 40), np.float32)
        optimizer = make_optimizer("adagrad", parameters, gradients)
        optimizer.set_kernel(kernel)
        for value in (g, 1.0):
            gradients[:] = value
            with np.errstate(all="ignore"):
                optimizer.step(0.1)
        results.append(parameters)
    assert np.allclose(*results, rtol=1e-6, equal_nan=True)


@needs_numba
@pytest.mark.parametrize("mode", ["value", "norm"])
@pytest.mark.parametrize("limit", [None, 2.0, 100.0])
@pytest.mark.parametrize("first", [0.0, 1e30, np.inf, np.nan])
def test_the_norm_and_the_clipped_share_agree_with_numpy(first, limit, mode):
    gradients = np.random.default_rng(0).standard_normal(1001).astype(np.float32)
    gradients[0] = first
    with np.errstate(all="ignore"):
        expected = norm_and_clipped_share(gradients, limit, mode)
    found = norm_and_clipped_share(gradients, limit, mode, selection.load_numba())
    assert found == pytest.approx(expected, rel=10 * ROUNDING, nan_ok=True)


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
        ({}, NUMBA),
        ({"optimizer": "adam"}, NUMBA),
        ({"dtype": "float64"}, "numpy"),
        ({"cell": "gru"}, NUMBA),
        ({"cell": "lstm"}, NUMBA),
        ({"cell": "gru", "batch_size": 2}, "numpy"),
        ({"cell": "lstm", "layers": 2}, "numpy"),
        ({"layers": 2}, "numpy"),
        ({"batch_size": 2}, "numpy"),
    ],
    ids=str,
)
def test_the_kernel_is_chosen_at_the_first_update(changes, kernel, monkeypatch):
    monkeypatch.setattr(selection, "_small_products_are_fast", lambda: False)
    trainer = make_trainer(**changes)
    trainer.sample(10)
    assert kernel_of(trainer) is None
    trainer.update()
    assert kernel_of(trainer) == kernel


@needs_numba
def test_a_state_of_an_earlier_version_continues_with_these_loops():
    source, trainer = make_trainer(), make_trainer()
    for _ in range(5):
        source.update()
    trainer.restore(*with_kernel(source.state(), "numba"))
    assert trainer.update() == source.update()
    assert kernel_of(trainer) == NUMBA


@needs_numba
@pytest.mark.parametrize("kernel", ["numpy", NUMBA])
@pytest.mark.parametrize("cell", CELLS)
def test_a_restored_trainer_uses_the_saved_kernel(cell, kernel):
    undisturbed, stopped, resumed, elsewhere = (make_trainer(cell=cell) for _ in range(4))
    for trainer in (undisturbed, stopped):
        trainer.restore(*with_kernel(stopped.state(), kernel))
        for _ in range(9):
            trainer.update()
    resumed.restore(*stopped.state())
    for _ in range(30):
        assert undisturbed.update() == resumed.update()
    assert kernel_of(resumed) == kernel
    assert bytes_of(undisturbed) == bytes_of(resumed)
    other = "numpy" if kernel == NUMBA else NUMBA
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


@pytest.mark.parametrize("kernel", ["numba", NUMBA])
def test_a_state_saved_with_numba_resumes_without_it(without_numba, kernel):
    source, trainer = make_trainer(), make_trainer()
    for _ in range(5):
        source.update()
    trainer.restore(*with_kernel(source.state(), kernel))
    assert trainer.update() == source.update()
    assert kernel_of(trainer) == "numpy"


def test_sampling_does_not_import_numba():
    code = (
        "import sys; from tests.rnn.support import make_trainer;"
        "t = make_trainer(); t.sample(20); t.current_model(); t.restore(*t.state());"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
