import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rnn.metrics import MEASURED_EVERY
from server.rnn.training.trainer import SettingsError, TextTooShortError, Trainer, TrainerSettings
from tests.rnn.support import PlainTrainer, bytes_of, make_trainer, random_text


def look(trainer):
    trainer.sample(30)
    trainer.current_model()
    trainer.best_model()
    trainer.state()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip": 0.3},
        {"clip": 0.3, "clip_mode": "norm"},
        {"clip": None, "init_scale": None},
        {"learning_rate_decay": 0.5},
        {"optimizer": "adam", "learning_rate": 0.002},
        {"optimizer": "rmsprop", "learning_rate": 0.002, "learning_rate_decay": 0.7},
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"sequence_length": 1},
        {"loss_smoothing": 0.5},
        {"loss_smoothing": 0.0},
        {"hidden_size": 1, "init_scale": 0.5},
    ],
    ids=str,
)
def test_training_follows_the_definitions(changes):
    trainer = make_trainer(n=100, dtype="float64", **changes)
    plain = PlainTrainer(trainer)
    for _ in range(120):
        assert trainer.update() == pytest.approx(plain.update(), rel=1e-9)
        assert (trainer.updates, trainer.epoch, trainer.position) == (
            plain.updates,
            plain.epoch,
            plain.position,
        )
        assert trainer.smooth_loss == pytest.approx(plain.smooth, rel=1e-9)
        model = trainer.current_model()
        assert model.state["h"] == pytest.approx(plain.h, abs=1e-9)
        for name, view in plain.p.items():
            assert np.abs(model.parameters[name] - view).max() < 1e-9
    assert trainer.epoch > 1


@given(n=st.integers(2, 200), T=st.integers(1, 60), updates=st.integers(1, 80))
def test_epoch_and_position_after_each_update(n, T, updates):
    if n < T + 1:
        with pytest.raises(TextTooShortError, match=f"{T + 1}"):
            make_trainer(n, sequence_length=T)
        return
    trainer = make_trainer(n, hidden_size=2, sequence_length=T)
    per_epoch = (n - 1) // T
    assert trainer.updates_per_epoch == per_epoch
    for made in range(1, updates + 1):
        trainer.update()
        assert trainer.updates == made
        assert trainer.epoch == 1 + made // per_epoch
        assert trainer.position == (made % per_epoch) * T
        assert trainer.text_length - trainer.position >= T + 1
        assert trainer.current_model().state["h"].any() == (trainer.position > 0)


def test_the_state_before_the_first_update():
    trainer = make_trainer()
    assert (trainer.updates, trainer.epoch, trainer.position) == (0, 1, 0)
    assert trainer.loss is trainer.smooth_loss is trainer.best_update is None
    assert trainer.best_model() is None
    assert trainer.current_model().smooth_loss is None
    assert len(trainer.sample(20)) == 20


@pytest.mark.parametrize("K", [2, 83, 500])
def test_the_first_loss_is_that_of_uniform_guessing(K):
    trainer = Trainer(random_text(26, K), K, TrainerSettings())
    assert trainer.update() == pytest.approx(25 * math.log(K), abs=0.02)
    assert trainer.loss == trainer.smooth_loss == trainer.best_smooth_loss


