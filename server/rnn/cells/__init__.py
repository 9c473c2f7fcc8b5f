"""Recurrences: what a layer makes of its state and its input, and the way back.

A cell is one module with its equations. What it loops over is only what depends on the step
before; what does not is one product for the whole sequence and all streams.
"""

from server.rnn.architecture import Architecture, CellName
from server.rnn.cells.gru import GRULayer
from server.rnn.cells.inputs import Characters, HiddenStates
from server.rnn.cells.layer import Layer, LayerParameters
from server.rnn.cells.lstm import LSTMLayer
from server.rnn.cells.vanilla import VanillaLayer
from server.rnn.cells.vanilla_stream import VanillaStream
from server.rnn.parameters import Parameters

CELLS: dict[CellName, type[Layer]] = {"rnn": VanillaLayer, "gru": GRULayer, "lstm": LSTMLayer}


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
        Of the architecture's shapes.
    sequence_length, streams : int
        T and B.

    Returns
    -------
    characters : Characters
        What the first layer reads.
    layers : list of Layer
        Each but the first reads the one before it.
    """
    layers: list[Layer] = []
    U = architecture.name("U", 0)
    characters = Characters(
        parameters[U].T, gradients[U].T, architecture.gates, sequence_length, streams
    )
    for number in range(architecture.layers):
        suffix = architecture.name("", number)
        own = LayerParameters.of(parameters, suffix)
        own_gradients = LayerParameters.of(gradients, suffix)
        inputs: Characters | HiddenStates = characters
        kind = CELLS[architecture.cell]
        if layers:
            below = layers[-1]
            states = below.outputs[:, : architecture.hidden_size]
            inputs = HiddenStates(
                own.U, own_gradients.U, architecture.gates, states, below.state_gradients
            )
        elif streams == 1 and architecture.cell == "rnn":
            kind = VanillaStream
        layers.append(kind(own, own_gradients, inputs, sequence_length, streams))
    return characters, layers


__all__ = ["CELLS", "Characters", "HiddenStates", "Layer", "LayerParameters", "make_layers"]
