"""The architecture of a network: its sizes, and the names and shapes of its parameters."""

import math
from dataclasses import dataclass

from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.parameters import Shape

MAX_LAYERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a network, and the names and shapes that follow from them.

    A network of one layer has the course's names: U, W, b, V, c. With more layers, they are
    numbered from the lowest: U1, W1, b1, U2, ..., V, c. The first layer reads characters, each
    further layer the hidden states of the one below it, and V those of the last.

    In a cell with several gates, U, W and b contain one block of m rows for each gate, in the order
    given in the cell's module.

    Attributes
    ----------
    vocabulary_size, hidden_size : int
        K and m.
    cell : str
        The name of a cell in `CELLS`.
    layers : int
        1 to 4.
    """

    vocabulary_size: int
    hidden_size: int
    cell: str = DEFAULT_CELL
    layers: int = 1

    @property
    def gates(self) -> int:
        """The number of blocks of m rows in U, W and b."""
        return CELLS[self.cell].gates

    def name(self, symbol: str, layer: int) -> str:
        """Return the name of a layer's parameter or state; layers are counted from 0."""
        return symbol if self.layers == 1 else f"{symbol}{layer + 1}"

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of each parameter, in the order in which they are stored.

        For each layer U (gates m, inputs), W (gates m, m), b (gates m,) and the cell's extra
        parameters, each (m,); then V (K, m), c (K,).
        """
        K, m = self.vocabulary_size, self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer in range(self.layers):
            shapes[self.name("U", layer)] = (self.gates * m, K if layer == 0 else m)
            shapes[self.name("W", layer)] = (self.gates * m, m)
            shapes[self.name("b", layer)] = (self.gates * m,)
            for symbol in CELLS[self.cell].extra_parameters:
                shapes[self.name(symbol, layer)] = (m,)
        return shapes | {"V": (K, m), "c": (K,)}

    @property
    def size(self) -> int:
        """The number of numbers in all parameters."""
        return sum(math.prod(shape) for shape in self.parameter_shapes.values())

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states of all layers, each a vector of m numbers."""
        return tuple(
            self.name(symbol, layer)
            for layer in range(self.layers)
            for symbol in CELLS[self.cell].states
        )
