"""The golden networks' sizes, texts and parameters; nothing here needs PyTorch."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

PATH = Path(__file__).with_name("networks.npz")

K, m, T, UPDATES, CLIP = 5, 4, 6, 10, 1.0

LEARNING_RATES = {"adagrad": 0.1, "adam": 0.002, "rmsprop": 0.002, "sgd": 0.1}


class Case(NamedTuple):
    """One golden run."""

    cell: str
    layers: int
    batch_size: int
    optimizer: str

    @property
    def key(self):
        return f"{self.cell}-{self.layers}-{self.batch_size}-{self.optimizer}"


CELLS = ("rnn", "gru", "lstm")

CASES = [
    *(Case(*case, "adagrad") for case in product(CELLS, (1, 2, 3), (1, 3))),
    *(Case(cell, 2, 3, rule) for cell, rule in product(CELLS, ("adam", "rmsprop", "sgd"))),
]


def text(batch_size):
    """Return five sequences for each stream, so that ten updates are two epochs."""
    length = batch_size * (5 * T + 1)
    return (np.arange(length) ** 3 // 7 + np.arange(length) // 4) % K


def fill(shapes):
    """Return irregular numbers in [-0.8, 0.8] for each parameter, by its name."""
    values, start = {}, 1
    for name, shape in shapes.items():
        numbers = np.arange(start, start + np.prod(shape))
        values[name] = 0.8 * np.sin(0.7 * numbers**2).reshape(shape)
        start += numbers.size
    return values
