"""The metrics: their values, when they are measured, and that measuring changes nothing."""

import dataclasses
import math
from itertools import product

import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.metrics import (
    MEASURED_EVERY,
    METRIC_NAME,
    METRICS,
    Metric,
    measured_updates,
)
from server.rnn.network import Network
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary
from tests.rnn.support import bytes_of, make_trainer

N = MEASURED_EVERY


def train(trainer, updates):
    """Make updates, and return the metrics of those that are measured, by update."""
    found = {}
    for _ in range(updates):
        trainer.update()
        if trainer.metrics:
            found[trainer.updates] = trainer.metrics
    return found


def sequence_of_next_update(trainer):
    """Return network, inputs and targets of the next update, independent of the trainer."""
    model, settings = trainer.current_model(), trainer.settings
    network = Network(
        trainer.vocabulary_size,
        settings.hidden_size,
        settings.sequence_length,
        settings.dtype,
        cell=settings.cell,
        batch_size=settings.batch_size,
    )
    for name, array in model.parameters.items():
        network.parameters[name][:] = array
    for name, array in trainer._network.state.items():
        network.state[name][:] = array
    x, y = trainer._batches.peek()
    return network, x, y


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_norm_is_the_slope_of_the_loss_along_the_gradient(cell):
    trainer = make_trainer(cell=cell, clip=None, dtype="float64", init_scale=0.3)
    train(trainer, N - 1)
    network, x, y = sequence_of_next_update(trainer)
    network.forward(x, y)
    network.backward()
    before, gradients = network.parameters.flat.copy(), network.gradients.flat.copy()
    losses = []
    for distance in (1e-5, -1e-5):
        network.parameters.flat[:] = before + distance * gradients / np.linalg.norm(gradients)
        losses.append(network.forward(x, y))
    found = train(trainer, 1)[N]
    assert found["gradient_norm"] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)
    step = np.linalg.norm(trainer.parameters.flat - before)
    length = np.linalg.norm(trainer.parameters.flat)
    assert found["update_ratio"] == pytest.approx(step / length, rel=1e-9)
    assert found["learning_rate"] == 0.1
    assert "clipped_share" not in found


@pytest.mark.parametrize("mode", ["value", "norm"])
def test_the_clipped_share_counts_the_gradients_before_clipping(mode):
    trainer = make_trainer(clip=0.2, clip_mode=mode, init_scale=0.5)
    train(trainer, N - 1)
    network, x, y = sequence_of_next_update(trainer)
    network.forward(x, y)
    network.backward()
    gradients = network.gradients.flat
    found = train(trainer, 1)[N]
    beyond = np.abs(gradients) > 0.2
    assert 0 < beyond.mean() < 1
    assert found["clipped_share"] == pytest.approx(beyond.mean() if mode == "value" else 1.0)
    assert found["gradient_norm"] == pytest.approx(float(np.linalg.norm(gradients)), rel=1e-5)


def test_a_norm_whose_squares_overflow_is_finite_and_a_broken_network_has_none():
    trainer = make_trainer(clip=None, optimizer="sgd", learning_rate=0.0)
    trainer.parameters["V"][:] = 1e30
    trainer.parameters["b"][:] = 1.0
    assert 1e20 < train(trainer, N)[N]["gradient_norm"] < math.inf
    trainer.parameters["V"][:] = math.nan
    assert math.isnan(train(trainer, N)[2 * N]["gradient_norm"])


