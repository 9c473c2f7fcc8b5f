"""Registers the minimal gated unit in every Python process with this directory on its path.

Python imports `sitecustomize` when it starts, and the processes that a server spawns inherit its
PYTHONPATH: so the server, its workers and its inference processes know the cell.
"""

from server.rnn.cells import CELLS
from tests.rnn.cells.mgu import MGU

CELLS[MGU.name] = MGU
