"""The network: forward pass, loss and gradients of one sequence, without allocation."""

from types import ModuleType

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from server.rnn.architecture import Architecture
from server.rnn.cells.inputs import HiddenStates
from server.rnn.cells.stack import make_layers
from server.rnn.parameters import Array, Parameters, Shape


class Network:
    r"""A recurrent network that reads characters and predicts the next one.

    Layers of one kind of cell (see `server.rnn.cells`) turn the characters ``x_t`` that it reads
    into hidden states; with ``h_t`` for those of the last layer and ``y_t`` for the character that
    follows, for t = 1, ..., T::

        o_t = V h_t + c
        p_t = softmax(o_t)
        loss = -sum_t log p_t[y_t]

    The gradients by back-propagation through time, the layers' own by their cells::

        e_t = p_t - y_t     (the gradient of the loss with respect to o_t, y_t one-hot)
        dV = sum_t e_t h_t^T        dc = sum_t e_t        dh_t = V^T e_t

    With several streams, read side by side, loss and gradients are averaged over them. All
    buffers are made once, and whatever does not depend on the step before is one product for all
    steps of all streams: with ``[h, 1]`` for the rows of all hidden states,
    ``o = [h, 1] [V^T; c]`` and ``[dV^T; dc] = [h, 1]^T e``.

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
    cell : str
        The name of the layers' cell, in `CELLS`.
    layers : int
        1 to 4.
    batch_size : int
        B, streams, at least 1.
    parameters : Parameters, optional
        Those of another network of this architecture and type, to share; its own, all zero, if
        None.

    Attributes
    ----------
    architecture : Architecture
        Its sizes, and the names of its parameters and states.
    parameters : Parameters
        As the architecture says.
    gradients : Parameters
        The same for the last `backward`.
    state : dict of str to ndarray of shape (B, m)
        What is carried before the sequence: the architecture's `state_names`. Zero at first.
    last_state : dict of str to ndarray of shape (B, m)
        The same after the sequence.
    losses : ndarray of shape (T B,)
        -log p_t[y_t] of the last `forward`, in nats; for each step those of all streams.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        sequence_length: int,
        dtype: DTypeLike = np.float32,
        *,
        cell: str = "rnn",
        layers: int = 1,
        batch_size: int = 1,
        parameters: Parameters | None = None,
    ) -> None:
        self.architecture = Architecture(
            vocabulary_size=vocabulary_size, hidden_size=hidden_size, cell=cell, layers=layers
        )
        self.sequence_length, self.batch_size = sequence_length, batch_size
        if parameters is None:
            parameters = Parameters(self.architecture.parameter_shapes, dtype)
        self.parameters = parameters
        self.gradients = parameters.like()
        characters, self._layers = make_layers(
            self.architecture, parameters, self.gradients, sequence_length, batch_size
        )
        self.state = self._by_name([layer.state for layer in self._layers])
        self.last_state = self._by_name([layer.last_state for layer in self._layers])
        self._to_carry = list(zip(self.state.values(), self.last_state.values(), strict=True))

        last = self._layers[-1]
        rows = sequence_length * batch_size
        self._x = characters.x
        self._hidden, self._hidden_transposed = last.outputs, last.outputs.T
        self._state_gradients = last.state_gradients
        self._output_weights = self.parameters.stack("V", "c")
        self._output_gradients = self.gradients.stack("V", "c")
        self._o = np.empty((rows, vocabulary_size), dtype=dtype)
        self._o_flat = self._o.reshape(-1)
        self._column = np.empty((rows, 1), dtype=dtype)
        self._row = self._column.reshape(-1)
        self._picked = np.empty(rows, dtype=dtype)
        self._y_flat = np.zeros(rows, dtype=np.intp)
        self._greatest = np.zeros(rows, dtype=np.intp)
        self._offsets = np.arange(rows, dtype=np.intp) * vocabulary_size
        # A product with ones sums faster than `sum`.
        self._ones = np.ones(vocabulary_size, dtype=dtype)
        self._shares = np.full(rows, 1.0 / batch_size, dtype=dtype)
        self.losses = np.empty(rows, dtype=dtype)

    def _by_name(self, states: list[dict[str, Array]]) -> dict[str, Array]:
        return {
            self.architecture.name(symbol, number): view
            for number, layer in enumerate(states)
            for symbol, view in layer.items()
        }

    def forward(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> np.inexact:
        """Read a sequence of each stream from `state` on, and return the loss.

        Parameters
        ----------
        x : ndarray of int, shape (T, B), or (T,) if B is 1
            The input characters, each in ``range(K)`` (which is not checked).
        y : ndarray of int, of the same shape
            The character that follows each of them.

        Returns
        -------
        scalar
            The cross-entropy summed over the sequence and averaged over the streams, in nats, of
            the network's type.
        """
        self._x[:] = x.reshape(-1)
        for layer in self._layers:
            layer.refresh()
            layer.forward()
        np.matmul(self._hidden, self._output_weights, self._o)
        np.add(y.reshape(-1), self._offsets, self._y_flat)
        return self._softmax()

    def _softmax(self) -> np.inexact:
        """Turn the logits into unnormalised probabilities and return the loss.

        Shifted by their greatest, the logits cannot overflow; the loss is taken from the logits,
        not from the probabilities, so that it stays finite where those round to zero.
        """
        o = self._o
        # Finding where the greatest is takes half the time of finding what it is.
        o.argmax(1, self._greatest)
        np.add(self._greatest, self._offsets, self._greatest)
        self._o_flat.take(self._greatest, None, self._row, "clip")
        np.subtract(o, self._column, o)
        self._o_flat.take(self._y_flat, None, self._picked, "clip")
        np.exp(o, o)
        np.dot(o, self._ones, self._row)
        np.log(self._row, self.losses)
        np.subtract(self.losses, self._picked, self.losses)
        loss: np.inexact = self.losses.dot(self._shares)
        return loss

    def backward(self) -> None:
        """Fill `gradients` with those of the last `forward`, which it uses up."""
        e = self._o
        if self.batch_size > 1:
            np.divide(self._row, self._shares, self._row)
        np.divide(e, self._column, e)
        self._o_flat[self._y_flat] -= self._shares[0]
        np.matmul(self._hidden_transposed, e, self._output_gradients)
        np.dot(e, self.parameters["V"], self._state_gradients)
        for layer in reversed(self._layers):
            layer.backward()

    def use(self, kernel: ModuleType | None) -> None:
        """Use compiled loops where there are some; None: NumPy alone."""
        for layer in self._layers:
            layer.use(kernel)

    def carry(self) -> None:
        """Make the state after the sequence the state before the next."""
        for state, last_state in self._to_carry:
            state[:] = last_state

    def clear_state(self) -> None:
        """Make the state before the next sequence zero."""
        for state in self.state.values():
            state[:] = 0.0

    @property
    def masks(self) -> list[Array]:
        """What each layer but the first multiplies its input by, (T, B, m); empty for nothing."""
        shape = self.sequence_length, self.batch_size, self.architecture.hidden_size
        masks = [layer.inputs.mask for layer in self._layers[1:]]
        return [mask.reshape(shape) for mask in masks if mask is not None]

    def draw_masks(self, rng: Generator, rate: float) -> None:
        """Choose which hidden states the next `forward` and `backward` drop between layers.

        Parameters
        ----------
        rng : numpy.random.Generator
            One number of it is drawn for each unit of each step of each stream, from the lowest
            layer up: of float32, so that networks of both types drop alike.
        rate : float
            The share to drop, from 0 to less than 1.
        """
        for layer in self._layers[1:]:
            if isinstance(layer.inputs, HiddenStates):
                mask = layer.inputs.own_mask()
                kept = rng.random(mask.shape, dtype=np.float32) >= rate
                np.divide(kept, 1.0 - rate, mask, casting="same_kind")


def parameter_shapes(vocabulary_size: int, hidden_size: int) -> dict[str, Shape]:
    """Return the shapes of the parameters of a vanilla network of one layer.

    Parameters
    ----------
    vocabulary_size, hidden_size : int
        K and m.

    Returns
    -------
    dict of str to tuple of int
        U (m, K), W (m, m), b (m,), V (K, m), c (K,).
    """
    sizes = Architecture(vocabulary_size=vocabulary_size, hidden_size=hidden_size)
    return sizes.parameter_shapes