@pytest.mark.parametrize("learning_rate", [0.1, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_best_model_is_the_one_at_the_lowest_smooth_loss(dtype, learning_rate):
    """Against a copy of the model after every update, with and without reading the best model."""
    trainer = make_trainer(dtype=dtype, learning_rate=learning_rate, init_scale=None)
    looked_at = make_trainer(dtype=dtype, learning_rate=learning_rate, init_scale=None)
    models, improvements = [], 0
    for made in range(1, 401):
        trainer.update()
        looked_at.update()
        models.append(trainer.current_model())
        lowest = min(models, key=lambda model: model.smooth_loss)
        improvements += lowest is models[-1]
        assert trainer.best_update == lowest.update
        assert trainer.best_smooth_loss == lowest.smooth_loss
        for best in [looked_at.best_model()] + [trainer.best_model()] * (made % 50 == 0):
            assert best.update == lowest.update
            assert best.smooth_loss == lowest.smooth_loss
            assert best.next_index == lowest.next_index
            assert np.array_equal(best.state["h"], lowest.state["h"])
            for name, array in lowest.parameters.items():
                assert np.array_equal(best.parameters[name], array)
    assert 0 < improvements < 400


def test_an_update_that_is_not_measured_copies_no_matrix():
    """The smallest matrix is twice the size of the buffers that NumPy's loops allocate."""
    trainer = Trainer(random_text(5000, 120), 120, TrainerSettings())
    for _ in range(MEASURED_EVERY):
        trainer.update()
    tracemalloc.start()
    try:
        for _ in range(MEASURED_EVERY - 1):
            trainer.update()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < trainer.parameters["W"].nbytes


def test_models_are_copies():
    trainer = make_trainer()
    trainer.update()
    for model in (trainer.current_model(), trainer.best_model()):
        before = bytes_of(trainer)
        for array in [*model.parameters.values(), *model.state.values()]:
            array[:] = 9.0
        assert bytes_of(trainer) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sampling_and_saving_do_not_change_training(dtype):
    left_alone, looked_at = make_trainer(dtype=dtype), make_trainer(dtype=dtype)
    look(looked_at)
    for _ in range(100):
        assert left_alone.update() == looked_at.update()
        look(looked_at)
    assert bytes_of(left_alone) == bytes_of(looked_at)


def test_samples_depend_only_on_seed_and_update():
    trainer, other, third = make_trainer(), make_trainer(), make_trainer(seed=1)
    first = trainer.sample(100)
    assert np.array_equal(first, trainer.sample(100))
    assert np.array_equal(first, other.sample(100))
    assert not np.array_equal(first, third.sample(100))
    trainer.update()
    assert not np.array_equal(first, trainer.sample(100))
    other.update()
    assert np.array_equal(other.sample(100), trainer.sample(100))


def test_a_seed_decides_the_initial_parameters():
    one, same, other = make_trainer(), make_trainer(), make_trainer(seed=1)
    assert np.array_equal(one.parameters.flat, same.parameters.flat)
    assert not np.array_equal(one.parameters.flat, other.parameters.flat)


@pytest.mark.parametrize(
    ("init_scale", "expected"),
    [(0.01, (0.01, 0.01, 0.01)), (None, (0.1, 1 / math.sqrt(70), 0.1)), (0.0, (0, 0, 0))],
)
def test_initial_scale(init_scale, expected):
    K = 70
    trainer = make_trainer(K=K, hidden_size=100, init_scale=init_scale)
    for name, scale in zip("WUV", expected, strict=True):
        assert trainer.parameters[name].std() == pytest.approx(scale, rel=0.05)
    assert not trainer.parameters["b"].any()
    assert not trainer.parameters["c"].any()


def test_both_types_start_with_the_same_parameters():
    narrow, wide = make_trainer(), make_trainer(dtype="float64")
    assert np.array_equal(narrow.parameters.flat, wide.parameters.flat.astype(np.float32))


def test_the_learning_rate_can_be_set_and_decays_from_there():
    trainer = make_trainer(learning_rate_decay=0.5)
    trainer.learning_rate = 0.0
    before = trainer.parameters.flat.copy()
    trainer.update()
    assert np.array_equal(trainer.parameters.flat, before)
    trainer.learning_rate = 0.2
    while trainer.epoch < 3:
        trainer.update()
    assert trainer.learning_rate == pytest.approx(0.05)


def test_diverging_parameters_do_not_stop_the_trainer():
    trainer = make_trainer(learning_rate=1e38, clip=None, init_scale=3.0)
    for _ in range(60):
        trainer.update()
    assert not math.isfinite(trainer.loss)
    assert len(trainer.sample(50)) == 50
    assert trainer.best_model() is not None


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 0},
        {"sequence_length": 0},
        {"learning_rate": -0.1},
        {"learning_rate": math.nan},
        {"learning_rate_decay": math.inf},
        {"optimizer": "newton"},
        {"clip": 0.0},
        {"clip_mode": "other"},
        {"init_scale": -1.0},
        {"seed": -1},
        {"dtype": "float16"},
    ],
    ids=str,
)
def test_settings_outside_their_range_are_refused(change):
    with pytest.raises(SettingsError, match=next(iter(change))):
        dataclasses.replace(TrainerSettings(), **change)


def test_a_text_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocabulary"):
        Trainer(np.array([0, 1, 2] * 20), 2, TrainerSettings())
