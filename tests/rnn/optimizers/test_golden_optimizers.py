"""Every optimizer against PyTorch's, by saved figures; see golden/make_optimizers.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from server.rnn.optimizers import LEARNING_RATES, OPTIMIZERS
from server.rnn.training.trainer import Trainer, TrainerSettings
from tests.rnn import golden

GOLDEN = json.loads(Path(golden.__file__).with_name("optimizers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_updates_agree_with_pytorch(optimizer):
    trainer = Trainer(
        np.array(GOLDEN["text"]),
        GOLDEN["vocabulary_size"],
        TrainerSettings(
            hidden_size=GOLDEN["hidden_size"],
            sequence_length=GOLDEN["sequence_length"],
            optimizer=optimizer,
            learning_rate=LEARNING_RATES[optimizer],
            clip=GOLDEN["clip"],
            dtype="float64",
        ),
    )
    for name, values in GOLDEN["before"].items():
        trainer.parameters[name][...] = values
    expected = GOLDEN[optimizer]
    losses = [trainer.update() for _ in expected["losses"]]
    assert len(losses) == 10
    assert losses == pytest.approx(expected["losses"], rel=1e-9, abs=0.0)
    for name, values in expected["after"].items():
        assert trainer.parameters[name] == pytest.approx(np.array(values), rel=1e-9, abs=1e-12)
    assert trainer.updates == 10
    assert trainer.epoch == 2
