import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rnn.cells.vanilla_stream import VanillaStream
from server.rnn.gradient_check import check_gradients, relative_errors


@settings(deadline=None, max_examples=40)
@given(
    hidden_size=st.integers(1, 12),
    vocabulary_size=st.integers(1, 15),
    sequence_length=st.integers(1, 30),
    seed=st.integers(0, 2**32),
    carried_state=st.booleans(),
)
def test_every_gradient_agrees_with_both_numerical_derivatives(**sizes):
    check = check_gradients(**sizes)
    assert check.passed
    assert {p.name for p in check.parameters} == {"U", "W", "b", "V", "c"}
    for parameter in check.parameters:
        assert parameter.complex_step < 1e-9
        assert parameter.central_difference < 1e-6


def test_the_defaults_agree():
    check = check_gradients()
    assert check.passed
    assert {p.name: p.shape for p in check.parameters} == {
        "U": (20, 30),
        "W": (20, 20),
        "b": (20,),
        "V": (30, 20),
        "c": (30,),
    }
    assert all(np.abs(p.analytic).max() > 1e-3 for p in check.parameters)


def test_a_given_text_is_what_is_read():
    check = check_gradients(vocabulary_size=5, sequence_length=3, text=np.array([0, 1, 0, 1]))
    assert check.passed
    (U,) = (p for p in check.parameters if p.name == "U")
    assert not U.analytic[:, 2:].any()
    assert U.analytic[:, :2].all()


def test_a_gradient_that_forgets_the_past_is_found(monkeypatch):
    def truncated(cell):
        cell.state_gradients *= 1.0 - cell._states**2
        np.matmul(cell._reads_transposed, cell.state_gradients, cell._gradients.UWb)

    monkeypatch.setattr(VanillaStream, "backward", truncated)
    check = check_gradients()
    assert not check.passed
    worst = {p.name: p.complex_step for p in check.parameters}
    assert worst["V"] < 1e-9
    assert worst["c"] < 1e-9
    assert min(worst["U"], worst["W"], worst["b"]) > 0.01


def test_relative_error_is_measured_against_the_floor_near_zero():
    assert relative_errors(np.array([1e-7]), np.array([0.0])) == pytest.approx(0.1)
    assert relative_errors(np.array([3.0]), np.array([1.0])) == pytest.approx(0.5)
    assert relative_errors(np.array([0.0]), np.array([0.0])) == 0.0
