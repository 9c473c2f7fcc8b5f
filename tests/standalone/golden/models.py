"""The models of the golden probabilities; nothing here needs PyTorch."""

from itertools import product
from pathlib import Path

from server.rnn.architecture import Architecture
from server.rnn.model import Model
from server.rnn.vocabulary import Vocabulary
from tests.rnn.golden.networks import CELLS, K, fill, m

PATH = Path(__file__).with_name("probabilities.npz")
VOCABULARY = Vocabulary("\n é海🐋")
TEXT = "é海 🐋\n\n海海é  🐋é"
CASES = [*product(CELLS, (1, 2, 4), ("float32",)), ("lstm", 2, "float64")]


def key(cell, layers, dtype):
    return f"{cell}-{layers}-{dtype}"


def model(cell, layers, dtype):
    """A model with irregular numbers in [-0.8, 0.8]."""
    sizes = Architecture(vocabulary_size=K, hidden_size=m, cell=cell, layers=layers)
    states = fill(dict.fromkeys(sizes.state_names, (m,)))
    return Model(
        parameters={
            name: array.astype(dtype) for name, array in fill(sizes.parameter_shapes).items()
        },
        state={name: array.astype(dtype) for name, array in states.items()},
        next_index=0,
        update=10,
        smooth_loss=1.5,
        cell=cell,
        layers=layers,
    )
