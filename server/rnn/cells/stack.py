"""The layers of a network, one above the other."""

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.cells.inputs import Characters, HiddenStates
from server.rnn.cells.layer import Layer, LayerParameters
from server.rnn.parameters import Parameters


def make_layers(
    architecture: Architecture,
    parameters: Parameters,
    gradients: Parameters,
    sequence_length: int,
    streams: int,
) -> tuple[Characters, list[Layer]]:
    """Make the layers of a network.

    Parameters
    ----------
    architecture : Architecture
    parameters, gradients : Parameters
        With the names and shapes of `architecture`.
    sequence_length, streams : int
        T and B.

    Returns
    -------
    characters : Characters
        The input of the first layer.
    layers : list of Layer
        Each one reads the hidden states of the one before it.
    """
    cell = CELLS[architecture.cell]
    layers: list[Layer] = []
    U_T, gradient_T = (p[architecture.name("U", 0)].T for p in (parameters, gradients))
    characters = Characters(U_T, gradient_T, cell.gates, sequence_length, streams)
    for number in range(architecture.layers):
        suffix = architecture.name("", number)
        own = LayerParameters.of(parameters, suffix, cell.extra_parameters)
        own_gradients = LayerParameters.of(gradients, suffix, cell.extra_parameters)
        inputs: Characters | HiddenStates = characters
        if layers:
            below = layers[-1]
            states = below.outputs[:, : architecture.hidden_size]
            inputs = HiddenStates(
                own.U_T, own_gradients.U_T, cell.gates, states, below.state_gradients
            )
        layer_class = cell.layer_class(number, streams)
        layers.append(layer_class(own, own_gradients, inputs, sequence_length, streams))
    return characters, layers
