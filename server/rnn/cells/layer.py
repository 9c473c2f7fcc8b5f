"""The base of the layers of all cells: parameters, buffers, and the views of each step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from server.rnn.cells.gates import (
    empty_gates,
    joined_step_views,
    make_transposed_product,
    split_gates,
    split_tiles,
    step_views,
    tile_width,
)
from server.rnn.cells.inputs import Inputs
from server.rnn.parameters import Array, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """The parameters of one layer. Matrices are transposed, as they are stored (see `Parameters`).

    Attributes
    ----------
    U_T : ndarray of shape (inputs, gates m)
    W_T : ndarray of shape (m, gates m)
    b : ndarray of shape (gates m,)
    Wb_T : ndarray of shape (m + 1, gates m)
        ``[W, b]^T``, by which the row ``[h, 1]`` is multiplied.
    UWb_T : ndarray of shape (inputs + m + 1, gates m)
        ``[U, W, b]^T``, by which the row ``[x, h, 1]`` is multiplied.
    extra : dict of str to ndarray of shape (m,)
        The cell's `extra_parameters`, by symbol.
    """

    U_T: Array
    W_T: Array
    b: Array
    Wb_T: Array
    UWb_T: Array
    extra: dict[str, Array]

    @classmethod
    def of(
        cls, parameters: Parameters, suffix: str, extra_parameters: tuple[str, ...]
    ) -> "LayerParameters":
        """Return views of a layer's parameters; `suffix` follows the symbol in their names."""
        U, W, b = (f"{symbol}{suffix}" for symbol in "UWb")
        return cls(
            U_T=parameters[U].T,
            W_T=parameters[W].T,
            b=parameters[b],
            Wb_T=parameters.stack(W, b),
            UWb_T=parameters.stack(U, b),
            extra={symbol: parameters[f"{symbol}{suffix}"] for symbol in extra_parameters},
        )


