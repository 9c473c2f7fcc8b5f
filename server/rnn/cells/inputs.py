"""What a layer reads: characters, or the hidden states of the layer below it."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from server.rnn.parameters import Array


class Inputs(ABC):
    """What a layer reads in a whole sequence, and what comes back to it.

    Neither depends on the layer's previous step, so that both are one product over all rows of
    all steps and streams.

    Parameters
    ----------
    weights, gradients : ndarray of shape (inputs, gates m)
        U transposed, and where its gradient goes.

    Attributes
    ----------
    mask : ndarray of shape (T B, m) or None
        What is read is multiplied by it, if there is one.
    """

    def __init__(self, weights: Array, gradients: Array) -> None:
        self.mask: Array | None = None
        self._weights = weights
        self._gradients = gradients

    @abstractmethod
    def project(self, weights: Array, out: Array) -> None:
        """Multiply what is read by weights.

        Parameters
        ----------
        weights : ndarray of shape (inputs, gates m)
            U transposed, or what the layer made of it.
        out : ndarray of shape (T B, gates m)
            Where the products go.
        """

    @abstractmethod
    def send_back(self, g: Array) -> None:
        """Fill the gradient of U, and hand what belongs to the layer below to it.

        Parameters
        ----------
        g : ndarray of shape (T B, gates m)
            The gradient of the loss with respect to the products.
        """


class Characters(Inputs):
    """One-hot characters: ``U x_t`` is column ``x_t`` of U.

    Its gradient is the sum of the rows of g that belong to each character. Sorted by character
    they are neighbours, and a product with ones sums them; a product with the one-hot matrix would
    multiply mostly by zero.

    Attributes
    ----------
    x : ndarray of intp, shape (T B,)
        The characters that are read, step by step.
    """

    def __init__(self, weights: Array, gradients: Array, rows: int) -> None:
        super().__init__(weights, gradients)
        self.x: NDArray[np.intp] = np.zeros(rows, dtype=np.intp)
        self._sorted = np.empty((rows, weights.shape[1]), dtype=weights.dtype)
        self._ones = np.ones(rows, dtype=weights.dtype)

    def project(self, weights: Array, out: Array) -> None:
        """Pick the row of each character."""
        weights.take(self.x, 0, out, "clip")

    def send_back(self, g: Array) -> None:
        """Sum the rows of each character."""
        order = self.x.argsort(kind="stable")
        g.take(order, 0, self._sorted, "clip")
        characters = self.x[order]
        starts = np.flatnonzero(np.diff(characters, prepend=-1)).tolist()
        self._gradients[:] = 0.0
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
            np.dot(
                self._ones[start:end], self._sorted[start:end], self._gradients[characters[start]]
            )


class HiddenStates(Inputs):
    """The hidden states of the layer below, some of which training may drop.

    Parameters
    ----------
    weights, gradients
        As for `Inputs`.
    states : ndarray of shape (T B, m)
        The hidden states of the layer below. Rows must be contiguous; the matrix need not be.
    state_gradients : ndarray of shape (T B, m)
        Where the gradient of the loss with respect to them goes.

    Attributes
    ----------
    mask : ndarray of shape (T B, m) or None
        0 for what is dropped, 1 / (1 - p) for what is kept, where p is the share that is dropped,
        so that the layer reads as much on average as without dropout [1]_. None drops nothing.

    References
    ----------
    .. [1] W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization",
       2014: between layers, never between steps.
    """

    def __init__(
        self, weights: Array, gradients: Array, states: Array, state_gradients: Array
    ) -> None:
        super().__init__(weights, gradients)
        self._states = states
        self._state_gradients = state_gradients
        self._dropped = np.empty_like(state_gradients)

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
        np.matmul(g, self._weights.T, self._state_gradients)
        if self.mask is not None:
            np.multiply(self._state_gradients, self.mask, self._state_gradients)
