import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells import CELLS
from server.rnn.cells.inputs import HiddenStates
from server.rnn.cells.vanilla_stream import VanillaStream
from server.rnn.gradient_check.check import check_gradients, relative_errors
from server.rnn.gradient_check.error_curve import error_against_step
from server.rnn.gradient_check.numerical_derivatives import CENTRAL_STEP
from server.rnn.network import Network

cells = st.sampled_from(list(CELLS))


@given(
    cell=cells,
    layers=st.integers(1, 4),
    batch_size=st.integers(1, 4),
    dropout=st.sampled_from([0.0, 0.3]),
    # The cost grows with their product, and mistakes show in small networks.
    hidden_size=st.integers(1, 5),
    vocabulary_size=st.integers(1, 7),
    sequence_length=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    carried_state=st.booleans(),
)
def test_every_gradient_agrees_with_both_numerical_derivatives(**sizes):
    check = check_gradients(**sizes)
    for parameter in check.parameters:
        # If terms of about 1 cancel to a millionth, rounding is 1e-10 of the result.
        assert parameter.complex_step < 1e-9
        assert parameter.central_difference < 1e-6


def test_a_finer_step_is_used_where_the_loss_curves():
    sizes = {"layers": 4, "hidden_size": 2, "vocabulary_size": 10, "sequence_length": 17}
    bent = {"batch_size": 4, "seed": 2453425757} | sizes
    assert check_gradients(**bent).passed
    stiff = check_gradients(step=CENTRAL_STEP, **bent)
    assert max(p.central_difference for p in stiff.parameters) > 1e-4
    assert max(p.complex_step for p in stiff.parameters) < 1e-10


@pytest.mark.parametrize(
    ("cell", "gates", "layers"), [("rnn", 1, 1), ("rnn", 1, 2), ("gru", 3, 1), ("lstm", 4, 1)]
)
def test_the_check_passes_with_default_sizes(cell, gates, layers):
    check = check_gradients(cell=cell, layers=layers)
    assert check.passed
    assert check.dtype == "float64"
    shapes = {p.name: p.shape for p in check.parameters}
    rows = 20 * gates
    numbers = [""] if layers == 1 else ["1", "2"]
    for number, inputs in zip(numbers, (30, 20), strict=False):
        assert shapes.pop(f"U{number}") == (rows, inputs)
        assert shapes.pop(f"W{number}") == (rows, 20)
        assert shapes.pop(f"b{number}") == (rows,)
        if cell == "gru":
            assert shapes.pop(f"d{number}") == (20,)
    assert shapes == {"V": (30, 20), "c": (30,)}
    for parameter in check.parameters:
        assert np.abs(parameter.analytic).max() > 1e-3
        assert parameter.complex_step_errors.shape == parameter.shape
        assert parameter.central_difference_errors.shape == parameter.shape


def test_a_given_text_is_read():
    check = check_gradients(vocabulary_size=5, sequence_length=3, text=np.array([0, 1, 0, 1]))
    assert check.passed
    (U,) = (p for p in check.parameters if p.name == "U")
    assert not U.analytic[:, 2:].any()
    assert U.analytic[:, :2].all()


@settings(deadline=None, max_examples=30)
@given(
    cell=cells,
    layers=st.integers(1, 3),
    batch_size=st.integers(1, 3),
    dropout=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**32),
)
def test_the_networks_own_loss_has_the_same_complex_step(cell, layers, batch_size, dropout, seed):
    """The check differentiates the reference; this is the network that trains."""
    rng = np.random.default_rng(seed)
    made = {
        dtype: Network(6, 4, 7, dtype, cell=cell, layers=layers, batch_size=batch_size)
        for dtype in (np.float64, np.complex128)
    }
    network, shadow = made.values()
    network.parameters.flat[:] = 0.5 * rng.standard_normal(network.parameters.flat.size)
    shadow.parameters.flat[:] = network.parameters.flat
    for name, state in network.state.items():
        state[:] = rng.uniform(-1, 1, state.shape)
        shadow.state[name][:] = state
    for either in made.values():
        if dropout:
            either.draw_masks(np.random.default_rng(seed), dropout)
    text = rng.integers(0, 6, (8, batch_size))
    network.forward(text[:-1], text[1:])
    network.backward()
    for i in rng.integers(0, network.parameters.flat.size, 20):
        shadow.parameters.flat[i] += 1e-30j
        derivative = shadow.forward(text[:-1], text[1:]).imag / 1e-30
        shadow.parameters.flat[i] = network.parameters.flat[i]
        assert relative_errors(network.gradients.flat[i], derivative) < 1e-10


