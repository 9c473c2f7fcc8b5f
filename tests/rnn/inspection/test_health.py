import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.inspection import health, memory
from server.rnn.inspection.health import measure_health, next_gradients, update_ratios
from server.rnn.training.trainer import Trainer, TrainerSettings
from tests.rnn.cells.mgu import MGU
from tests.rnn.support import make_trainer, random_text


@pytest.fixture(autouse=True, scope="module")
def mgu():
    with patch.dict(CELLS, {MGU.name: MGU}):
        yield


def gradients_of_next_update(trainer):
    """What the trainer computes: without clipping, the gradients stay in the network's buffer."""
    trainer.update()
    return trainer._network.gradients


@given(
    cell=st.sampled_from([*CELLS, MGU.name]),
    layers=st.integers(1, 2),
    dropout=st.sampled_from([0.0, 0.4]),
    order=st.sampled_from(["sequential", "shuffled"]),
    validation_fraction=st.sampled_from([0.0, 0.2]),
    updates=st.integers(0, 60),
)
def test_the_gradients_are_those_of_the_next_update(updates, **settings):
    trainer = make_trainer(clip=None, **settings)
    for _ in range(updates):
        trainer.update()
    text = random_text()
    found = next_gradients(trainer.current_model(), text, trainer.settings)
    expected = gradients_of_next_update(trainer)
    assert found.flat.any()
    np.testing.assert_allclose(found.flat, expected.flat, rtol=1e-4, atol=1e-6)


def test_with_several_streams_the_other_states_are_nearly_right():
    text = random_text(3000)
    small = {"batch_size": 5, "sequence_length": 20, "hidden_size": 10, "clip": None}
    trainer = Trainer(text, 7, TrainerSettings(init_scale=None, learning_rate=0.02, **small))
    for _ in range(20):
        trainer.update()
    found = next_gradients(trainer.current_model(), text, trainer.settings).flat
    expected = gradients_of_next_update(trainer).flat
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)


@pytest.mark.parametrize("cell", [*CELLS, MGU.name])
def test_health_is_that_of_the_next_update(cell):
    trainer = make_trainer(n=600, cell=cell, layers=2, clip=0.3)
    for _ in range(10):
        trainer.update()
    model = trainer.current_model()
    found = measure_health(model, random_text(600), trainer.settings)

    unclipped = next_gradients(model, random_text(600), trainer.settings).flat
    assert found.gradient_norm == pytest.approx(np.linalg.norm(unclipped))
    clipped = gradients_of_next_update(trainer).flat
    assert found.clipped_share == pytest.approx(np.mean(np.abs(clipped) == np.float32(0.3)))
    assert found.clipped_share > 0
    assert found.characters == health.READ
    assert len(found.saturated_share) == len(found.dead_share) == len(found.spectral_radius) == 2
    W = np.split(model.parameters["W2"], CELLS[cell].gates)
    expected = [np.abs(np.linalg.eigvals(block)).max() for block in W]
    assert found.spectral_radius[1] == pytest.approx(expected, rel=0.01)
    assert found.parameter_norms["V"] == pytest.approx(np.linalg.norm(model.parameters["V"]))
    assert found.memory.losses == memory.MAX_LOSSES
    assert set(found.memory.typical) == set(CELLS[cell].states)
    assert found.memory.typical["h"].shape == (2, memory.LAGS + 1)


@pytest.mark.parametrize(("norm", "share"), [(1e-3, 1.0), (1e3, 0.0)])
def test_a_limit_of_the_norm_clips_all_or_nothing(norm, share):
    trainer = make_trainer(clip=norm, clip_mode="norm")
    found = measure_health(trainer.current_model(), random_text(), trainer.settings)
    assert found.clipped_share == share


def test_saturated_and_dead_units_are_counted():
    trainer = make_trainer(n=600, hidden_size=10, init_scale=None)
    trainer.parameters["W"][...] = 0.0
    # Three units that never move, two of them near 1; and two that are near -1 or 1 and move.
    trainer.parameters["U"][:5] = 0.0
    trainer.parameters["b"][:3] = [5.0, -5.0, 0.5]
    trainer.parameters["U"][3:5] = np.tile([9.0, -9.0, 9.0, -9.0, 9.0, -9.0, 9.0], (2, 1))
    found = measure_health(trainer.current_model(), random_text(600), trainer.settings)
    assert found.dead_share == [0.3]
    rest = np.tanh(trainer.parameters["U"][5:][:, random_text(600)[: health.READ]])
    assert found.saturated_share == [pytest.approx(0.4 + 0.5 * np.mean(np.abs(rest) > 0.95))]


def test_a_short_text_is_read_as_far_as_it_goes():
    trainer = make_trainer(n=40)
    found = measure_health(trainer.current_model(), random_text(40), trainer.settings)
    assert found.characters == 39
    assert len(found.memory.last) == 21
    assert found.memory.losses == 19


@given(size=st.integers(1, 30), seed=st.integers(0, 2**32), scale=st.sampled_from([1e-3, 1.0, 30]))
def test_the_spectral_radius_is_that_of_the_eigenvalues(size, seed, scale):
    W = scale * np.random.default_rng(seed).standard_normal((size, size))
    expected = np.abs(np.linalg.eigvals(W)).max()
    assert health.spectral_radius(W) == pytest.approx(expected, rel=0.01)


def test_the_spectral_radius_of_a_nilpotent_matrix_is_0():
    assert health.spectral_radius(np.diag([2.0, 3.0], 1)) == 0.0


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_update_ratios_are_those_of_the_step(optimizer):
    trainer = make_trainer(optimizer=optimizer, learning_rate=0.01)
    for _ in range(5):
        trainer.update()
    before = trainer.parameters.copy()
    found = update_ratios(trainer)
    assert trainer.updates == 6
    step = trainer.parameters["W"] - before["W"]
    assert found["W"] == pytest.approx(np.linalg.norm(step) / np.linalg.norm(before["W"]))
    assert set(found) == set(before)
    assert all(math.isfinite(ratio) and ratio > 0 for ratio in found.values())


def test_the_ratio_of_a_step_that_is_far_too_large_is_known():
    trainer = make_trainer(optimizer="sgd", learning_rate=1e30, clip=None, dtype="float32")
    assert 1e25 < update_ratios(trainer)["V"] < math.inf


def memory_of(norms):
    typical = {"h": np.array([norms], dtype=float)}
    return memory.Memory(last=np.array(norms), typical=typical, losses=1)


def test_the_half_life_is_that_of_an_exponential_function():
    falling = memory_of([9.0, *(2.0 ** (-np.arange(20) / 3.0))])
    assert falling.half_life(15) == pytest.approx(3.0)
    assert memory_of([1.0, 2.0, 4.0, 8.0]).half_life(3) == math.inf
    assert memory_of([1.0, 0.5, 0.0, 0.0]).half_life(3) is None
