import json
import math

import pytest

from server.rnn.training.divergence import FACTOR, UPDATES, DivergenceDetector
from tests.rnn.support import bytes_of, make_trainer

LOW = 25 * math.log(83)
HIGH = 1.01 * FACTOR * LOW


def detect(losses):
    """Return `diverged_since` after each of the losses."""
    detector = DivergenceDetector(25, 83)
    found = []
    for update, loss in enumerate(losses, 1):
        detector.add(loss, update)
        found.append(detector.diverged_since)
    return found


def test_a_loss_that_stays_far_above_random_guessing_is_reported_with_its_start():
    found = detect([LOW] * 50 + [7e6] * 150)
    assert found == [None] * (50 + UPDATES - 1) + [51] * (151 - UPDATES)


@pytest.mark.parametrize(
    "losses",
    [
        [1.4 * LOW] * 500,
        [0.99 * FACTOR * LOW] * 500,
        [LOW] * 10 + [7e6] * (UPDATES - 1) + [LOW] * 500,
        ([LOW] * 9 + [7e6]) * 200,
        [HIGH, LOW] * 500,
    ],
)
def test_high_losses_that_end_or_are_rare_are_not_reported(losses):
    assert set(detect(losses)) == {None}


def test_some_low_losses_neither_hide_nor_end_a_divergence():
    found = detect([LOW] * 20 + [HIGH, HIGH, HIGH, LOW] * 500)
    reported = found.index(21)
    assert reported < 20 + 2 * UPDATES + 4
    assert set(found[reported:]) == {21}


def test_a_divergence_ends_when_the_losses_have_been_low_for_as_long():
    found = detect([7e6] * 1_000 + [LOW] * 200)
    assert found[1_000 + UPDATES - 2] == 1
    assert set(found[1_000 + UPDATES - 1 :]) == {None}


def diverging_trainer():
    return make_trainer(optimizer="sgd", learning_rate=1e4, clip=5.0)


@pytest.mark.parametrize("stop", [0, 10, 90, 150, 300])
def test_a_restored_trainer_reports_the_same_divergence(stop):
    trainer, resumed = diverging_trainer(), diverging_trainer()
    for _ in range(stop):
        trainer.update()
    arrays, scalars = trainer.state()
    resumed.restore(arrays, json.loads(json.dumps(scalars)))
    since = set()
    for _ in range(300):
        assert trainer.update() == resumed.update()
        assert resumed.diverged_since == trainer.diverged_since
        assert resumed.high_losses_since == trainer.high_losses_since
        since.add(trainer.diverged_since)
    assert math.isfinite(trainer.loss)
    assert since - {None}
    assert bytes_of(trainer) == bytes_of(resumed)
