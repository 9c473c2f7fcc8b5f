"""Every cell against PyTorch's, by saved figures; see golden/make_networks.py."""

import numpy as np
import pytest

from server.rnn.network import Network
from server.rnn.training.trainer import Trainer, TrainerSettings
from tests.rnn.golden import networks
from tests.rnn.golden.networks import CASES, CLIP, LEARNING_RATES, PATH, UPDATES, K, T, m


@pytest.fixture(scope="module")
def golden():
    with np.load(PATH, allow_pickle=False) as archive:
        return dict(archive)


def flat(parameters):
    """Return all numbers in one row, parameter by parameter, in the course's shapes."""
    return np.concatenate([view.ravel() for view in parameters.values()])


def agree(ours, theirs):
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_ten_updates_agree_with_pytorch(golden, case):
    text = networks.text(case.batch_size)
    settings = TrainerSettings(
        cell=case.cell,
        hidden_size=m,
        layers=case.layers,
        sequence_length=T,
        batch_size=case.batch_size,
        optimizer=case.optimizer,
        learning_rate=LEARNING_RATES[case.optimizer],
        clip=CLIP,
        dtype="float64",
    )
    trainer = Trainer(text, K, settings)
    for name, values in networks.fill(trainer.parameters.shapes).items():
        trainer.parameters[name][...] = values
    losses = [trainer.update() for _ in range(UPDATES)]
    assert losses == pytest.approx(golden[f"{case.key}-losses"].tolist(), rel=1e-9, abs=0.0)
    assert agree(flat(trainer.parameters), golden[f"{case.key}-after"])
    assert trainer.epoch == 3


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.optimizer == "adagrad"], ids=lambda case: case.key
)
def test_the_first_gradients_agree_with_pytorch(golden, case):
    network = Network(
        K, m, T, "float64", cell=case.cell, layers=case.layers, batch_size=case.batch_size
    )
    for name, values in networks.fill(network.parameters.shapes).items():
        network.parameters[name][...] = values
    parts = networks.text(case.batch_size).reshape(case.batch_size, -1).T
    loss = network.forward(parts[:T], parts[1 : T + 1])
    network.backward()
    assert float(loss) == pytest.approx(golden[f"{case.key}-losses"][0], rel=1e-9, abs=0.0)
    assert agree(flat(network.gradients), golden[f"{case.key}-gradients"])
    assert np.abs(network.gradients.flat).max() > 0.1
