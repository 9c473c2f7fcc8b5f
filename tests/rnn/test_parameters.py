import numpy as np
import pytest

from server.rnn.network import parameter_shapes
from server.rnn.parameters import Parameters


@pytest.fixture
def parameters():
    p = Parameters(parameter_shapes(vocabulary_size=3, hidden_size=2), "float64")
    p.flat[:] = np.arange(p.flat.size)
    return p


def test_views_have_the_courses_shapes_and_share_the_buffer(parameters):
    assert parameters.shapes == {"U": (2, 3), "W": (2, 2), "b": (2,), "V": (3, 2), "c": (3,)}
    assert {name: view.shape for name, view in parameters.items()} == parameters.shapes
    for name in parameters:
        assert np.shares_memory(parameters[name], parameters.flat)
    parameters["U"][1, 2] = -1.0
    assert (parameters.flat == -1.0).sum() == 1


def test_every_number_belongs_to_exactly_one_parameter(parameters):
    assert len(parameters) == 5
    numbers = np.concatenate([view.ravel() for _, view in parameters.items()])
    assert sorted(numbers) == list(range(parameters.flat.size))


def test_adjacent_parameters_stack_to_one_matrix(parameters):
    stacked = parameters.stack("U", "b")
    expected = np.vstack([parameters["U"].T, parameters["W"].T, parameters["b"]])
    assert np.array_equal(stacked, expected)
    assert np.shares_memory(stacked, parameters.flat)
    with pytest.raises(ValueError, match="first axis"):
        parameters.stack("b", "V")


def test_a_copy_has_its_own_buffer(parameters):
    copy = parameters.copy()
    copy["W"][:] = 0.0
    assert parameters["W"].any()
    assert copy.names == parameters.names
    assert copy.dtype == parameters.dtype


@pytest.mark.parametrize(
    "flat", [np.zeros(3), np.zeros(19, dtype=np.float32), np.zeros(38)[::2]], ids=str
)
def test_a_buffer_that_does_not_fit_is_refused(parameters, flat):
    with pytest.raises(ValueError, match="contiguous"):
        parameters.like(flat)