def test_only_multiples_are_measured_also_after_a_restore_and_with_a_decayed_rate():
    settings = {"learning_rate_decay": 0.9, "dropout": 0.1, "layers": 2}
    whole = make_trainer(**settings)
    found = train(whole, 4 * N + 5)
    assert list(found) == list(measured_updates(1, 4 * N + 5)) == [N, 2 * N, 3 * N, 4 * N]
    rates = [metrics["learning_rate"] for metrics in found.values()]
    per_epoch = whole.updates_per_epoch
    assert rates == pytest.approx([0.1 * 0.9 ** ((at - 1) // per_epoch) for at in found])
    first = make_trainer(**settings)
    part = train(first, 2 * N - 3)
    second = make_trainer(**settings)
    second.restore(*first.state())
    assert part | train(second, 2 * N + 8) == found
    assert bytes_of(second) == bytes_of(whole)


def test_measuring_changes_nothing_that_is_learnt(monkeypatch):
    measured, plain = make_trainer(clip=0.1), make_trainer(clip=0.1)
    monkeypatch.setattr(plain, "_next_measurement", lambda: None)
    assert train(measured, 3 * N)
    assert not train(plain, 3 * N)
    assert bytes_of(measured) == bytes_of(plain)


def test_an_added_metric_sees_the_text_and_the_predictions(monkeypatch):
    seen = []

    def right_answers(update):
        seen.append((update, update.positions))
        return float((update.likeliest == update.y).mean())

    added = Metric(
        name="right_answers",
        label="right answers",
        unit="",
        explanation="The share of the characters that were predicted.",
        measure=right_answers,
        applies=lambda training: training.vocabulary is not None,
    )
    monkeypatch.setitem(METRICS, added.name, added)
    assert "right_answers" not in train(make_trainer(batch_size=3), N)[N]
    trainer = make_trainer(batch_size=3)
    trainer._training = dataclasses.replace(trainer._training, vocabulary=Vocabulary("abcdefg"))
    share = train(trainer, N)[N]["right_answers"]
    [(update, positions)] = seen
    assert update.x.shape == update.y.shape == update.losses.shape == (8, 3)
    for stream, position in enumerate(positions):
        text = update.training.text[position : position + 9]
        assert update.x[:, stream].tolist() == text[:-1].tolist()
        assert update.y[:, stream].tolist() == text[1:].tolist()
    # With 7 characters, one whose loss is below ln 2 is the likeliest.
    sure = update.losses < math.log(2)
    assert (update.likeliest == update.y)[sure].all()
    assert sure.mean() <= share <= 1
    assert update.loss == pytest.approx(update.losses.sum() / 3, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_right_answers_are_those_whose_likeliest_character_follows(batch_size):
    text = "".join(f"{a}{b}....{a}{b}\n" for a, b in product("vwxyz", repeat=2)) * 4
    vocabulary = Vocabulary.from_text(text)
    sizes = {"sequence_length": 12, "batch_size": batch_size, "hidden_size": 30}
    settings = TrainerSettings(**sizes, cell="gru", init_scale=1.0)
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), settings, vocabulary)
    shares = []
    for _ in range(8):
        train(trainer, N - 1)
        positions = trainer._batches.text_positions
        network, x, y = sequence_of_next_update(trainer)
        network.forward(x, y)
        right, answers = 0, 0
        for stream, position in enumerate(positions):
            for step in range(12):
                # Of the 9 characters of a line, the 7th and 8th are answers.
                if (position + step + 1) % 9 in {6, 7}:
                    answers += 1
                    logits = network._o.reshape(12, batch_size, -1)[step, stream]
                    right += int(logits.argmax()) == y[step, stream]
        share = train(trainer, 1)[trainer.updates]["right_answers"]
        assert share == right / answers
        shares.append(share)
    assert max(shares) > min(shares)


def test_an_update_without_answers_has_no_share_of_right_ones_and_a_novel_has_no_such_metric():
    text = "".join(f"{a}{b}{'.' * 60}{a}{b}\n" for a, b in product("vwxyz", repeat=2))
    vocabulary = Vocabulary.from_text(text)
    settings = TrainerSettings(hidden_size=3, sequence_length=6)
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), settings, vocabulary)
    shares = [metrics["right_answers"] for metrics in train(trainer, 40 * N).values()]
    assert 0 < sum(map(math.isnan, shares)) < len(shares)
    text = text[:-2] + "\n"
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), settings, vocabulary)
    assert "right_answers" not in train(trainer, N)[N]


def test_every_definition_is_complete():
    for name, metric in METRICS.items():
        assert METRIC_NAME.fullmatch(name)
        assert name == metric.name
        assert metric.label
        assert metric.explanation.endswith(".")
    assert not any(map(METRIC_NAME.fullmatch, ["", "A", "a-b", "../a", "a" * 41, "a\n"]))


def test_parameters_too_small_to_square_have_no_ratio_and_do_not_end_the_training():
    trainer = make_trainer(
        dtype="float64", optimizer="sgd", init_scale=1e-200, learning_rate=1e-200
    )
    found = train(trainer, N)[N]
    assert math.isnan(found["update_ratio"])
    assert found["gradient_norm"] > 0
