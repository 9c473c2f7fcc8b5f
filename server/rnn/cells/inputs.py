"""The inputs of a layer: characters, or the hidden states of the layer below."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells.gates import contiguous_blocks, split_gates
from server.rnn.parameters import Array


class Inputs(ABC):
    """The inputs of a whole sequence, and their gradients.

    Neither depends on the layer's previous step, so each is one product per gate over the rows of
    all steps and streams.

    Parameters
    ----------
    gradients : ndarray of shape (inputs, gates m)
        The gradient of U, transposed.
    gates : int

    Attributes
    ----------
    mask : ndarray of shape (T B, m) or None
        The factors of the inputs, for dropout.
    """

    def __init__(self, gradients: Array, gates: int) -> None:
        self.mask: Array | None = None
        self._gradients = split_gates(gradients, gates)

    @abstractmethod
    def project(self, weights: Array, out: Array) -> None:
        """Multiply the inputs by weights.

        Parameters
        ----------
        weights : ndarray of shape (gates, inputs, m)
            U transposed, or the layer's scaled copy of it.
        out : ndarray of shape (gates, T B, m)
            The products. Both arrays have the memory layout of `empty_gates`.
        """

    @abstractmethod
    def backward(self, d_a: Array) -> None:
        """Fill the gradient of U, and of the hidden states of the layer below.

        Parameters
        ----------
        d_a : ndarray of shape (gates, T B, m)
            The gradient of the loss with respect to the products.
        """


class Characters(Inputs):
    """One-hot characters: ``U x_t`` is column ``x_t`` of U.

    The gradient of column k is the sum of the rows of d_a whose character is k. Sorted by
    character, these rows are adjacent, and a product with ones sums them. A product with the
    one-hot matrix would mostly multiply by zero.

    Parameters
    ----------
    U_T : ndarray of shape (inputs, gates m)
        U transposed.
    gradients, gates
        As for `Inputs`.
    sequence_length, streams : int
        T and B.

    Attributes
    ----------
    x : ndarray of intp, shape (T B,)
        The characters, step by step.
    """

    def __init__(
        self, U_T: Array, gradients: Array, gates: int, sequence_length: int, streams: int
    ) -> None:
        super().__init__(gradients, gates)
        rows = sequence_length * streams
        self._separate = streams > 1
        self.x: NDArray[np.intp] = np.zeros(rows, dtype=np.intp)
        self._all_gradients = gradients
        # Contiguous blocks, as those of d_a: one for each gate, or one for all.
        self._sums = self._gradients if self._separate else gradients[None]
        sorted_shape = len(self._sums), rows, self._sums.shape[2]
        self._sorted = np.empty(sorted_shape, dtype=U_T.dtype)
        self._ones = np.ones(rows, dtype=U_T.dtype)

    def project(self, weights: Array, out: Array) -> None:
        """Copy the row of each character."""
        for block, products in zip(
            contiguous_blocks(weights, separate=self._separate),
            contiguous_blocks(out, separate=self._separate),
            strict=True,
        ):
            block.take(self.x, 0, products, "clip")

    def backward(self, d_a: Array) -> None:
        """Sum the rows of each character."""
        order = self.x.argsort(kind="stable")
        d_a = d_a if self._separate else contiguous_blocks(d_a, separate=False)[0][None]
        d_a.take(order, 1, self._sorted, "clip")
        characters = self.x[order]
        starts = np.flatnonzero(np.diff(characters, prepend=-1))
        ends = [*starts[1:].tolist(), len(order)]
        self._all_gradients[:] = 0.0
        ones, rows, sums = self._ones, self._sorted, self._sums
        for character, start, end in zip(
            characters[starts].tolist(), starts.tolist(), ends, strict=True
        ):
            np.matmul(ones[start:end], rows[:, start:end], sums[:, character])


class HiddenStates(Inputs):
    """The hidden states of the layer below, with dropout during training.

    With a dropout rate of p, the states that are not dropped are multiplied by 1 / (1 - p), so that
    the expected input is the same as without dropout [1]_.

    Parameters
    ----------
    U_T : ndarray of shape (inputs, gates m)
        U transposed.
    gradients, gates
        As for `Inputs`.
    states : ndarray of shape (T B, m)
        The hidden states of the layer below. Its rows must be contiguous; the matrix need not be.
    state_gradients : ndarray of shape (T B, m)
        The gradient of the loss with respect to them.

    References
    ----------
    .. [1] W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization",
       2014: dropout between layers, never between steps.
    """

    def __init__(
        self, U_T: Array, gradients: Array, gates: int, states: Array, state_gradients: Array
    ) -> None:
        super().__init__(gradients, gates)
        self._states = states
        self._state_gradients = state_gradients
        self._masked = np.empty_like(state_gradients)
        self._products = np.empty((gates, *state_gradients.shape), dtype=U_T.dtype)
        # A view of the blocks of U, (gates, m, inputs).
        self._U = split_gates(U_T, gates).transpose(0, 2, 1)

    def own_mask(self) -> Array:
        """Return the mask to be filled. It is allocated at the first call."""
        if self.mask is None:
            self.mask = np.empty_like(self._masked)
        return self.mask

    @property
    def _inputs(self) -> Array:
        return self._states if self.mask is None else self._masked

    def project(self, weights: Array, out: Array) -> None:
        """Multiply the states, after dropout, by the weights."""
        if self.mask is not None:
            np.multiply(self._states, self.mask, self._masked)
        np.matmul(self._inputs, weights, out)

    def backward(self, d_a: Array) -> None:
        """Fill the gradients of U and of the states."""
        np.matmul(self._inputs.T, d_a, self._gradients)
        np.matmul(d_a, self._U, self._products)
        np.add.reduce(self._products, 0, out=self._state_gradients)
        if self.mask is not None:
            np.multiply(self._state_gradients, self.mask, self._state_gradients)
