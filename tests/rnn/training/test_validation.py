import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.network import Network
from server.rnn.training.trainer import (
    HeldOutTooShortError,
    NothingHeldOutError,
    TextTooShortError,
    Trainer,
)
from server.rnn.training.validation import (
    MAX_CHARACTERS,
    MAX_STREAMS,
    MIN_STREAM_LENGTH,
    Validation,
    divide_text,
    measure_held_out,
)
from tests.rnn.support import bytes_of, make_trainer, random_text


def carried_state(trainer):
    """Return the first stream's state; at the start of an epoch, the one before it was cleared."""
    return {name: view[0] for name, view in trainer._network.last_state.items()}


def by_the_definition(trainer, held_out, carried):
    """Read the held-out text character by character in one stream from a state, without dropout.

    At most 24 characters at its end are not read.
    """
    s = trainer.settings
    network = Network(
        trainer.vocabulary_size, s.hidden_size, 1, s.dtype, cell=s.cell, layers=s.layers
    )
    network.parameters.flat[:] = trainer.parameters.flat
    for name, state in network.state.items():
        state[:] = carried[name]
    predicted = len(held_out) - 1
    if predicted > 25:
        predicted -= predicted % 25
    losses = []
    for start in range(predicted):
        losses.append(
            float(network.forward(held_out[start : start + 1], held_out[start + 1 :][:1]))
        )
        network.carry()
    return s.sequence_length * sum(losses) / predicted


@settings(deadline=None, max_examples=30)
@given(
    cell=st.sampled_from(list(CELLS)),
    layers=st.integers(1, 2),
    batch_size=st.integers(1, 3),
    dropout=st.sampled_from([0.0, 0.5]),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    updates=st.integers(0, 20),
)
def test_validation_is_the_mean_loss_of_a_held_out_sequence(fraction, updates, **changes):
    text = random_text(400)
    trainer = make_trainer(400, dtype="float64", validation_fraction=fraction, **changes)
    for _ in range(updates):
        trainer.update()
    loss = trainer.validate()
    assert loss == trainer.validation_loss
    held_out = text[400 - int(400 * fraction) :]
    expected = by_the_definition(trainer, held_out, carried_state(trainer))
    assert loss == pytest.approx(expected, rel=1e-12)
    assert trainer.validate() == loss


@pytest.mark.parametrize("updates", [20, 24], ids=["within an epoch", "where one begins"])
def test_validation_starts_from_the_carried_state(updates):
    trainer = make_trainer(400, dtype="float64", validation_fraction=0.5, cell="lstm")
    for _ in range(updates):
        trainer.update()
    assert (trainer.position == 0) == (updates == 24)
    carried = carried_state(trainer)
    zero = {name: 0.0 * state for name, state in carried.items()}
    from_carried, from_zero = (
        by_the_definition(trainer, random_text(400)[200:], state) for state in (carried, zero)
    )
    assert trainer.validate() == pytest.approx(from_carried, rel=1e-12)
    assert abs(from_carried - from_zero) > 1e-9 * from_zero
    restored = make_trainer(400, dtype="float64", validation_fraction=0.5, cell="lstm")
    restored.restore(*trainer.state())
    if trainer.position:
        assert restored.validate() == trainer.validate()


def test_each_validation_stream_starts_from_a_carried_state():
    trainer = make_trainer(
        40_000, dtype="float64", validation_fraction=0.5, batch_size=3, hidden_size=5
    )
    for _ in range(30):
        trainer.update()
    part = Validation(random_text(40_000)[20_000:], trainer._network)._batches.stream_length
    streams = 20_000 // part
    losses = []
    for stream in range(streams):
        text = random_text(40_000)[20_000 + stream * part :][:part]
        carried = {name: view[stream % 3] for name, view in trainer._network.last_state.items()}
        losses.append(by_the_definition(trainer, text, carried))
    assert trainer.validate() == pytest.approx(sum(losses) / streams, rel=1e-9)


def test_held_out_text_does_not_affect_training():
    text = random_text(400)
    other = text.copy()
    other[300:] = 0
    trainers = []
    for indices in (text, other):
        trainer = make_trainer(400, validation_fraction=0.25)
        trainer.__init__(indices, 7, trainer.settings)
        trainers.append(trainer)
    one, two = trainers
    assert one.updates_per_epoch == (300 - 1) // 8
    for _ in range(100):
        assert one.update() == two.update()
    assert one.validate() != two.validate()