def truncate(cell):
    """Omit the gradient from the following step."""
    cell.state_gradients *= 1.0 - cell._states**2
    np.matmul(cell._reads_transposed, cell.state_gradients, cell._gradients.UWb_T)


def test_a_truncated_gradient_fails_the_check(monkeypatch):
    monkeypatch.setattr(VanillaStream, "backward", truncate)
    check = check_gradients()
    assert not check.passed
    worst = {p.name: p.complex_step for p in check.parameters}
    assert worst["V"] < 1e-10
    assert worst["c"] < 1e-10
    assert min(worst["U"], worst["W"], worst["b"]) > 0.01


@pytest.mark.parametrize("cell", CELLS)
def test_a_wrong_forward_pass_fails_the_check(monkeypatch, cell):
    """Its gradients are those of its own loss, but it is another network."""
    layer_class = CELLS[cell].layer
    forward = layer_class.forward

    def carry_less(layer):
        layer.hidden[0, :, :-1] *= 0.9
        forward(layer)

    monkeypatch.setattr(layer_class, "forward", carry_less)
    assert not check_gradients(cell=cell, batch_size=2, hidden_size=6, vocabulary_size=8).passed


def test_a_mask_missing_in_the_backward_pass_fails_the_check(monkeypatch):
    def forgetful(inputs, d_a):
        np.matmul(inputs._inputs.T, d_a, inputs._gradients)
        np.matmul(d_a[0], inputs._U[0], inputs._state_gradients)

    monkeypatch.setattr(HiddenStates, "backward", forgetful)
    assert check_gradients(layers=2).passed
    assert not check_gradients(layers=2, dropout=0.3).passed


@pytest.mark.parametrize("cell", CELLS)
def test_each_mistake_makes_a_correct_gradient_look_wrong(cell):
    right, clipped, narrow, carried = (
        check_gradients(cell=cell, hidden_size=8, vocabulary_size=12, mistake=mistake)
        for mistake in (None, "clipping", "float32", "state")
    )
    assert right.passed
    assert not clipped.passed
    assert not narrow.passed
    assert not carried.passed
    worst = [max(p.central_difference for p in c.parameters) for c in (clipped, narrow, carried)]
    assert min(worst) > 0.1
    for ours, theirs in zip(right.parameters, carried.parameters, strict=True):
        assert np.array_equal(ours.analytic, theirs.analytic)
    # A clipped gradient is correct where it was not clipped. The complex step is correct to the
    # precision of float32.
    assert any(p.complex_step_errors.min() < 1e-10 for p in clipped.parameters)
    assert narrow.dtype == "float32"
    assert max(p.complex_step for p in narrow.parameters) < 0.05


@pytest.mark.parametrize("step", [1e-10, 0.5])
def test_a_step_too_small_or_too_large_affects_only_the_difference(step):
    check = check_gradients(hidden_size=8, step=step)
    assert not check.passed
    assert max(p.central_difference for p in check.parameters) > 1e-4
    assert max(p.complex_step for p in check.parameters) < 1e-10


def test_the_error_of_a_difference_has_a_minimum_and_the_complex_step_none():
    curve = error_against_step()
    steps = list(curve.steps)
    assert steps == sorted(steps, reverse=True)
    for errors, least in ((curve.central_difference, 1e-6), (curve.textbook_difference, 1e-4)):
        lowest = errors.index(min(errors))
        assert 0 < lowest < len(steps) - 1
        assert errors[lowest] < least
        assert errors[0] > 10 * errors[lowest]
        assert errors[-1] > 0.1
    assert min(curve.central_difference) < min(curve.textbook_difference)
    assert all(e < 1e-10 for s, e in zip(steps, curve.complex_step, strict=True) if s < 1e-8)


def test_relative_error_is_measured_against_the_floor_near_zero():
    assert relative_errors(np.array([1e-7]), np.array([0.0])) == pytest.approx(0.1)
    assert relative_errors(np.array([3.0]), np.array([1.0])) == pytest.approx(0.5)
    assert relative_errors(np.array([0.0]), np.array([0.0])) == 0.0
