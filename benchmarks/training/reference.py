"""The reference implementation on the text of the comparison: the loop as it is taught.

One-hot vectors, a dictionary entry for each time step, an outer product for each gradient of each
step, float64 throughout: it is written to be read, neither slower nor faster than is usual.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.tasks import indices, vocabulary
from server.rnn.network import parameter_shapes
from server.rnn.reference import network, vanilla

HIDDEN_SIZE = 100
SEQUENCE_LENGTH = 25


def initial_parameters() -> dict[str, NDArray[np.float64]]:
    """Return the parameters that the course starts from."""
    rng = np.random.default_rng(0)
    shapes = parameter_shapes(len(vocabulary()), HIDDEN_SIZE)
    return {
        name: 0.01 * rng.standard_normal(shape) if len(shape) == 2 else np.zeros(shape)
        for name, shape in shapes.items()
    }


def reference_updates() -> Iterator[float]:
    """Yield the loss of each update of the vanilla network."""
    for loss, _, _ in network.train(vanilla, initial_parameters(), indices(), SEQUENCE_LENGTH):
        yield loss