@pytest.mark.parametrize("changes", [{}, {"cell": "lstm", "layers": 2, "dropout": 0.5}], ids=str)
def test_validating_does_not_change_training(changes):
    changes = {"validation_fraction": 0.2, "batch_size": 2, **changes}
    left_alone, looked_at = make_trainer(**changes), make_trainer(**changes)
    looked_at.validate()
    for _ in range(60):
        assert left_alone.update() == looked_at.update()
        looked_at.validate()
        assert np.array_equal(left_alone.sample(20), looked_at.sample(20))
    learnt, _ = left_alone.state()
    arrays, _ = looked_at.state()
    for name, array in learnt.items():
        assert np.array_equal(arrays[name], array)


def test_the_best_models_by_validation_and_by_smooth_loss_are_both_saved():
    trainer = make_trainer(validation_fraction=0.3, init_scale=None, learning_rate=0.3)
    assert trainer.best_model(by="validation") is None
    models = {}
    for made in range(200):
        if made % 7 == 0:
            loss = trainer.validate()
            models[loss] = trainer.current_model()
            best = trainer.best_model(by="validation")
            assert trainer.best_validation_loss == min(models)
            expected = models[min(models)]
            assert trainer.best_validation_update == best.update == expected.update
            assert best.smooth_loss == expected.smooth_loss
            assert best.next_index == expected.next_index
            for name, array in expected.parameters.items():
                assert np.array_equal(best.parameters[name], array)
            assert np.array_equal(best.state["h"], expected.state["h"])
        trainer.update()
    # Random text cannot be predicted, only memorised.
    assert trainer.best_validation_update < trainer.best_update
    assert trainer.best_model().update == trainer.best_update


def test_a_loss_that_is_not_finite_is_never_the_best():
    trainer = make_trainer(validation_fraction=0.3)
    trainer.parameters["V"][:] = np.nan
    assert math.isnan(trainer.validate())
    assert trainer.best_validation_update is None
    assert trainer.best_model(by="validation") is None
    restored = make_trainer(validation_fraction=0.3)
    restored.restore(*trainer.state())
    assert math.isnan(restored.validation_loss)
    assert restored.best_validation_loss is None


def test_validating_without_held_out_text_is_refused():
    trainer = make_trainer()
    before = bytes_of(trainer)
    with pytest.raises(NothingHeldOutError):
        trainer.validate()
    assert bytes_of(trainer) == before
    assert trainer.best_model(by="validation") is None


@given(
    n=st.integers(1, 3000) | st.integers(1, 30_000_000),
    fraction=st.floats(0.0, 0.9999999),
    test_fraction=st.just(0.0) | st.floats(0.0, 0.9999999),
    T=st.integers(1, 60),
    B=st.integers(1, 8),
)
def test_the_text_is_divided_or_refused_with_a_fraction_that_works(
    n, fraction, test_fraction, T, B
):
    # Many characters, without allocating them.
    text = np.broadcast_to(np.uint16(0), n)
    fractions = {"validation_fraction": fraction, "test_fraction": test_fraction}
    held_out = sum(value > 0 for value in fractions.values())
    parts = None
    # Each part may be refused once.
    for _ in range(held_out + 1):
        refused = None
        try:
            parts = divide_text(text, T, B, **fractions)
        except TextTooShortError as error:
            refused = error
        if not isinstance(refused, HeldOutTooShortError):
            break
        possible = f"{refused.fraction:g}"
        assert str(refused).startswith(f"A {refused.field} of {fractions[refused.field]:g} ")
        assert str(refused).endswith(
            (f"at least {possible} is needed.", f"at most {possible} is possible.")
        )
        fractions[refused.field] = float(possible)
    if refused is not None:
        assert refused.needed == (B + held_out) * (T + 1) > n
        assert str(refused).count("to validate on") == (fraction > 0)
        assert str(refused).count("to test on") == (test_fraction > 0)
        return
    assert sum(map(len, parts)) == n
    for part, field in ((parts.validation, "validation_fraction"), (parts.test, "test_fraction")):
        assert len(part) == int(fractions[field] * n)
        assert len(part) >= T + 1 or not fractions[field]
    if held_out:
        assert len(parts.training) >= B * (T + 1)


