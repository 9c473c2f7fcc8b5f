import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.model import Model, ModelError
from server.rnn.sampling.inference import Stepper
from server.rnn.sampling.sampling import generate
from tests.rnn.support import reference_losses

networks = {"cell": st.sampled_from(list(CELLS)), "layers": st.integers(1, 4)}


def random_model(cell="rnn", layers=1, *, K=6, m=5, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    sizes = Architecture(vocabulary_size=K, hidden_size=m, cell=cell, layers=layers)
    shapes = sizes.parameter_shapes
    return Model(
        parameters={n: rng.standard_normal(s).astype(dtype) for n, s in shapes.items()},
        state={name: rng.uniform(-1, 1, m).astype(dtype) for name in sizes.state_names},
        next_index=2,
        update=7,
        smooth_loss=3.0,
        cell=cell,
        layers=layers,
    )


def test_parameter_names_are_the_courses_and_numbered_with_several_layers():
    one = Architecture(vocabulary_size=7, hidden_size=4, cell="gru")
    assert one.parameter_shapes == {
        "U": (12, 7),
        "W": (12, 4),
        "b": (12,),
        "d": (4,),
        "V": (7, 4),
        "c": (7,),
    }
    assert one.state_names == ("h",)
    two = Architecture(vocabulary_size=7, hidden_size=4, cell="lstm", layers=2)
    assert list(two.parameter_shapes.items()) == [
        ("U1", (16, 7)),
        ("W1", (16, 4)),
        ("b1", (16,)),
        ("U2", (16, 4)),
        ("W2", (16, 4)),
        ("b2", (16,)),
        ("V", (7, 4)),
        ("c", (7,)),
    ]
    assert two.state_names == ("h1", "c1", "h2", "c2")


@given(**networks, streams=st.integers(1, 3), seed=st.integers(0, 2**32))
def test_a_stepper_follows_the_definitions(cell, layers, streams, seed):
    model = random_model(cell, layers, seed=seed)
    stepper = Stepper(model, streams)
    state = {name: np.array([view] * streams) for name, view in model.state.items()}
    assert set(stepper.state) == set(state)
    rng = np.random.default_rng(seed)
    for _ in range(8):
        x = rng.integers(0, 6, streams)
        logits = stepper.step(x)
        assert logits.shape == (streams, 6)
        surprise = np.log(np.exp(logits).sum(axis=1))[:, None] - logits
        # Each stream once for each target.
        before = {name: np.tile(values, (6, 1)) for name, values in state.items()}
        targets = np.repeat(np.arange(6), streams)
        losses, after = reference_losses(
            model.architecture, model.parameters, before, np.tile(x, 6)[None], targets[None]
        )
        assert surprise.T.ravel() == pytest.approx(losses[0], abs=1e-9)
        state = {name: values[:streams] for name, values in after.items()}
        for name, view in stepper.state.items():
            assert view == pytest.approx(state[name], abs=1e-9)
    stepper.clear_state()
    assert not any(view.any() for view in stepper.state.values())
    assert all(view.any() for view in model.state.values())


@settings(deadline=None, max_examples=20)
@given(**networks, prime=st.lists(st.integers(0, 5), max_size=4))
def test_every_network_generates(cell, layers, prime):
    model = random_model(cell, layers)
    prime = np.array(prime, dtype=np.intp)
    text = generate(model, 300, seed=1, prime=prime)
    assert text.shape == (300,)
    assert np.array_equal(text, generate(model, 300, seed=1, prime=prime))
    likeliest = generate(model, 20, seed=1, temperature=0, prime=prime)
    stepper, index = Stepper(model), model.next_index
    if len(prime):
        *before, index = prime
        for character in before:
            stepper.step(character)
    for character in likeliest:
        index = int(stepper.step(index)[0].argmax())
        assert index == character


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_diverged_parameters_still_generate(cell, poison):
    model = random_model(cell, 2, dtype=np.float32)
    model.parameters["W1"][:] = poison
    text = generate(model, 300, seed=1)
    assert text.min() >= 0
    assert text.max() < model.vocabulary_size


def without(name):
    def damage(model):
        del model.parameters[name]

    return damage


def replaced(part, name, array):
    def damage(model):
        getattr(model, part)[name] = array

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        without("V"),
        without("W"),
        without("d"),
        replaced("parameters", "Z", np.zeros(3)),
        replaced("parameters", "V", np.zeros(3)),
        replaced("parameters", "V", np.zeros((6, 5), dtype=int)),
        replaced("parameters", "W", np.zeros((5, 5))),
        replaced("parameters", "W", np.zeros((15, 5), dtype=np.float32)),
        replaced("state", "h", np.zeros((1, 5))),
        replaced("state", "c", np.zeros(5)),
    ],
)
def test_parts_that_do_not_fit_are_refused(damage):
    model = random_model("gru")
    damage(model)
    with pytest.raises(ModelError):
        dataclasses.replace(model)


@pytest.mark.parametrize(
    "change",
    [{"cell": "lstm"}, {"cell": "tree"}, {"layers": 2}, {"layers": 0}, {"next_index": 6}],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(change):
    with pytest.raises(ModelError):
        dataclasses.replace(random_model("gru"), **change)
