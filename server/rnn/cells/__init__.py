"""The cells that a network can be made of.

Each cell is one module with its equations and its layer; its definition is in
`server.rnn.reference`. A layer loops only
over the part that depends on the step before; everything else is one product for the whole
sequence and all streams.
"""

from server.rnn.cells.cell import Cell
from server.rnn.cells.gru import GRU
from server.rnn.cells.lstm import LSTM
from server.rnn.cells.vanilla import VANILLA

CELLS: dict[str, Cell] = {cell.name: cell for cell in (VANILLA, GRU, LSTM)}

DEFAULT_CELL = VANILLA.name

__all__ = ["CELLS", "DEFAULT_CELL", "Cell"]
