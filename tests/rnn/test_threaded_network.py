"""A training by several threads equals one by a single thread, up to rounding."""

import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.metrics import MEASURED_EVERY
from tests.rnn.support import bytes_of, make_trainer

UPDATES = MEASURED_EVERY + 6


def assert_close(one, other):
    arrays, scalars = one.state()
    other_arrays, other_scalars = other.state()
    assert set(arrays) == set(other_arrays)
    for name, array in arrays.items():
        assert other_arrays[name] == pytest.approx(array, rel=1e-7, abs=1e-9), name
    assert {name: value for name, value in scalars.items() if type(value) is not float} == {
        name: value for name, value in other_scalars.items() if type(value) is not float
    }


@pytest.mark.parametrize(
    ("batch_size", "threads", "parts"), [(3, 2, [2, 1]), (2, 5, [1, 1]), (7, 3, [3, 2, 2])]
)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_several_threads_learn_what_one_does(cell, layers, batch_size, threads, parts):
    changes = {"cell": cell, "layers": layers, "batch_size": batch_size, "dtype": "float64"}
    changes |= {"dropout": 0.4 if layers > 1 else 0.0, "validation_fraction": 0.2, "n": 300}
    changes |= {"learning_rate": 0.05, "init_scale": 0.2}
    one, several = make_trainer(**changes), make_trainer(**changes, threads=threads)
    assert [part.network.batch_size for part in several._network._parts] == parts
    for _ in range(UPDATES):
        assert several.update() == pytest.approx(one.update(), rel=1e-9)
        assert several.metrics == pytest.approx(one.metrics, rel=1e-7)
        batch, other = one.next_batch(), several.next_batch()
        assert all(map(np.array_equal, batch.masks, other.masks))
        assert len(batch.masks) == len(other.masks) == (layers - 1)
        assert other.state["h" if layers == 1 else "h1"].shape == (batch_size, 6)
    assert several.validate() == pytest.approx(one.validate(), rel=1e-9)
    assert_close(one, several)


@pytest.mark.parametrize("clip_mode", ["value", "norm"])
def test_the_same_threads_give_the_same_bytes(clip_mode):
    changes = {"batch_size": 5, "threads": 3, "cell": "gru", "hidden_size": 40}
    changes |= {"clip": 0.1, "clip_mode": clip_mode}
    one, again = make_trainer(**changes), make_trainer(**changes)
    for _ in range(UPDATES):
        assert one.update() == again.update()
        assert one.metrics == again.metrics
    assert bytes_of(one) == bytes_of(again)


def test_each_stream_has_its_losses_and_predictions():
    changes = {"batch_size": 5, "layers": 2, "cell": "lstm", "dtype": "float64"}
    one, several = make_trainer(**changes), make_trainer(**changes, threads=2)
    for _ in range(20):
        one.update()
        several.update()
    network, other = one._network, several._network
    assert other.losses == pytest.approx(network.losses, rel=1e-9)
    assert np.array_equal(other.likeliest, network.likeliest)
    for states, other_states in (
        (network.state, other.state),
        (network.last_state, other.last_state),
    ):
        assert list(states) == list(other_states)
        for name, state in states.items():
            assert other_states[name] == pytest.approx(state, abs=1e-9)


@pytest.mark.filterwarnings("error")
def test_a_loss_that_overflows_is_returned_without_a_warning():
    trainer = make_trainer(batch_size=4, threads=2, learning_rate=1e38, clip=None)
    losses = [trainer.update() for _ in range(30)]
    assert not all(map(np.isfinite, losses))
