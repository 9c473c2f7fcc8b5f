"""A random network and a random text, whose gradients are checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import DTypeLike, NDArray

from server.rnn.cells import DEFAULT_CELL
from server.rnn.network import Network
from server.rnn.parameters import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork:
    """A random network, and a sequence for each of its streams.

    Attributes
    ----------
    network : Network
        A network with random parameters, state and masks.
    state : dict of str to ndarray of shape (B, m)
        A copy of the state before the sequence, which the network cannot change.
    x, y : ndarray of int, shape (T, B)
        The characters, and the character that follows each of them.
    """

    network: Network
    state: dict[str, Array]
    x: NDArray[np.integer]
    y: NDArray[np.integer]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every number in it."""
        return self.network.parameters.dtype

    def gradients(self) -> dict[str, Array]:
        """Return the gradients by back-propagation, by the names of the parameters."""
        self.network.forward(self.x, self.y)
        self.network.backward()
        return dict(self.network.gradients.copy().items())


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The settings of a random network, with the defaults of every gradient check.

    Attributes
    ----------
    cell : str
        The name of a cell in `CELLS`.
    hidden_size, layers, vocabulary_size, sequence_length, batch_size : int
        m, 1 to 4 layers, K, T and B, each at least 1.
    seed : int
        0 or greater.
    """

    cell: str = DEFAULT_CELL
    hidden_size: int = 20
    layers: int = 1
    vocabulary_size: int = 30
    sequence_length: int = 10
    batch_size: int = 1
    seed: int = 0


DEFAULTS = NetworkSettings()


def make_random_network(
    *,
    cell: str,
    hidden_size: int,
    layers: int,
    dropout: float,
    vocabulary_size: int,
    sequence_length: int,
    batch_size: int,
    seed: int,
    carried_state: bool,
    text: NDArray[np.integer] | None,
    dtype: DTypeLike,
) -> RandomNetwork:
    """Make a random network; the parameters are those of `check.check_gradients`."""
    rng = np.random.default_rng(SeedSequence(seed))
    network = Network(
        vocabulary_size,
        hidden_size,
        sequence_length,
        dtype,
        cell=cell,
        layers=layers,
        batch_size=batch_size,
    )
    for view in network.parameters.values():
        # Large enough that every term matters; small enough that nothing saturates and that long
        # sequences are not chaotic, where differences do not approximate derivatives.
        view[...] = 0.7 * rng.standard_normal(view.shape) / np.sqrt(view.shape[-1])
    if carried_state:
        for state in network.state.values():
            state[:] = rng.uniform(-1.0, 1.0, state.shape)
    if text is None:
        text = rng.integers(0, vocabulary_size, (sequence_length + 1, batch_size))
    text = text.reshape(sequence_length + 1, batch_size)
    if dropout > 0.0:
        network.draw_masks(rng, dropout)
    carried = {name: state.copy() for name, state in network.state.items()}
    return RandomNetwork(network=network, state=carried, x=text[:-1], y=text[1:])
