"""Models set aside: the best so far, by one measure or another."""

from collections.abc import Mapping

import numpy as np

from server.rnn.architecture import Architecture
from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.parameters import Array, Parameters


class ModelSnapshot:
    """A place for a network's parameters and carried state as they stand at some time.

    Parameters
    ----------
    network : Network
        What is kept is its.

    Attributes
    ----------
    next_index : int
        The input character that came next.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._parameters = network.parameters.copy()
        self._state = {name: view.copy() for name, view in network.state.items()}
        self.next_index = 0

    def keep(self, next_index: int) -> None:
        """Copy the network as it stands."""
        np.copyto(self._parameters.flat, self._network.parameters.flat)
        for name, view in self._network.state.items():
            np.copyto(self._state[name], view)
        self.next_index = next_index

    def arrays(self, prefix: str) -> dict[str, Array]:
        """Return views of all that is kept, by name, with `prefix` before it."""
        named = name_arrays(self._parameters, self._state)
        return {f"{prefix}{name}": view for name, view in named.items()}

    def model(self, update: int, smooth_loss: float | None) -> Model:
        """Return a copy of the model that is kept."""
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
    """Return a model with copies of parameters and of the first stream's state.

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
