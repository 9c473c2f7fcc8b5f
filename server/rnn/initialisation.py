"""The parameters before the first update."""

import math

import numpy as np
from numpy.random import SeedSequence

from server.rnn.network import Network
from server.rnn.training.settings import INITIALISATION, TrainerSettings

# A cell that forgets half of its state at every step learns nothing that lies far back; so it
# begins by keeping most of it, about 0.73 (F. A. Gers et al., 2000; R. Jozefowicz, W. Zaremba and
# I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015).
FORGET_BIAS = 1.0


def initialise(network: Network, settings: TrainerSettings) -> None:
    """Draw all matrices of `network` from normal distributions; the biases become 0.

    The one bias that does not is that of an LSTM's forget gate, which becomes `FORGET_BIAS`. The
    numbers are drawn in float64 and rounded, so that networks of both types start alike.

    Parameters
    ----------
    network : Network
        Its parameters are replaced.
    settings : TrainerSettings
        Of which `seed` and `init_scale` are used.
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
    if sizes.cell == "lstm":
        m = sizes.hidden_size
        for layer in range(sizes.layers):
            parameters[sizes.name("b", layer)][2 * m : 3 * m] = FORGET_BIAS
