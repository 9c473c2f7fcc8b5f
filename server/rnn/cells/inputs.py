"""What a layer reads: characters, or the hidden states of the layer below it."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells.gates import blocks, gates_of
from server.rnn.parameters import Array


class Inputs(ABC):
    """What a layer reads in a whole sequence, and what comes back to it.

    Neither depends on the layer's previous step, so that both are one product of each gate over
    all rows of all steps and streams.

    Parameters
    ----------
    weights, gradients : ndarray of shape (inputs, gates m)
        U transposed, and where its gradient goes.
    gates : int

    Attributes
    ----------
    mask : ndarray of shape (T B, m) or None
        What is read is multiplied by it, if there is one.
    """

    def __init__(self, weights: Array, gradients: Array, gates: int) -> None:
        self.mask: Array | None = None
        self._weights = weights
        self._gradients = gates_of(gradients, gates)

    @abstractmethod
    def project(self, weights: Array, out: Array) -> None:
        """Multiply what is read by weights.

        Parameters
        ----------
        weights : ndarray of shape (gates, inputs, m)
            U transposed, or what the layer made of it.
        out : ndarray of shape (gates, T B, m)
            Where the products go. Both lie in memory as `make_gates` makes them.
        """

    @abstractmethod
    def send_back(self, g: Array) -> None:
        """Fill the gradient of U, and hand what belongs to the layer below to it.

        Parameters
        ----------
        g : ndarray of shape (gates, T B, m)
            The gradient of the loss with respect to the products.
        """


class Characters(Inputs):
    """One-hot characters: ``U x_t`` is column ``x_t`` of U.

    Its gradient is the sum of the rows of g that belong to each character. Sorted by character
    they are neighbours, and a product with ones sums them; a product with the one-hot matrix would
    multiply mostly by zero.

    Parameters
    ----------
    weights, gradients, gates
        As for `Inputs`.
    sequence_length, streams : int
        T and B.

    Attributes
    ----------
    x : ndarray of intp, shape (T B,)
        The characters that are read, step by step.
    """

    def __init__(
        self, weights: Array, gradients: Array, gates: int, sequence_length: int, streams: int
    ) -> None:
        super().__init__(weights, gradients, gates)
        rows = sequence_length * streams
        self._apart = streams > 1
        self.x: NDArray[np.intp] = np.zeros(rows, dtype=np.intp)
        self._all_gradients = gradients
        # Blocks of memory, as those of `g`: of each gate, or of all.
        self._sums = self._gradients if self._apart else gradients[None]
        blocks_of_g = len(self._sums), rows, self._sums.shape[2]
        self._sorted = np.empty(blocks_of_g, dtype=weights.dtype)
        self._ones = np.ones(rows, dtype=weights.dtype)

    def project(self, weights: Array, out: Array) -> None:
        """Pick the row of each character."""
        for block, products in zip(
            blocks(weights, apart=self._apart), blocks(out, apart=self._apart), strict=True
        ):
            block.take(self.x, 0, products, "clip")

    def send_back(self, g: Array) -> None:
        """Sum the rows of each character."""
        order = self.x.argsort(kind="stable")
        g = g if self._apart else blocks(g, apart=False)[0][None]
        g.take(order, 1, self._sorted, "clip")
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
    """The hidden states of the layer below, some of which training may drop.

    What is kept of them is multiplied by 1 / (1 - p), where p is the share that is dropped, so
    that the layer reads as much on average as without dropout [1]_.

    Parameters
    ----------
    weights, gradients, gates
        As for `Inputs`.
    states : ndarray of shape (T B, m)
        The hidden states of the layer below. Rows must be contiguous; the matrix need not be.
    state_gradients : ndarray of shape (T B, m)
        Where the gradient of the loss with respect to them goes.

    References
    ----------
    .. [1] W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization",
       2014: between layers, never between steps.
    """

    def __init__(
        self, weights: Array, gradients: Array, gates: int, states: Array, state_gradients: Array
    ) -> None:
        super().__init__(weights, gradients, gates)
        self._states = states
        self._state_gradients = state_gradients
        self._dropped = np.empty_like(state_gradients)
        self._products = np.empty((gates, *state_gradients.shape), dtype=weights.dtype)
        self._transposed = gates_of(weights, gates).transpose(0, 2, 1)

    def own_mask(self) -> Array:
        """Return the mask to be filled, which is made when it is first asked for."""
        if self.mask is None:
            self.mask = np.empty_like(self._dropped)
        return self.mask

    @property
    def _read(self) -> Array:
        return self._states if self.mask is None else self._dropped

    def project(self, weights: Array, out: Array) -> None:
        """Multiply the states that are not dropped."""
        if self.mask is not None:
            np.multiply(self._states, self.mask, self._dropped)
        np.matmul(self._read, weights, out)

    def send_back(self, g: Array) -> None:
        """Fill both gradients."""
        np.matmul(self._read.T, g, self._gradients)
        np.matmul(g, self._transposed, self._products)
        np.add.reduce(self._products, 0, out=self._state_gradients)
        if self.mask is not None:
            np.multiply(self._state_gradients, self.mask, self._state_gradients)
