import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.inspection import series
from server.rnn.inspection.series import read_series
from server.rnn.sampling.inference import Stepper
from tests.rnn.support import make_trainer

WARM_UP = 200


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_parts_read_in_parallel_equal_one_text(cell, layers, monkeypatch):
    """A text of three parts; after the warm-up the states of a small network are the same."""
    trainer = make_trainer(K=9, cell=cell, layers=layers, hidden_size=5, init_scale=0.15, seed=1)
    model = trainer.current_model()
    indices = np.random.default_rng(2).integers(0, 9, WARM_UP + 650)
    monkeypatch.setattr(series, "READ_AT_ONCE", 2)
    found = read_series(model, indices, WARM_UP)
    stepper, expected = Stepper(model), []
    for index in indices:
        stepper.step(index)
        names = [model.architecture.name("h", layer) for layer in range(layers)]
        expected.append(np.concatenate([stepper.state[name][0] for name in names]))
    assert found.shape == (layers * 5, 650)
    assert np.allclose(found, np.array(expected)[WARM_UP:].T, atol=1e-5)
