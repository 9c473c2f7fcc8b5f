"""Networks that have learned nothing, to compare a trained one with."""

import numpy as np

from server.rnn.initialisation import initialise
from server.rnn.model import Model
from server.rnn.network import Network
from server.rnn.training.settings import TrainerSettings


def untrained_model(vocabulary_size: int, settings: TrainerSettings) -> Model:
    """Return a network as a run with these settings begins, with a zero state.

    Parameters
    ----------
    vocabulary_size : int
        K.
    settings : TrainerSettings
        Of these, the architecture, the type, the seed and the scale of the parameters are used.
    """
    network = Network(
        vocabulary_size,
        settings.hidden_size,
        1,
        np.dtype(settings.dtype),
        cell=settings.cell,
        layers=settings.layers,
    )
    initialise(network, settings)
    return Model(
        parameters=dict(network.parameters.items()),
        state={name: view[0].copy() for name, view in network.state.items()},
        next_index=0,
        update=0,
        smooth_loss=None,
        cell=settings.cell,
        layers=settings.layers,
    )
