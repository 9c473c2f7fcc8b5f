"""The network: forward pass, loss and gradients of one sequence, without allocating memory."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from server.rnn.architecture import Architecture
from server.rnn.cells import DEFAULT_CELL
from server.rnn.cells.inputs import HiddenStates
from server.rnn.cells.stack import make_layers
from server.rnn.parameters import Array, Parameters, Shape


class Network:
    r"""A recurrent network that reads characters and predicts the next one.

    Layers of one kind of cell (see `server.rnn.cells`) turn the characters ``x_t`` into hidden
    states. With ``h_t`` for the hidden state of the last layer and ``y_t`` for the character after
    ``x_t``, for t = 1, ..., T::

        o_t = V h_t + c
        p_t = softmax(o_t)
        loss = -sum_t log p_t[y_t]

    The gradients by backpropagation through time, with ``y_t`` one-hot; the cells' modules have
    those of the layers::

        do_t = p_t - y_t
        dV = sum_t do_t h_t^T        dc = sum_t do_t        e_t = V^T do_t

    ``e_t`` is the gradient with respect to ``h_t`` through the output alone. With several parallel
    streams, loss and gradients are averaged over them.

    All buffers are allocated once. Everything that does not depend on the step before is one
    product for all steps of all streams: with ``[h, 1]`` for the rows of all hidden states,
    ``o = [h, 1] [V^T; c]`` and ``[dV^T; dc] = [h, 1]^T do``.

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
        B, the number of streams, at least 1.
    parameters : Parameters, optional
        The parameters of another network of this architecture and type, to share; None: new ones,
        all zero.
    averaged_over : int, optional
        The number of streams in all networks that share the streams of a batch (see
        `ThreadedNetwork`), by which loss and gradients are divided; None: B.

    Attributes
    ----------
    architecture : Architecture
        The sizes, and the names of the parameters and states.
    parameters : Parameters
    gradients : Parameters
        The gradients of the last `backward`, with the names and shapes of the parameters.
    state : dict of str to ndarray of shape (B, m)
        The state before the sequence, by the architecture's `state_names`. Zero at first.
    last_state : dict of str to ndarray of shape (B, m)
        The state after the sequence.
    losses : ndarray of shape (T B,)
        ``-log p_t[y_t]`` of the last `forward`, in nats, ordered by step, then by stream.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        sequence_length: int,
        dtype: DTypeLike = np.float32,
        *,
        cell: str = DEFAULT_CELL,
        layers: int = 1,
        batch_size: int = 1,
        parameters: Parameters | None = None,
        averaged_over: int | None = None,
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
        self._kernel: ModuleType | None = None
        self._state_gradients = last.state_gradients
        self._Vc_T = self.parameters.stack("V", "c")
        self._Vc_T_gradient = self.gradients.stack("V", "c")
        self._o = np.empty((rows, vocabulary_size), dtype=dtype)
        self._o_flat = self._o.reshape(-1)
        self._column = np.empty((rows, 1), dtype=dtype)
        self._row = self._column.reshape(-1)
        self._target_logits = np.empty(rows, dtype=dtype)
        self._y_flat = np.zeros(rows, dtype=np.intp)
        self._argmax = np.zeros(rows, dtype=np.intp)
        self._offsets = np.arange(rows, dtype=np.intp) * vocabulary_size
        # A product with ones is faster than `sum`.
        self._ones = np.ones(vocabulary_size, dtype=dtype)
        self._averaged_over = averaged_over or batch_size
        self._weights = np.full(rows, 1.0 / self._averaged_over, dtype=dtype)
        self.losses = np.empty(rows, dtype=dtype)

    def _by_name(self, states: list[dict[str, Array]]) -> dict[str, Array]:
        return {
            self.architecture.name(symbol, number): view
            for number, layer in enumerate(states)
            for symbol, view in layer.items()
        }

    def forward(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> np.inexact:
        """Read a sequence of each stream, starting from `state`, and return the loss.

        Parameters
        ----------
        x : ndarray of int, shape (T, B), or (T,) if B is 1
            The input characters, each in ``range(K)``, which is not checked.
        y : ndarray of int, of the same shape
            The character that follows each of them.

        Returns
        -------
        scalar
            The cross-entropy summed over the sequence and averaged over the streams, in nats.
        """
        self._x[:] = x.reshape(-1)
        for layer in self._layers:
            layer.refresh()
            layer.forward()
        np.matmul(self._hidden, self._Vc_T, self._o)
        if self._kernel is not None:
            loss: np.inexact = self._kernel.softmax(
                self._o, y.reshape(-1), self._argmax, self.losses
            )
            return loss
        np.add(y.reshape(-1), self._offsets, self._y_flat)
        return self._softmax()

    def _softmax(self) -> np.inexact:
        """Turn the logits into unnormalised probabilities and return the loss.

        The greatest logit is subtracted from all, so that `exp` cannot overflow. The loss is
        computed from the logits, so that it stays finite where a probability rounds to zero::

            loss_t = log sum_k exp(o_t[k]) - o_t[y_t]
        """
        o = self._o
        # `argmax` and `take` need half the time of `max`.
        o.argmax(1, self._argmax)
        np.add(self._argmax, self._offsets, self._argmax)
        self._o_flat.take(self._argmax, None, self._row, "clip")
        np.subtract(o, self._column, o)
        self._o_flat.take(self._y_flat, None, self._target_logits, "clip")
        np.exp(o, o)
        np.dot(o, self._ones, self._row)
        np.log(self._row, self.losses)
        np.subtract(self.losses, self._target_logits, self.losses)
        loss: np.inexact = self.losses.dot(self._weights)
        return loss

    def backward(self) -> None:
        """Fill `gradients` with those of the last `forward`, whose buffers are overwritten."""
        d_o, V = self._o, self.parameters["V"]
        if self._kernel is None:
            self._subtract_targets()
        else:
            # A product with the copy takes half the time.
            np.copyto(self._V, V)
            V = self._V
        np.matmul(self._hidden_transposed, d_o, self._Vc_T_gradient)
        np.dot(d_o, V, self._state_gradients)
        for layer in reversed(self._layers):
            layer.backward()

    def _subtract_targets(self) -> None:
        """Turn the unnormalised probabilities into ``do_t = (p_t - y_t) / B``."""
        # `_o` contains exp(o_t), and `_column` their sums.
        if self._averaged_over > 1:
            np.divide(self._row, self._weights, self._row)
        np.divide(self._o, self._column, self._o)
        self._o_flat[self._y_flat] -= self._weights[0]

    @property
    def likeliest(self) -> NDArray[np.intp]:
        """The likeliest next character at each step of the last `forward`, of shape (T, B)."""
        likeliest = self._argmax if self._kernel is not None else self._argmax - self._offsets
        return likeliest.reshape(self.sequence_length, self.batch_size)

    def set_kernel(self, kernel: ModuleType | None) -> None:
        """Use compiled loops; None: NumPy. See `server.rnn.backend.selection`.

        Only a network of one layer that reads one stream in float32 has them.
        """
        self._kernel = kernel
        self._V = np.empty((len(self._ones), self._hidden.shape[1] - 1), dtype=self._o.dtype)
        for layer in self._layers:
            layer.set_kernel(kernel)

    def set_tiled(self, *, tiled: bool) -> None:
        """Divide the recurrent products into tiles, or do not. See `server.rnn.backend.selection`.

        The results are equal up to rounding.
        """
        for layer in self._layers:
            layer.set_tiled(tiled=tiled)

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
        """The dropout masks (T, B, m) of all layers but the first; empty without dropout."""
        shape = self.sequence_length, self.batch_size, self.architecture.hidden_size
        masks = [layer.inputs.mask for layer in self._layers[1:]]
        return [mask.reshape(shape) for mask in masks if mask is not None]

    def set_masks(self, masks: Sequence[Array]) -> None:
        """Use these dropout masks, as `masks` returns them, for each `forward` and `backward`."""
        for layer, mask in zip(self._layers[1:], masks, strict=False):
            if isinstance(layer.inputs, HiddenStates):
                own = layer.inputs.own_mask()
                own[:] = mask.reshape(own.shape)

    def draw_masks(self, rng: Generator, rate: float) -> None:
        """Draw the dropout masks of the next `forward` and `backward`.

        Parameters
        ----------
        rng : numpy.random.Generator
            One float32 number is drawn for each unit of each step of each stream, from the lowest
            layer up, whatever the network's type: both types then drop the same units.
        rate : float
            The fraction to drop, from 0 to less than 1.
        """
        for layer in self._layers[1:]:
            if isinstance(layer.inputs, HiddenStates):
                draw_mask(rng, rate, layer.inputs.own_mask())


def draw_mask(rng: Generator, rate: float, mask: Array) -> None:
    """Fill a mask of shape (T B, m), ordered by step, then by stream; see `Network.draw_masks`."""
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
