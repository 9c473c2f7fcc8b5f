import numpy as np
import pytest

from server.rnn.optimizers.clipping import clip_by_norm, clip_by_value


def test_clip_by_value_limits_each_gradient():
    gradients = np.array([-7.0, -5.0, 0.5, 5.0, np.inf])
    clip_by_value(gradients, 5.0)
    assert gradients.tolist() == [-5.0, -5.0, 0.5, 5.0, 5.0]


def test_clip_by_norm_limits_the_norm_and_preserves_the_direction():
    gradients = np.array([3.0, -4.0])
    clip_by_norm(gradients, 5.0)
    assert gradients.tolist() == [3.0, -4.0]
    clip_by_norm(gradients, 1.0)
    assert gradients == pytest.approx([0.6, -0.8])


def test_clip_by_norm_handles_squares_that_overflow():
    gradients = np.array([3e25, -4e25], dtype=np.float32)
    with np.errstate(over="ignore"):
        clip_by_norm(gradients, 1.0)
    assert gradients == pytest.approx([0.6, -0.8])


def test_clip_by_norm_does_not_change_gradients_that_are_not_finite():
    gradients = np.array([np.nan, 9.0])
    clip_by_norm(gradients, 1.0)
    assert np.isnan(gradients[0])
    assert gradients[1] == 9.0
