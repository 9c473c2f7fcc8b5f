import numpy as np
import pytest

from server.rnn.optimizers import BLOCK, AdaGrad, clip_by_norm, clip_by_value


@pytest.mark.parametrize("size", [1, 1000, BLOCK, 2 * BLOCK + 7])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_adagrad_follows_its_formula(size, dtype, tolerance):
    rng = np.random.default_rng(0)
    parameters = rng.standard_normal(size).astype(dtype)
    gradients = np.empty_like(parameters)
    optimizer = AdaGrad(parameters, gradients)
    expected = parameters.astype(np.float64)
    memory = np.zeros(size)
    for _ in range(5):
        g = rng.standard_normal(size)
        g[::3] = 0.0
        gradients[:] = g
        optimizer.step(0.1)
        memory += gradients.astype(np.float64) ** 2
        expected -= 0.1 * gradients.astype(np.float64) / np.sqrt(memory + 1e-8)
        assert np.abs(parameters - expected).max() < tolerance
    assert optimizer.state["memory"] == pytest.approx(memory + 1e-8, rel=1e-5)


def test_a_parameter_without_gradient_stays():
    parameters = np.ones(4, dtype=np.float32)
    AdaGrad(parameters, np.zeros(4, dtype=np.float32)).step(0.1)
    assert parameters.tolist() == [1.0] * 4


def test_clip_by_value_holds_each_gradient():
    gradients = np.array([-7.0, -5.0, 0.5, 5.0, np.inf])
    clip_by_value(gradients, 5.0)
    assert gradients.tolist() == [-5.0, -5.0, 0.5, 5.0, 5.0]


def test_clip_by_norm_shortens_and_keeps_the_direction():
    gradients = np.array([3.0, -4.0])
    clip_by_norm(gradients, 5.0)
    assert gradients.tolist() == [3.0, -4.0]
    clip_by_norm(gradients, 1.0)
    assert gradients == pytest.approx([0.6, -0.8])


def test_clip_by_norm_takes_gradients_whose_squares_overflow():
    gradients = np.array([3e25, -4e25], dtype=np.float32)
    with np.errstate(over="ignore"):
        clip_by_norm(gradients, 1.0)
    assert gradients == pytest.approx([0.6, -0.8])


def test_clip_by_norm_leaves_what_is_not_finite():
    gradients = np.array([np.nan, 9.0])
    clip_by_norm(gradients, 1.0)
    assert np.isnan(gradients[0])
    assert gradients[1] == 9.0
