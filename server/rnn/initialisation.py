"""The initial parameters."""

import math

import numpy as np
from numpy.random import SeedSequence

from server.rnn.cells import CELLS
from server.rnn.threaded_network import AnyNetwork
from server.rnn.training.settings import INITIALISATION, TrainerSettings


def initialise(network: AnyNetwork, settings: TrainerSettings) -> None:
    """Draw all matrices of `network` from normal distributions, and set the biases.

    The biases become 0, or the cell's `initial_biases`. The numbers are drawn in float64 and
    rounded, so that networks of both types start alike.

    Parameters
    ----------
    network : Network or ThreadedNetwork
        Its parameters are overwritten.
    settings : TrainerSettings
        Only `seed` and `init_scale` are used.
    """
    rng = np.random.default_rng(SeedSequence(settings.seed, spawn_key=(INITIALISATION,)))
    sizes, parameters = network.architecture, network.parameters
    parameters.flat[:] = 0.0
    names = [sizes.name(symbol, layer) for layer in range(sizes.layers) for symbol in "WU"]
    for name in (*names, "V"):
        view = parameters[name]
        scale = settings.init_scale
        if scale is None:
            scale = 1.0 / math.sqrt(view.shape[1])
        view[:] = scale * rng.standard_normal(view.shape)
    if initial_biases := CELLS[sizes.cell].initial_biases:
        for layer in range(sizes.layers):
            parameters[sizes.name("b", layer)][:] = np.repeat(initial_biases, sizes.hidden_size)
