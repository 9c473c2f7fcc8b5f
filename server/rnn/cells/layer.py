"""What the layers of all cells have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from server.rnn.cells.gates import (
    each_step,
    each_whole_step,
    gates_of,
    make_gates,
    product_back,
)
from server.rnn.cells.inputs import Inputs
from server.rnn.parameters import Array, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """The parameters of one layer as training reads them: transposed (see `Parameters`).

    Attributes
    ----------
    U : ndarray of shape (inputs, gates m)
    W : ndarray of shape (m, gates m)
    b : ndarray of shape (gates m,)
    Wb : ndarray of shape (m + 1, gates m)
        W and b, by which ``[h, 1]`` is multiplied.
    UWb : ndarray of shape (inputs + m + 1, gates m)
        All of them, by which ``[x, h, 1]`` is multiplied.
    extra : dict of str to ndarray of shape (m,)
        The cell's `extra_parameters`, by symbol.
    """

    U: Array
    W: Array
    b: Array
    Wb: Array
    UWb: Array
    extra: dict[str, Array]

    @classmethod
    def of(
        cls, parameters: Parameters, suffix: str, extra_parameters: tuple[str, ...]
    ) -> "LayerParameters":
        """Return views of a layer's parameters; `suffix` follows the symbol in their names."""
        U, W, b = (f"{symbol}{suffix}" for symbol in "UWb")
        return cls(
            U=parameters[U].T,
            W=parameters[W].T,
            b=parameters[b],
            Wb=parameters.stack(W, b),
            UWb=parameters.stack(U, b),
            extra={symbol: parameters[f"{symbol}{suffix}"] for symbol in extra_parameters},
        )


class Layer(ABC):
    """One recurrent layer that reads sequences of T steps from B parallel streams.

    A layer is given all of its input at once and loops only over what one step makes of the one
    before. Arrays run over gates, steps, streams and units, in this order (see `gates`). A view
    costs as much to make as a small product costs to compute, so those of each step are made
    once; with a single stream they are vectors, of which BLAS makes less ado.

    Parameters
    ----------
    parameters, gradients : LayerParameters
        The gradients are filled by `backward`.
    inputs : Inputs
        What it reads.
    sequence_length, streams : int
        T and B.

    Attributes
    ----------
    hidden : ndarray of shape (T + 1, B, m + 1)
        Row t is ``[h_t, 1]``, row 0 the state before the sequence.
    state, last_state : dict of str to ndarray of shape (B, m)
        What is carried, before and after the sequence, by its symbol: views.
    state_gradients : ndarray of shape (T B, m)
        Before `backward`, the gradient of the loss with respect to each ``h_t`` by way of what
        reads it above.
    """

    COMPILED: ClassVar[bool] = False
    """Whether `use` accepts compiled loops."""

    def __init__(
        self,
        parameters: LayerParameters,
        gradients: LayerParameters,
        inputs: Inputs,
        sequence_length: int,
        streams: int,
    ) -> None:
        T, B, (m, width) = sequence_length, streams, parameters.W.shape
        self._parameters, self._gradients = parameters, gradients
        self.inputs = inputs
        self.sequence_length, self.streams = T, B
        self._gates = width // m
        self.hidden = self._make_hidden()
        self.hidden[:, :, :m] = 0.0
        self.state = {"h": self.hidden[0, :, :m]}
        self.last_state = {"h": self.hidden[T, :, :m]}
        self._states = self.hidden[1:, :, :m]
        self._before = self.hidden[:T].reshape(T * B, m + 1)
        # Pre-activations, which the nonlinearities are applied to in place; their gradients.
        self._a, self._g = self._make_gates(T, B), self._make_gates(T, B)
        rows = self._gates, T * B, m
        self._a_rows, self._g_rows = self._a.reshape(rows), self._g.reshape(rows)
        self._d_h = np.empty((T, B, m), dtype=parameters.W.dtype)
        self.state_gradients = self._d_h.reshape(-1, m)

        # What a step's product goes to, and what the way back's does.
        (self._recurrent,) = each_whole_step(self._make_gates(1, B))
        (self._recurrent_back,) = each_step(np.empty_like(self._d_h[:1]))
        self._transposed = np.empty((self._gates, m, m), dtype=parameters.W.dtype)
        self._multiply_back = product_back(parameters.W, self._transposed, B)
        self._make_steps()

    def _make_gates(self, *rows: int) -> Array:
        W = self._parameters.W
        return make_gates(self._gates, rows, len(W), W.dtype, apart=self.streams > 1)

    def _make_hidden(self) -> Array:
        W = self._parameters.W
        return np.ones((self.sequence_length + 1, self.streams, len(W) + 1), dtype=W.dtype)

    @abstractmethod
    def _make_steps(self) -> None:
        """Make the buffers that the cell needs besides, and the views of each step."""

    @property
    def outputs(self) -> Array:
        """Row ``(t - 1) B + j`` is ``[h_t, 1]`` of stream j: of shape (T B, m + 1)."""
        return self.hidden[1:].reshape(-1, self.hidden.shape[2])

    def refresh(self) -> None:
        """Take notice of changed parameters, which must be done before `forward`."""
        if self.streams > 1:
            weights = gates_of(self._parameters.W, self._gates)
            np.copyto(self._transposed, weights.transpose(0, 2, 1))

    def use(self, kernel: ModuleType | None) -> None:  # noqa: B027 - not every cell has one
        """Use compiled loops for the recurrence; None: NumPy."""

    @abstractmethod
    def forward(self) -> None:
        """Compute all states from state 0."""

    @abstractmethod
    def backward(self) -> None:
        """Fill the gradients, and hand what belongs to the layer below to it."""
