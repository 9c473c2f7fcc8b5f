"""A saved copy of a network: the best model so far, by one measure or another."""

from collections.abc import Mapping

import numpy as np

from server.rnn.architecture import Architecture
from server.rnn.model import Model
from server.rnn.parameters import Array, Parameters
from server.rnn.threaded_network import AnyNetwork


class ModelSnapshot:
    """A copy of a network's parameters and carried state.

    Its buffers are allocated once, so that saving during training allocates nothing.

    Parameters
    ----------
    network : Network or ThreadedNetwork
        The network to copy.

    Attributes
    ----------
    next_index : int
        The next input character of the first stream at the time of the copy.
    """

    def __init__(self, network: AnyNetwork) -> None:
        self._network = network
        self._parameters = network.parameters.copy()
        self._state = {name: view.copy() for name, view in network.state.items()}
        self.next_index = 0

    def save(self, next_index: int) -> None:
        """Copy the network, over the copy before."""
        np.copyto(self._parameters.flat, self._network.parameters.flat)
        for name, view in self._network.state.items():
            np.copyto(self._state[name], view)
        self.next_index = next_index

    def arrays(self, prefix: str) -> dict[str, Array]:
        """Return views of the saved arrays by name, each with `prefix` before it."""
        named = name_arrays(self._parameters, self._state)
        return {f"{prefix}{name}": view for name, view in named.items()}

    def model(self, update: int, smooth_loss: float | None) -> Model:
        """Return the saved model, as a copy."""
        return copy_model(
            self._network.architecture,
            self._parameters,
            self._state,
            next_index=self.next_index,
            update=update,
            smooth_loss=smooth_loss,
        )


def name_arrays(parameters: Parameters, state: Mapping[str, Array]) -> dict[str, Array]:
    """Return views of parameters and state as ``parameters.*`` and ``state.*``."""
    return {
        **{f"parameters.{name}": view for name, view in parameters.items()},
        **{f"state.{name}": view for name, view in state.items()},
    }


def copy_model(
    architecture: Architecture,
    parameters: Parameters,
    state: Mapping[str, Array],
    *,
    next_index: int,
    update: int,
    smooth_loss: float | None,
) -> Model:
    """Return a model with copies of the parameters and of the first stream's state.

    Parameters
    ----------
    architecture : Architecture
    parameters : Parameters
    state : mapping of str to ndarray of shape (B, m)
    next_index, update, smooth_loss
        As for `Model`.
    """
    return Model(
        parameters=dict(parameters.copy().items()),
        state={name: view[0].copy() for name, view in state.items()},
        next_index=next_index,
        update=update,
        smooth_loss=smooth_loss,
        cell=architecture.cell,
        layers=architecture.layers,
    )
