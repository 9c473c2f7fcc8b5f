"""A problem: a small random network and a text, whose gradients are to be computed.

The numbers are such that mistakes show: no bias and no state is zero, the recurrent matrix matters
at every step, nothing saturates, and neighbouring characters differ.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.course.equations import LAYER, LOSS, OUTPUT
from server.installation import COMMAND
from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.reference import network

__all__ = [
    "PROBLEM_README",
    "QUERY",
    "Problem",
    "ProblemQuery",
    "initial_name",
    "make_problem",
    "problem_file",
]

Matrix = NDArray[np.float64]

# K differs from the usual sizes of the state, so that shapes tell the parameters apart.
VOCABULARY_SIZE = 13
SCALES = {"U": 1.0, "b": 0.4, "d": 0.4, "V": 1.6, "c": 0.6}
# The array of a problem's file that names the problem.
QUERY = "query"
# The beginning of its README.txt, which shows that a file is a problem.
PROBLEM_README = b"A problem from Hurrah: "


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemQuery:
    """What a problem is made from: equal queries give equal problems, byte for byte."""

    cell: str = DEFAULT_CELL
    hidden_size: int = 20
    sequence_length: int = 10
    seed: int = 0
    layers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A network, a text, and the gradients of the loss.

    Attributes
    ----------
    query : ProblemQuery
        What it was made from.
    parameters, gradients : dict of str to ndarray of float64
        By the parameters' names.
    x, y : ndarray of int, shape (T,)
        The characters, and the character after each of them.
    state : dict of str to ndarray of shape (m,)
        The state before the sequence.
    loss : float
        Summed over the sequence, in nats.
    """

    query: ProblemQuery
    parameters: dict[str, Matrix]
    gradients: dict[str, Matrix]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    state: dict[str, Matrix]
    loss: float

    @property
    def one_hot(self) -> tuple[Matrix, Matrix]:
        """X and y as one-hot vectors, (T, K) each."""
        rows = np.eye(VOCABULARY_SIZE)
        return rows[self.x], rows[self.y]


def make_problem(query: ProblemQuery) -> Problem:
    """Make the problem of a query."""
    sizes = Architecture(
        vocabulary_size=VOCABULARY_SIZE,
        hidden_size=query.hidden_size,
        cell=query.cell,
        layers=query.layers,
    )
    rng = np.random.default_rng(SeedSequence(query.seed))
    parameters = {
        name: rng.standard_normal(shape) * _scale(name, query.hidden_size)
        for name, shape in sizes.parameter_shapes.items()
    }
    state = {name: rng.uniform(-1.0, 1.0, query.hidden_size) for name in sizes.state_names}
    text = [int(rng.integers(VOCABULARY_SIZE))]
    for _ in range(query.sequence_length):
        # Never the same character twice in a row, so that targets that are not shifted show.
        text.append((text[-1] + int(rng.integers(1, VOCABULARY_SIZE))) % VOCABULARY_SIZE)
    x, y = np.array(text[:-1]), np.array(text[1:])
    rows = np.eye(VOCABULARY_SIZE)
    loss, gradients, _ = network.loss_and_gradients(
        CELLS[query.cell].reference, parameters, rows[x], rows[y], state
    )
    return Problem(
        query=query,
        parameters=parameters,
        gradients=gradients,
        x=x,
        y=y,
        state=state,
        loss=float(loss),
    )


def _scale(name: str, hidden_size: int) -> float:
    symbol = name.rstrip("0123456789")
    if symbol == "W" or (symbol == "U" and name not in {"U", "U1"}):
        return 1.2 / float(np.sqrt(hidden_size))
    if symbol == "V":
        return SCALES["V"] / float(np.sqrt(hidden_size) / 2)
    return SCALES.get(symbol, SCALES["b"])


def initial_name(state: str) -> str:
    """Return the name of a state before the sequence: h0 for h, and h1_0 for h1 of two layers."""
    return f"{state}_0" if state[-1].isdigit() else f"{state}0"


def problem_file(problem: Problem) -> bytes:
    """Return the problem as an `.npz` file; the same problem gives the same bytes."""
    arrays: dict[str, NDArray[np.generic]] = {
        **problem.parameters,
        "x": problem.x,
        "y": problem.y,
        **{initial_name(name): values for name, values in problem.state.items()},
        "loss": np.array(problem.loss),
        QUERY: np.array(json.dumps(asdict(problem.query))),
    }
    file = io.BytesIO()
    # `ZipInfo` has a fixed date, so nothing in the file depends on when it is made.
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
        archive.writestr(zipfile.ZipInfo("README.txt"), _readme(problem))
    return file.getvalue()


def _readme(problem: Problem) -> str:
    query = problem.query
    shapes = "\n".join(
        f"  {name:<4} {' x '.join(map(str, values.shape))}"
        for name, values in problem.parameters.items()
    )
    states = ", ".join(initial_name(name) for name in problem.state)
    names = ", ".join(problem.parameters)
    equations = "\n".join(f"  {line}" for line in (*LAYER.get(query.cell, ()), *OUTPUT, *LOSS))
    return f"""\
{PROBLEM_README.decode()}compute the gradients of the loss of this network.

cell {query.cell}, layers: {query.layers}, m = {query.hidden_size}, K = {VOCABULARY_SIZE}, \
T = {query.sequence_length}, seed {query.seed}

One layer, the output and the loss; * is the product of entries, σ the logistic function. x_t and
y_t are one-hot; a further layer reads the h_t of the layer below as its x_t.
{equations}

Parameters, float64, for column vectors (W @ h):
{shapes}
The rows of U, W and b of a GRU are those of r, z, n; of an LSTM g, i, f, o.
x, y: the T characters, and the character after each of them, as indices from 0.
{states}: the state before the first character.
loss: the cross-entropy summed over the sequence, natural logarithm: {problem.loss:.12f}

The loss is a sum, not a mean. Do not clip. Do not change the state before the sequence.

  problem = np.load("problem.npz")
  ... your code computes the gradient of the loss with respect to each parameter ...
  np.savez("my_gradients.npz", {names.split(", ")[0]}=dU, ...)   # {names}

Then upload my_gradients.npz on the page, or: {COMMAND} check my_gradients.npz
"""
