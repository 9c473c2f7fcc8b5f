import json

import numpy as np
import pytest

from server.rnn.training.state import StateError
from tests.rnn.support import bytes_of, make_trainer


@pytest.mark.parametrize("stop", [0, 1, 2, 24, 25, 26, 77])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dtype": "float64", "learning_rate_decay": 0.9},
        {"optimizer": "adam"},
        {"optimizer": "rmsprop", "clip_mode": "norm"},
        {"optimizer": "sgd"},
    ],
    ids=str,
)
def test_a_restored_trainer_continues_byte_for_byte(stop, changes):
    undisturbed, stopped, resumed = (make_trainer(**changes) for _ in range(3))
    undisturbed.learning_rate = stopped.learning_rate = 0.05
    for _ in range(stop):
        undisturbed.update()
        stopped.update()
    arrays, scalars = stopped.state()
    resumed.restore(arrays, json.loads(json.dumps(scalars)))
    assert bytes_of(resumed) == bytes_of(stopped)
    assert np.array_equal(resumed.sample(50), stopped.sample(50))
    for _ in range(60):
        assert undisturbed.update() == resumed.update()
        assert np.array_equal(undisturbed.sample(20), resumed.sample(20))
    assert bytes_of(undisturbed) == bytes_of(resumed)


def test_restoring_discards_the_trainers_own_past():
    one, other = make_trainer(), make_trainer()
    beginning = one.state()
    for _ in range(30):
        one.update()
    one.restore(*beginning)
    for _ in range(30):
        assert one.update() == other.update()
    assert bytes_of(one) == bytes_of(other)


def test_state_is_a_copy():
    trainer = make_trainer()
    trainer.update()
    before = bytes_of(trainer)
    arrays, _ = trainer.state()
    for array in arrays.values():
        array[:] = 9.0
    assert bytes_of(trainer) == before
    trainer.restore(arrays, trainer.state()[1])
    assert (trainer.parameters.flat == 9.0).all()


def test_state_has_the_courses_shapes():
    trainer = make_trainer()
    trainer.update()
    arrays, _ = trainer.state()
    for prefix in ("parameters", "optimizer.memory", "best.parameters"):
        for name, shape in trainer.parameters.shapes.items():
            assert arrays[f"{prefix}.{name}"].shape == shape


def missing(arrays, scalars):
    del arrays["parameters.W"]


def unknown(arrays, scalars):
    arrays["parameters.Z"] = np.zeros(3)


def wrong_shape(arrays, scalars):
    arrays["parameters.W"] = np.zeros((5, 6), dtype=np.float32)


def wrong_type(arrays, scalars):
    arrays["parameters.W"] = arrays["parameters.W"].astype(np.float64)


def not_an_array(arrays, scalars):
    arrays["state.h"] = [0.0] * 6


def no_best(arrays, scalars):
    for name in [name for name in arrays if name.startswith("best.")]:
        del arrays[name]


def scalar(name, value):
    def damage(arrays, scalars):
        scalars[name] = value

    damage.__name__ = f"{name}={value!r}"
    return damage


def missing_scalar(arrays, scalars):
    del scalars["epoch"]


def unknown_scalar(arrays, scalars):
    scalars["mood"] = 1


@pytest.mark.parametrize(
    "damage",
    [
        missing,
        unknown,
        wrong_shape,
        wrong_type,
        not_an_array,
        no_best,
        missing_scalar,
        unknown_scalar,
        scalar("vocabulary_size", 8),
        scalar("hidden_size", 7),
        scalar("dtype", "float64"),
        scalar("updates", -1),
        scalar("updates", "3"),
        scalar("updates", None),
        scalar("updates", 0),
        scalar("updates", 1.5),
        scalar("epoch", 0),
        scalar("position", 200),
        scalar("position", True),
        scalar("learning_rate", "0.1"),
        scalar("optimizer", "newton"),
        scalar("optimizer", None),
        scalar("optimizer_steps", -1),
        scalar("kernel", "abacus"),
        scalar("kernel", None),
        scalar("loss", None),
        scalar("smooth_loss", "nan"),
        scalar("best_update", 99),
        scalar("best_next_index", 7),
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_state_that_does_not_fit_changes_nothing(damage):
    trainer, source = make_trainer(), make_trainer(seed=1)
    trainer.update()
    for _ in range(3):
        source.update()
    before = bytes_of(trainer)
    arrays, scalars = source.state()
    damage(arrays, scalars)
    with pytest.raises(StateError):
        trainer.restore(arrays, scalars)
    assert bytes_of(trainer) == before


def test_a_state_of_the_first_version_uses_adagrad():
    source, first_version, today = make_trainer(), make_trainer(), make_trainer()
    for _ in range(5):
        source.update()
    arrays, scalars = source.state()
    today.restore(arrays, scalars)
    del scalars["optimizer"], scalars["optimizer_steps"]
    first_version.restore(arrays, scalars)
    for _ in range(30):
        assert first_version.update() == today.update()
    with pytest.raises(StateError):
        make_trainer(hidden_size=7).restore(arrays, scalars)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_another_optimizer_starts_afresh(optimizer):
    source = make_trainer()
    other, fresh = make_trainer(optimizer=optimizer), make_trainer(optimizer=optimizer)
    for _ in range(10):
        source.update()
        other.update()
    for trainer in (other, fresh):
        trainer.restore(*source.state())
    assert np.array_equal(other.parameters.flat, source.parameters.flat)
    for _ in range(30):
        assert other.update() == fresh.update()
    assert other.updates == 40
    assert bytes_of(other) == bytes_of(fresh)


def test_a_longer_sequence_that_does_not_fit_starts_a_new_epoch():
    source, longer = make_trainer(), make_trainer(sequence_length=50)
    for _ in range(21):
        source.update()
    assert source.position == 168
    longer.restore(*source.state())
    assert (longer.epoch, longer.position, longer.updates) == (2, 0, 21)
    assert not longer.current_model().state["h"].any()
    longer.update()


def test_a_state_without_the_update_of_the_validation_and_the_divergence_is_accepted():
    source, resumed = (make_trainer(4_000, validation_fraction=0.5) for _ in range(2))
    for _ in range(30):
        source.update()
    source.validate()
    arrays, scalars = source.state()
    for name in ("validation_update", "high_losses", "high_losses_since", "diverged_since"):
        del scalars[name]
    resumed.restore(arrays, scalars)
    assert resumed.validation_loss == source.validation_loss
    assert (resumed.validation_update, resumed.diverged_since) == (None, None)
    assert resumed.update() == source.update()
    resumed.validate()
    assert resumed.validation_update == 31


@pytest.mark.parametrize(
    "changes",
    [
        {"high_losses": 101},
        {"high_losses": 3, "high_losses_since": None},
        {"high_losses": 0, "high_losses_since": 5},
        {"high_losses": 0, "diverged_since": 5},
        {"high_losses": 3, "high_losses_since": 31},
        {"validation_update": 0},
    ],
    ids=str,
)
def test_contradictions_about_a_divergence_or_a_validation_are_refused(changes):
    trainer = make_trainer()
    for _ in range(30):
        trainer.update()
    arrays, scalars = trainer.state()
    with pytest.raises(StateError):
        trainer.restore(arrays, scalars | changes)
