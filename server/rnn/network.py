"""The network: forward pass, loss and gradients of one sequence, without allocation."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from server.rnn.cells import VanillaCell, count_picks
from server.rnn.parameters import Parameters, Shape


class Network:
    r"""A vanilla recurrent network that reads characters and predicts the next one.

    For t = 1, ..., T, with ``x_t`` the one-hot input and ``y_t`` the character that follows::

        a_t = W h_{t-1} + U x_t + b
        h_t = tanh(a_t)
        o_t = V h_t + c
        p_t = softmax(o_t)
        loss = -sum_t log p_t[y_t]

    and the gradients by back-propagation through time, with g_t from `VanillaCell`::

        e_t = p_t - y_t     (the gradient of the loss with respect to o_t, y_t one-hot)
        dV = sum_t e_t h_t^T        dc = sum_t e_t        d_t = V^T e_t
        dW = sum_t g_t h_{t-1}^T    dU = sum_t g_t x_t^T  db = sum_t g_t

    All buffers are made once. Row t - 1 of one matrix begins with ``[x_t, h_{t-1}, 1]``,
    everything that step t reads, so that ``[h_t, 1]`` is part of the row after it, and three
    products give all five gradients and all logits::

        [dU^T; dW^T; db] = [x, h_{before}, 1]^T g
        [dV^T; dc] = [h, 1]^T e         o = [h, 1] [V^T; c]

    Parameters
    ----------
    vocabulary_size : int
        K, at least 1.
    hidden_size : int
        m, at least 1.
    sequence_length : int
        T, at least 1.
    dtype : dtype, default float32
        float32 or float64; complex128 for the forward pass of the complex-step derivative.

    Attributes
    ----------
    parameters : Parameters
        U (m, K), W (m, m), b (m,), V (K, m), c (K,). All zero at first.
    gradients : Parameters
        The same for the last `backward`.
    state : ndarray of shape (m,)
        The hidden state before the sequence. Zero at first.
    last_state : ndarray of shape (m,)
        The hidden state after the sequence.
    losses : ndarray of shape (T,)
        -log p_t[y_t] of each step of the last `forward`, in nats.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        sequence_length: int,
        dtype: DTypeLike = np.float32,
    ) -> None:
        K, m, T = vocabulary_size, hidden_size, sequence_length
        self.sequence_length = T
        self.parameters = Parameters(parameter_shapes(K, m), dtype)
        self.gradients = self.parameters.like()

        # The cell keeps numbers of its own at the end of each row. That makes all these matrices
        # slices, of which `matmul` makes no copies and `dot` does.
        reads = np.zeros((T + 1, K + m + 1 + count_picks(T)), dtype=dtype)
        reads[:, K + m] = 1.0
        self.state, self.last_state = reads[0, K : K + m], reads[T, K : K + m]
        self._reads_flat = reads.reshape(-1)
        self._reads_transposed = reads[:T, : K + m + 1].T
        self._hidden = reads[1:, K : K + m + 1]
        self._hidden_transposed = self._hidden.T

        self._output_weights = self.parameters.stack("V", "c")
        self._output_gradients = self.gradients.stack("V", "c")
        self._input_gradients = self.gradients.stack("U", "b")
        self._g = np.empty((T, m), dtype=dtype)
        self._o = np.empty((T, K), dtype=dtype)
        self._o_flat = self._o.reshape(-1)
        self._column = np.empty((T, 1), dtype=dtype)
        self._row = self._column.reshape(-1)
        self._picked = np.empty(T, dtype=dtype)
        # A product with ones sums faster than `sum`.
        self._ones, self._ones_T = np.ones(K, dtype=dtype), np.ones(T, dtype=dtype)
        self.losses = np.empty(T, dtype=dtype)

        self._x_flat = np.zeros(T, dtype=np.intp)
        self._y_flat = np.zeros(T, dtype=np.intp)
        self._x_offsets = np.arange(T, dtype=np.intp) * reads.shape[1]
        self._y_offsets = np.arange(T, dtype=np.intp) * K
        self._cell = VanillaCell(
            self.parameters["U"].T, self.parameters.stack("W", "b"), reads[:, K:], self._g
        )

    def forward(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> np.inexact:
        """Read a sequence from `state` on, and return its loss.

        Parameters
        ----------
        x : ndarray of int, shape (T,)
            The input characters, each in ``range(K)`` (which is not checked).
        y : ndarray of int, shape (T,)
            The character that follows each of them.

        Returns
        -------
        scalar
            The cross-entropy summed over the sequence, in nats, of the network's type.
        """
        self._reads_flat[self._x_flat] = 0.0
        np.add(x, self._x_offsets, self._x_flat)
        self._reads_flat[self._x_flat] = 1.0
        self._cell.forward(x)
        np.matmul(self._hidden, self._output_weights, self._o)
        np.add(y, self._y_offsets, self._y_flat)
        return self._softmax()

    def _softmax(self) -> np.inexact:
        """Turn the logits into unnormalised probabilities and return the loss.

        Shifted by their greatest, the logits cannot overflow; the loss is taken from the logits,
        not from the probabilities, so that it stays finite where those round to zero.
        """
        o = self._o
        np.maximum.reduce(o, 1, out=self._column, keepdims=True)
        np.subtract(o, self._column, o)
        self._o_flat.take(self._y_flat, None, self._picked, "clip")
        np.exp(o, o)
        np.dot(o, self._ones, self._row)
        np.log(self._row, self.losses)
        np.subtract(self.losses, self._picked, self.losses)
        loss: np.inexact = self.losses.dot(self._ones_T)
        return loss

    def backward(self) -> None:
        """Fill `gradients` with those of the last `forward`, which it uses up."""
        e = self._o
        np.divide(e, self._column, e)
        self._o_flat[self._y_flat] -= 1.0
        np.matmul(self._hidden_transposed, e, self._output_gradients)
        np.dot(e, self.parameters["V"], self._g)
        self._cell.backward()
        np.matmul(self._reads_transposed, self._g, self._input_gradients)

    def carry(self) -> None:
        """Make the state after the sequence the state before the next."""
        self.state[:] = self.last_state


def parameter_shapes(vocabulary_size: int, hidden_size: int) -> dict[str, Shape]:
    """Return the shapes of the network's parameters in the order in which they are stored.

    Parameters
    ----------
    vocabulary_size, hidden_size : int
        K and m.

    Returns
    -------
    dict of str to tuple of int
        U (m, K), W (m, m), b (m,), V (K, m), c (K,).
    """
    K, m = vocabulary_size, hidden_size
    return {"U": (m, K), "W": (m, m), "b": (m,), "V": (K, m), "c": (K,)}
