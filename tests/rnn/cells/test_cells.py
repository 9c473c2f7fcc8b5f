"""Every cell, with any number of layers and streams."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.network import Network
from server.rnn.training.trainer import Trainer, TrainerSettings
from tests.rnn.support import bytes_of, make_trainer, random_text, reference_losses

networks = {
    "cell": st.sampled_from(list(CELLS)),
    "layers": st.integers(1, 4),
    "batch_size": st.integers(1, 4),
}


def random_network(cell, layers, batch_size, *, K=6, m=5, T=9, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    network = Network(K, m, T, dtype, cell=cell, layers=layers, batch_size=batch_size)
    network.parameters.flat[:] = 0.5 * rng.standard_normal(network.parameters.flat.size)
    for state in network.state.values():
        state[:] = rng.uniform(-1, 1, state.shape)
    text = rng.integers(0, K, (T + 1, batch_size))
    return network, text[:-1], text[1:]


@given(
    **networks,
    K=st.integers(1, 12),
    m=st.integers(1, 9),
    T=st.integers(1, 20),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 2**32),
)
def test_losses_and_states_follow_the_definitions(cell, layers, batch_size, K, m, T, dropout, seed):
    network, x, y = random_network(cell, layers, batch_size, K=K, m=m, T=T, seed=seed)
    if dropout:
        network.draw_masks(np.random.default_rng(seed), dropout)
    before = {name: state.copy() for name, state in network.state.items()}
    losses, after = reference_losses(
        network.architecture, network.parameters, before, x, y, network.masks
    )
    loss = network.forward(x, y)
    assert network.losses == pytest.approx(losses.ravel(), abs=1e-9)
    assert loss == pytest.approx(losses.sum() / batch_size, abs=1e-8)
    assert set(after) == set(network.last_state) == set(network.architecture.state_names)
    for name, state in network.last_state.items():
        assert state == pytest.approx(after[name], abs=1e-9)
        assert np.array_equal(network.state[name], before[name])
    network.carry()
    for name, state in network.state.items():
        assert np.array_equal(state, network.last_state[name])
    network.clear_state()
    assert not any(state.any() for state in network.state.values())


@given(cell=networks["cell"], layers=networks["layers"], B=st.integers(2, 5))
def test_streams_are_averaged_and_independent(cell, layers, B):
    batch, x, y = random_network(cell, layers, B)
    single, _, _ = random_network(cell, layers, 1)
    single.parameters.flat[:] = batch.parameters.flat
    loss, gradients = 0.0, np.zeros_like(batch.gradients.flat)
    last_states = []
    for j in range(B):
        for name, state in single.state.items():
            state[0] = batch.state[name][j]
        loss += float(single.forward(x[:, j], y[:, j])) / B
        single.backward()
        gradients += single.gradients.flat / B
        last_states.append({name: view[0].copy() for name, view in single.last_state.items()})
    assert float(batch.forward(x, y)) == pytest.approx(loss, rel=1e-12)
    batch.backward()
    assert batch.gradients.flat == pytest.approx(gradients, rel=1e-9, abs=1e-12)
    for j, expected in enumerate(last_states):
        for name, view in expected.items():
            assert batch.last_state[name][j] == pytest.approx(view, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_single_stream_layer_agrees_with_the_general_layer(dtype, monkeypatch):
    short, x, y = random_network("rnn", 1, 1, K=20, m=30, T=40, dtype=dtype)
    general = dataclasses.replace(CELLS["rnn"], single_stream_layer=None)
    monkeypatch.setitem(CELLS, "rnn", general)
    long, _, _ = random_network("rnn", 1, 1, K=20, m=30, T=40, dtype=dtype)
    # Small weights, so that rounding is not amplified.
    for network in (short, long):
        network.parameters["W"][:] *= 0.3
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert float(short.forward(x, y)) == pytest.approx(float(long.forward(x, y)), rel=tolerance)
    assert short.last_state["h"] == pytest.approx(long.last_state["h"], abs=tolerance)
    short.backward()
    long.backward()
    scale = np.abs(long.gradients.flat).max()
    assert np.abs(short.gradients.flat - long.gradients.flat).max() < 10 * tolerance * scale


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_float32_agrees_with_float64(cell, batch_size):
    wide, x, y = random_network(cell, 2, batch_size, K=20, m=16, T=20)
    narrow = Network(20, 16, 20, "float32", cell=cell, layers=2, batch_size=batch_size)
    wide.parameters.flat[:] *= 0.4
    narrow.parameters.flat[:] = wide.parameters.flat
    for name, state in wide.state.items():
        narrow.state[name][:] = state
    assert float(narrow.forward(x, y)) == pytest.approx(float(wide.forward(x, y)), rel=1e-5)
    narrow.backward()
    wide.backward()
    scale = np.abs(wide.gradients.flat).max()
    assert np.abs(narrow.gradients.flat - wide.gradients.flat).max() < 1e-4 * scale


@settings(max_examples=20)
@given(
    **networks,
    dropout=st.sampled_from([0.0, 0.3]),
    validation_fraction=st.sampled_from([0.0, 0.3]),
    optimizer=st.sampled_from(["adagrad", "adam", "rmsprop", "sgd"]),
    dtype=st.sampled_from(["float32", "float64"]),
    stop=st.integers(0, 40),
)
def test_a_restored_trainer_continues_byte_for_byte(stop, **changes):
    changes |= {"learning_rate": 0.01, "learning_rate_decay": 0.9}
    undisturbed, stopped, resumed = (make_trainer(**changes) for _ in range(3))

    def train(trainer, updates):
        losses = []
        for _ in range(updates):
            losses.append(trainer.update())
            if trainer.updates % 5 == 0 and changes["validation_fraction"]:
                losses.append(trainer.validate())
        return losses

    train(undisturbed, stop)
    train(stopped, stop)
    train(resumed, 3)
    arrays, scalars = stopped.state()
    resumed.restore(arrays, json.loads(json.dumps(scalars)))
    assert bytes_of(resumed) == bytes_of(stopped)
    assert train(undisturbed, 25) == train(resumed, 25)
    assert np.array_equal(undisturbed.sample(20), resumed.sample(20))
    assert bytes_of(undisturbed) == bytes_of(resumed)


@settings(deadline=None, max_examples=20)
@given(**networks, dropout=st.sampled_from([0.0, 0.3]))
def test_sampling_and_saving_do_not_change_training(**changes):
    changes |= {"validation_fraction": 0.2}
    left_alone, looked_at = make_trainer(**changes), make_trainer(**changes)
    for _ in range(15):
        assert left_alone.update() == looked_at.update()
        looked_at.sample(10)
        looked_at.validate()
        looked_at.best_model()
        looked_at.best_model(by="validation")
        looked_at.state()
    learnt, _ = left_alone.state()
    arrays, _ = looked_at.state()
    for name, array in learnt.items():
        assert np.array_equal(arrays[name], array)


def test_dropout_is_between_layers_and_redrawn_at_each_update():
    masks = []
    for changes in ({}, {"seed": 1}):
        trainer = make_trainer(layers=3, dropout=0.25, batch_size=4, hidden_size=50, **changes)
        for _ in range(2):
            trainer.update()
            masks.extend(mask.copy() for mask in trainer._network.masks)
    assert len(masks) == 8
    for mask in masks:
        assert mask.shape == (8, 4, 50)
        kept = mask > 0
        assert set(np.unique(mask)) == {np.float32(0), np.float32(4 / 3)}
        assert kept.mean() == pytest.approx(0.75, abs=0.05)
    for other in masks[1:]:
        assert not np.array_equal(masks[0], other)


def test_dropout_has_no_effect_with_one_layer():
    dropping, plain = make_trainer(dropout=0.5), make_trainer()
    for _ in range(20):
        assert dropping.update() == plain.update()


def test_both_types_drop_the_same_units():
    masks = []
    for dtype in ("float32", "float64"):
        trainer = make_trainer(layers=2, dropout=0.5, dtype=dtype)
        trainer.update()
        masks.append(trainer._network.masks[0] > 0)
    assert np.array_equal(*masks)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("init_scale", [0.01, None])
def test_initial_parameters(cell, init_scale):
    trainer = make_trainer(K=70, cell=cell, layers=2, hidden_size=100, init_scale=init_scale)
    expected = {"U1": 70, "W1": 100, "U2": 100, "W2": 100, "V": 100}
    for name, fan_in in expected.items():
        scale = init_scale or fan_in**-0.5
        assert trainer.parameters[name].std() == pytest.approx(scale, rel=0.05)
    for name, view in trainer.parameters.items():
        if name.startswith("b") and cell == "lstm":
            assert view[200:300].tolist() == [1.0] * 100
            assert not view[:200].any()
            assert not view[300:].any()
        elif name[0] in "bcd":
            assert not view.any()


def test_an_update_of_any_cell_copies_no_matrix():
    for cell in ("gru", "lstm"):
        text = random_text(5000, 90)
        trainer = Trainer(text, 90, TrainerSettings(cell=cell, layers=2, batch_size=8))
        for _ in range(3):
            trainer.update()
        tracemalloc.start()
        try:
            for _ in range(10):
                trainer.update()
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < trainer.parameters["W2"].nbytes


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns(cell):
    """A text with a period of 20 characters, which the carried state must cover."""
    text = np.array([0, 1, 2, 3, 1, 2, 4, 1, 2, 5, 0, 0, 3, 1, 2, 0, 4, 4, 1, 5] * 40)
    trainer = Trainer(text, 6, TrainerSettings(cell=cell, hidden_size=32, layers=1))
    first = trainer.update()
    for _ in range(600):
        trainer.update()
    assert trainer.loss < 0.2 * first
