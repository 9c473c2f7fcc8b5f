"""Each optimizer against its formula, written plainly in float64."""

import tracemalloc

import numpy as np
import pytest

from server.rnn.optimizers import BLOCK, LEARNING_RATES, OPTIMIZERS, make_optimizer
from tests.rnn.support import PLAIN_RULES

rules = pytest.mark.parametrize("name", OPTIMIZERS)


def random_gradients(size, dtype, steps, seed=0):
    """Return gradients of which some are always zero, some rarely not, and some large."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        g = rng.standard_normal(size) * 10.0 ** rng.integers(-6, 2, size)
        g[::3] = 0.0
        if step % 7:
            g[::5] = 0.0
        yield g.astype(dtype)


def make(name, size, dtype=np.float64):
    parameters = np.random.default_rng(1).standard_normal(size).astype(dtype)
    gradients = np.zeros_like(parameters)
    return parameters, gradients, make_optimizer(name, parameters, gradients)


@rules
@pytest.mark.parametrize(("size", "steps"), [(1, 500), (1000, 300), (BLOCK, 3), (2 * BLOCK + 7, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-3)])
def test_an_optimizer_follows_its_formula(name, size, steps, dtype, tolerance):
    parameters, gradients, optimizer = make(name, size, dtype)
    expected = parameters.astype(np.float64)
    rule = PLAIN_RULES[name]()
    rate = LEARNING_RATES[name] / 100
    for g in random_gradients(size, dtype, steps):
        # The learning rate changes during training, by decay and by hand.
        rate *= 0.995 if optimizer.steps % 50 else 1.3
        gradients[:] = g
        optimizer.step(rate)
        expected -= rate * rule(g.astype(np.float64))
        assert np.abs(parameters - expected).max() < tolerance
        assert np.array_equal(gradients, g)
    assert optimizer.steps == steps


@rules
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("made", [0, 1, 40])
def test_steps_and_state_are_enough_to_resume(name, dtype, made):
    size = BLOCK + 3
    one_parameters, one_gradients, one = make(name, size, dtype)
    gradients = list(random_gradients(size, dtype, made + 20))
    for g in gradients[:made]:
        one_gradients[:] = g
        one.step(0.01)
    other_parameters, other_gradients, other = make(name, size, dtype)
    other_parameters[:] = one_parameters
    other.steps = one.steps
    for memory, array in one.state.items():
        other.state[memory][:] = array
    for g in gradients[made:]:
        one_gradients[:] = other_gradients[:] = g
        one.step(0.02)
        other.step(0.02)
        assert one_parameters.tobytes() == other_parameters.tobytes()


@rules
def test_a_reset_optimizer_is_as_new(name):
    parameters, gradients, optimizer = make(name, 50)
    start = parameters.copy()

    def train():
        parameters[:] = start
        for g in random_gradients(50, np.float64, 9):
            gradients[:] = g
            optimizer.step(0.1)
        return parameters.copy()

    first = train()
    assert not np.array_equal(train(), first)
    optimizer.reset()
    assert np.array_equal(train(), first)


@rules
def test_a_parameter_without_gradient_stays(name):
    parameters, _, optimizer = make(name, 20, np.float32)
    before = parameters.copy()
    for _ in range(3):
        optimizer.step(LEARNING_RATES[name])
    assert np.array_equal(parameters, before)


@rules
def test_a_learning_rate_of_0_changes_nothing(name):
    parameters, gradients, optimizer = make(name, 20, np.float32)
    before = parameters.copy()
    for g in random_gradients(20, np.float32, 5):
        gradients[:] = g
        optimizer.step(0.0)
    assert np.array_equal(parameters, before)


@rules
def test_the_first_step_goes_downhill_and_not_too_far(name):
    """Even for RMSProp, which does not correct the bias of an average that starts from 0."""
    parameters, gradients, optimizer = make(name, 20)
    before = parameters.copy()
    gradients[:] = np.linspace(-1.0, 1.0, 20)
    optimizer.step(LEARNING_RATES[name])
    moved = parameters - before
    assert (np.sign(moved) == -np.sign(gradients)).all()
    assert 0.0 < np.abs(moved).max() <= 0.1 + 1e-9


@rules
def test_a_step_allocates_no_large_arrays(name):
    _, gradients, optimizer = make(name, 2 * BLOCK)
    gradients[:] = 1.0
    optimizer.step(0.1)
    tracemalloc.start()
    try:
        optimizer.step(0.1)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < BLOCK