class Layer(ABC):
    """One recurrent layer that reads sequences of T steps from B parallel streams.

    The whole input of a layer is known before its first step, so `forward` loops only over the
    part of a step that depends on the step before. Arrays have the axes gates, steps, streams and
    units, in this order (see `gates`). Making a view takes as long as a small product, so the views
    of every step are made once; with one stream they are vectors, whose products BLAS computes
    faster.

    Parameters
    ----------
    parameters, gradients : LayerParameters
        `backward` fills the gradients.
    inputs : Inputs
        The characters, or the hidden states of the layer below.
    sequence_length, streams : int
        T and B.

    Attributes
    ----------
    hidden : ndarray of shape (T + 1, B, m + 1)
        Row t is ``[h_t, 1]``; row 0 is the state before the sequence.
    state, last_state : dict of str to ndarray of shape (B, m)
        Views of the states before and after the sequence, by symbol.
    state_gradients : ndarray of shape (T B, m)
        Before `backward`: ``e_t``, the gradient of the loss with respect to each ``h_t`` through
        the layer above or the output alone.
    last_state_gradients : dict of str to ndarray of shape (B, m)
        The gradients of losses after the sequence with respect to the states after it, by symbol;
        without that of h, which is a part of the last ``e_t``. Zero, unless a sequence is computed
        in parts.
    """

    COMPILED: ClassVar[bool] = False
    """Whether `set_kernel` accepts compiled loops, if the layer reads one stream of characters."""

    _kernel: ModuleType | None = None

    def __init__(
        self,
        parameters: LayerParameters,
        gradients: LayerParameters,
        inputs: Inputs,
        sequence_length: int,
        streams: int,
    ) -> None:
        T, B, (m, width) = sequence_length, streams, parameters.W_T.shape
        self._parameters, self._gradients = parameters, gradients
        self.inputs = inputs
        self.sequence_length, self.streams = T, B
        self._gates = width // m
        self._tile_width = m
        self.hidden = self._make_hidden()
        self.hidden[:, :, :m] = 0.0
        self.state = {"h": self.hidden[0, :, :m]}
        self.last_state = {"h": self.hidden[T, :, :m]}
        self.last_state_gradients: dict[str, Array] = {}
        self._states = self.hidden[1:, :, :m]
        self._before = self.hidden[:T].reshape(T * B, m + 1)
        # The pre-activations, to which the nonlinearities are applied in place; their gradients.
        self._a, self._d_a = self._empty_gates(T, B), self._empty_gates(T, B)
        rows = self._gates, T * B, m
        self._a_rows, self._d_a_rows = self._a.reshape(rows), self._d_a.reshape(rows)
        self._d_h = np.empty((T, B, m), dtype=parameters.b.dtype)
        self.state_gradients = self._d_h.reshape(-1, m)

        # Outputs of a step's recurrent product, forward and backward.
        (self._recurrent,) = joined_step_views(self._empty_gates(1, B))
        (self._recurrent_back,) = step_views(np.empty_like(self._d_h[:1]))
        self._make_weights()
        self._make_steps()

    def _empty_gates(self, *rows: int) -> Array:
        W_T = self._parameters.W_T
        return empty_gates(self._gates, rows, len(W_T), W_T.dtype, separate=self.streams > 1)

    def _make_weights(self) -> None:
        """Make the layer's copies of the parameters, and the recurrent products with them."""
        W_T = self._parameters.W_T
        # A copy of the blocks of W, which `refresh` fills.
        self._W = self._empty_weights(len(W_T))
        self._multiply_back = make_transposed_product(W_T, self._W, self.streams)

    def _empty_weights(self, rows: int) -> Array:
        """Return an uninitialised array of weights in tiles, as `make_product` takes it."""
        m, width = len(self._parameters.W_T), self._tile_width
        if width == m:
            return self._empty_gates(rows)[:, None]
        return np.empty((self._gates, m // width, rows, width), dtype=self._parameters.b.dtype)

    def _split_weights(self, matrix: Array) -> Array:
        """Return a view of a matrix (n, gates m) with the axes of `_empty_weights`."""
        return split_tiles(split_gates(matrix, self._gates), self._tile_width)

    def _make_hidden(self) -> Array:
        W_T = self._parameters.W_T
        return np.ones((self.sequence_length + 1, self.streams, len(W_T) + 1), dtype=W_T.dtype)

    @abstractmethod
    def _make_steps(self) -> None:
        """Make the cell's own buffers, and the views of each step."""

    @property
    def outputs(self) -> Array:
        """The hidden states of shape (T B, m + 1); row ``(t - 1) B + j`` is stream j's [h_t, 1]."""
        return self.hidden[1:].reshape(-1, self.hidden.shape[2])

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, before `forward`."""
        if self.streams > 1:
            blocks = split_gates(self._parameters.W_T, self._gates)
            np.copyto(self._W, split_tiles(blocks.transpose(0, 2, 1), self._tile_width))

    def set_kernel(self, kernel: ModuleType | None) -> None:
        """Use compiled loops for the recurrence, if there are some; None: NumPy."""
        self._kernel = kernel
        if kernel is not None:
            self._workspace: Array = kernel.make_workspace(len(self._parameters.W_T), self._gates)

    def set_tiled(self, *, tiled: bool) -> None:
        """Divide the recurrent products into tiles (see `gates.tile_width`), or do not."""
        m = len(self._parameters.W_T)
        width = tile_width(self.streams, m) if tiled else m
        if width != self._tile_width:
            self._tile_width = width
            self._make_weights()

    @abstractmethod
    def forward(self) -> None:
        """Compute all states from state 0."""

    @abstractmethod
    def backward(self) -> None:
        """Fill the gradients of the parameters, and of the hidden states of the layer below."""

    @abstractmethod
    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step of the last `forward`, which read one stream.

        This is a part of `backward` for many losses at once, each with a row of gradients: the
        product of each row with the Jacobian of the step. It changes no buffer.

        Parameters
        ----------
        t : int
            The step, counted from 0. It reads ``hidden[t]`` and computes ``hidden[t + 1]``.
        gradients : dict of str to ndarray of shape (R, m)
            Those of R losses with respect to the states after the step, by symbol.

        Returns
        -------
        d_a : ndarray of shape (R, gates m)
            Those with respect to the products of U and the input; ``d_a U`` are those with respect
            to the input.
        before : dict of str to ndarray of shape (R, m)
            Those with respect to the states before the step, by symbol.
        """