def test_the_test_part_is_the_end_and_is_never_read():
    text, n = random_text(900), 900
    changes = {"validation_fraction": 0.2, "test_fraction": 0.1, "batch_size": 2, "cell": "lstm"}
    parts = divide_text(text, 7, 2, validation_fraction=0.2, test_fraction=0.1)
    assert [len(part) for part in parts] == [630, 180, 90]
    assert np.array_equal(np.concatenate(parts), text)
    trainer = make_trainer(n, dtype="float64", **changes)
    other = Trainer(
        np.concatenate([text[:810], np.zeros(90, text.dtype)]),
        trainer.vocabulary_size,
        trainer.settings,
    )
    for each in (trainer, other):
        for _ in range(2 * trainer.updates_per_epoch + 3):
            each.update()
        each.validate()
    assert bytes_of(trainer) == bytes_of(other)
    before = bytes_of(trainer)
    model = trainer.current_model()
    measured = measure_held_out(model, parts.test)
    carried = model.state
    expected = by_the_definition(trainer, parts.test, carried) / trainer.settings.sequence_length
    assert measured.nats == pytest.approx(expected, rel=1e-12)
    assert measured.characters == 75
    assert bytes_of(trainer) == before


def test_long_texts_are_validated_in_parallel_up_to_a_limit():
    network = Network(7, 6, 25)
    for length, streams in [
        (100, 1),
        (2 * MIN_STREAM_LENGTH - 1, 1),
        (2 * MIN_STREAM_LENGTH, 2),
        (MAX_CHARACTERS, MAX_STREAMS),
        (3 * MAX_CHARACTERS, MAX_STREAMS),
    ]:
        batches = Validation(random_text(length), network)._batches
        assert len(batches._streams) == streams
        assert batches._streams.size <= MAX_CHARACTERS
        assert batches.stream_length == min(length, MAX_CHARACTERS) // streams


@pytest.mark.parametrize("length", [2, 20, 1_500, 30_000, MAX_CHARACTERS + 5_000])
@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden_size": 500},
        {"cell": "lstm", "hidden_size": 128},
        {"cell": "gru", "hidden_size": 1_500},
        {"hidden_size": 5, "sequence_length": 1},
        {"hidden_size": 5, "sequence_length": 40, "batch_size": 7},
        {"hidden_size": 5, "sequence_length": 1_000},
        {"hidden_size": 5, "layers": 3},
    ],
    ids=str,
)
def test_every_network_validates_on_the_same_text(sizes, length):
    """Neither its size nor its sequence length matters."""
    text = random_text(length)
    sizes = {"sequence_length": 25, **sizes}
    reference, other = (
        Validation(text, Network(7, **each))
        for each in ({"hidden_size": 5, "sequence_length": 25}, sizes)
    )
    assert np.array_equal(reference._batches._streams, other._batches._streams)
    assert other.characters == reference.characters
    # But for a remainder that does not fill a step of each stream.
    streams = len(other._batches._streams)
    assert min(length, MAX_CHARACTERS) - 26 * streams <= other.characters < length


def test_the_validation_loss_of_a_character_does_not_depend_on_the_sequence_length():
    short, long = (make_trainer(4_000, validation_fraction=0.5, sequence_length=T) for T in (5, 50))
    long.parameters.flat[:] = short.parameters.flat
    assert short.validate() / 5 == pytest.approx(long.validate() / 50, rel=1e-6)


def test_a_large_network_validates_less_often():
    """Training since the last validation takes at least as long as the next one."""
    text = random_text(MAX_CHARACTERS)
    small, large = (Validation(text, Network(7, m, 25, cell="lstm")) for m in (10, 500))
    assert all(small.is_due(update, 1_000, 25) for update in (0, 1, 2, 5, 1_000, 7_000))
    for every, characters in ((1_000, 25), (10, 25), (100, 2_500), (1, 1)):
        due = [update for update in range(200_000) if large.is_due(update, every, characters)]
        assert due[0] == 0
        (apart,) = set(np.diff(due).tolist())
        assert apart % every == 0
        assert apart * characters * 3 >= large.characters
        assert apart == every or apart / 2 * characters * 3 < large.characters


def test_a_validation_in_steps_is_that_in_one():
    trainer, stepped = (make_trainer(4_000, validation_fraction=0.5) for _ in range(2))
    for each in (trainer, stepped):
        for _ in range(20):
            each.update()
    loss = trainer.validate()
    steps = stepped.validation_steps()
    for _ in range((2_000 - 1) // 25):
        next(steps)
        assert stepped.validation_loss is None
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == loss == stepped.validation_loss
    assert stepped.validation_update == 20
    assert bytes_of(stepped) == bytes_of(trainer)


def test_parallel_streams_measure_the_loss_of_one_stream():
    """Up to the effect of each stream's initial state."""
    trainer = make_trainer(40_000, validation_fraction=0.5, hidden_size=10)
    for _ in range(100):
        trainer.update()
    one = by_the_definition(trainer, random_text(40_000)[20_000:], carried_state(trainer))
    assert trainer.validate() == pytest.approx(one, rel=2e-3)
