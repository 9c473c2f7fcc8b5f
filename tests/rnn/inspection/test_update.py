"""The details of an update against a trainer that makes it undisturbed."""

import math

import numpy as np
import pytest

from server.rnn.inspection.update import make_update
from tests.rnn.support import bytes_of, make_trainer

CASES = [
    {"batch_size": 3, "optimizer": "adam", "learning_rate": 0.01, "clip": 0.05},
    {"cell": "lstm", "layers": 2, "dropout": 0.4, "clip": 0.2, "clip_mode": "norm"},
    {"cell": "gru", "clip": None, "order": "shuffled", "optimizer": "rmsprop"},
]


@pytest.mark.parametrize("changes", CASES)
def test_they_are_those_of_the_update_that_follows(changes):
    plain, taken_apart = (make_trainer(**changes) for _ in range(2))
    for trainer in (plain, taken_apart):
        for _ in range(7):
            trainer.update()
    before = bytes_of(plain)
    plain.next_batch()
    assert bytes_of(plain) == before
    values = plain.parameters.copy()
    details = make_update(taken_apart, 5)
    assert details.loss == plain.update()
    assert bytes_of(taken_apart) == bytes_of(plain)

    step = plain.parameters.flat.astype(float) - values.flat
    assert details.total.step == pytest.approx(np.linalg.norm(step), rel=1e-6)
    assert details.total.value == pytest.approx(np.linalg.norm(values.flat), rel=1e-6)
    for name in ("gradient", "clipped", "step", "value"):
        squares = sum(getattr(each, name) ** 2 for each in details.parameters)
        assert getattr(details.total, name) == pytest.approx(math.sqrt(squares), rel=1e-6)
    number = details.number
    assert number.value == values[number.parameter][number.index]
    assert number.value + number.step == pytest.approx(
        plain.parameters[number.parameter][number.index]
    )
    assert len(details.unrolled.losses) == 8
    assert details.unrolled.hidden.shape[1] == 6
    if trainer.settings.batch_size == 1:
        assert details.unrolled.losses.sum() == pytest.approx(details.loss, rel=1e-5)
        assert details.losses_after.sum() == pytest.approx(details.loss_after, rel=1e-5)
    assert details.loss_after < details.loss


def test_clipping_is_counted():
    free, by_value, by_norm = (
        make_update(make_trainer(clip=clip, clip_mode=mode, dtype="float64"), 3)
        for clip, mode in ((None, "value"), (0.1, "value"), (0.1, "norm"))
    )
    assert free.clipped_numbers == 0
    assert free.total.clipped == free.total.gradient > 0.1
    assert 0 < by_value.clipped_numbers < by_norm.clipped_numbers
    assert by_norm.total.clipped == pytest.approx(0.1)
    assert abs(by_value.number.clipped) <= 0.1
