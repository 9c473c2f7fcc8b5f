"""Surprisal against the reference and the training loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.sampling.surprisal import surprisal
from tests.rnn.support import make_trainer, reference_losses

K = 7


def trained(updates=30, **changes):
    trainer = make_trainer(K=K, **changes)
    for _ in range(updates):
        trainer.update()
    return trainer.current_model()


def plain_nats(model, texts):
    """The surprisal by the reference."""
    sizes = model.architecture
    state = {name: np.zeros((len(texts), sizes.hidden_size)) for name in sizes.state_names}
    losses, _ = reference_losses(sizes, model.parameters, state, texts[:, :-1].T, texts[:, 1:].T)
    return losses.T


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 2e-3)])
def test_surprisal_follows_the_definitions(cell, layers, dtype, rtol):
    model = trained(cell=cell, layers=layers, dtype=dtype, dropout=0.5)
    texts = np.random.default_rng(1).integers(0, K, (3, 40))
    found = surprisal(model, texts)
    assert found.nats.shape == (3, 39)
    assert found.nats.dtype == np.float64
    np.testing.assert_allclose(found.nats, plain_nats(model, texts), rtol=rtol)


@given(n=st.integers(0, 12), streams=st.integers(1, 4), top=st.integers(0, K + 2))
@settings(max_examples=30, deadline=None)
def test_the_likeliest_characters_are_in_order(n, streams, top):
    model = trained(10, dtype="float64")
    texts = np.random.default_rng(n).integers(0, K, (streams, n))
    found = surprisal(model, texts, top)
    shape = (streams, max(n - 1, 0), min(top, K))
    assert found.top.shape == found.top_probabilities.shape == shape
    every = surprisal(model, texts, K)
    np.testing.assert_allclose(every.top_probabilities.sum(axis=2), 1.0)
    assert np.all(np.diff(every.top_probabilities, axis=2) <= 0)
    np.testing.assert_array_equal(found.top, every.top[:, :, :top])
    # The actual character is among them, with the probability of its surprisal.
    came = np.take_along_axis(
        every.top_probabilities,
        (every.top == texts[:, 1:, None]).argmax(axis=2)[..., None],
        axis=2,
    )
    np.testing.assert_allclose(-np.log(came[..., 0]), every.nats)


@pytest.mark.parametrize("streams", [1, 3])
def test_an_epochs_first_sequence_has_the_training_loss(streams):
    trainer = make_trainer(K=K, batch_size=streams, dtype="float64")
    model = trainer.current_model()
    x, y = trainer._batches.peek()
    texts = np.concatenate([x, y[-1:]]).T
    loss = surprisal(model, texts).nats.sum() / streams
    assert trainer.update() == pytest.approx(loss, rel=1e-12)


def test_surprisal_starts_from_zero_or_from_the_carried_state():
    trainer = make_trainer(K=K, n=400, dtype="float64", cell="lstm", layers=2)
    for _ in range(9):
        trainer.update()
    model = trainer.current_model()
    x, y = trainer._batches.peek()
    texts = np.concatenate([x, y[-1:]]).T
    # Training continues from the carried state.
    assert surprisal(model, texts, carried=True).nats.sum() == pytest.approx(trainer.update())
    for view in model.state.values():
        view[:] = 100.0
    np.testing.assert_allclose(surprisal(model, texts).nats, plain_nats(model, texts))


def test_unknown_characters_are_refused_and_diverged_parameters_are_not():
    model = trained()
    for index in (-1, K):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            surprisal(model, np.array([[0, index]]))
    model.parameters["V"][:] = np.nan
    assert np.isnan(surprisal(model, np.array([[0, 1, 2]])).nats).all()
