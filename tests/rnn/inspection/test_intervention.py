import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.inspection.intervention import intervene
from server.rnn.reference import network as reference
from server.rnn.sampling.hold import Hold
from server.rnn.sampling.sampling import generate
from server.rnn.training.trainer import Trainer, TrainerSettings
from tests.rnn.cells.mgu import MGU

K = 23
ALL_CELLS = [*CELLS, MGU.name]


@pytest.fixture
def trained_model(monkeypatch):
    monkeypatch.setitem(CELLS, MGU.name, MGU)

    def train(cell, layers):
        settings = TrainerSettings(
            cell=cell, layers=layers, hidden_size=12, dtype="float64", init_scale=None
        )
        trainer = Trainer(np.arange(200) ** 2 % K, K, settings)
        for _ in range(30):
            trainer.update()
        return trainer.current_model()

    return train


def likeliest_while_held(model, hold, length):
    """The likeliest characters by the cells' definitions, a layer and a step at a time."""
    parameters = reference.split_layers(model.parameters)
    states = reference.split_layers(model.state)
    index, written = model.next_index, []
    for _ in range(length):
        inputs = np.eye(K)[index]
        for number, (layer, own) in enumerate(parameters.items()):
            steps = CELLS[model.cell].reference.forward(own, [inputs], states[layer])
            states[layer] = {name: steps[name][0] for name in CELLS[model.cell].states}
            if number == hold.layer:
                states[layer]["h"] = states[layer]["h"].copy()
                states[layer]["h"][hold.unit] = hold.value
            inputs = states[layer]["h"]
        index = int((model.parameters["V"] @ inputs + model.parameters["c"]).argmax())
        written.append(index)
    return written


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ALL_CELLS)
def test_the_next_step_and_what_is_above_read_the_held_value(trained_model, cell, layers):
    model = trained_model(cell, layers)
    changed = 0
    for layer in range(layers):
        for unit, value in ((3, -1.0), (7, 0.9)):
            hold = Hold(layer=layer, unit=unit, value=value)
            found = intervene(model, 40, hold, temperature=0.0, seed=1)
            assert found.held.tolist() == likeliest_while_held(model, hold, 40)
            assert np.array_equal(found.without, generate(model, 40, temperature=0.0, seed=1))
            changed += found.first_difference is not None
    assert changed


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ALL_CELLS)
def test_a_unit_that_nothing_reads_changes_no_character(trained_model, cell, layers):
    model = trained_model(cell, layers)
    for name, parameter in model.parameters.items():
        # U of the first layer reads characters.
        if name[0] in "WV" or name == "U2":
            parameter[:, 5] = 0.0
    hold = Hold(layer=layers - 1, unit=5, value=1.0)
    prime = np.array([4, 0, 9])
    found = intervene(model, 500, hold, temperature=0.8, seed=3, prime=prime)
    assert found.first_difference is None
    expected = generate(model, 500, temperature=0.8, seed=3, prime=prime)
    assert np.array_equal(found.held, expected)
    assert np.array_equal(found.without, expected)


def test_the_first_difference_is_named(trained_model):
    model = trained_model("rnn", 1)
    found = intervene(model, 300, Hold(layer=0, unit=2, value=1.0), seed=8)
    at = found.first_difference
    assert at is not None
    assert np.array_equal(found.without[:at], found.held[:at])
    assert found.without[at] != found.held[at]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("layer", "unit"), [(-1, 0), (2, 0), (0, 12), (0, -1)])
def test_a_unit_that_is_not_there_is_refused(trained_model, layers, layer, unit):
    model = trained_model("rnn", layers)
    with pytest.raises(ValueError, match=r"The network has no (layer|unit)"):
        intervene(model, 10, Hold(layer=layer, unit=unit, value=0.0), seed=0)
