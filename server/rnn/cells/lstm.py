"""Long short-term memory.

The equations are in `LSTMLayer`, and as plain code in `server.rnn.reference.lstm`. The layer itself
is written for speed.
"""

import numpy as np

from server.rnn.cells.cell import Cell
from server.rnn.cells.gates import (
    joined_rows,
    joined_step_views,
    make_product,
    split_gates,
    step_views,
)
from server.rnn.cells.inputs import Characters
from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array
from server.rnn.reference import lstm

# With a bias of 1 the forget gate starts at about 0.73. With 0 it would start at 0.5 and halve the
# state at every step, so that long dependencies could not be learnt (F. A. Gers et al., 2000;
# R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of recurrent network
# architectures", ICML 2015).
FORGET_BIAS = 1.0


class LSTMLayer(Layer):
    r"""Long short-term memory [1]_ with the forget gate of [2]_.

    The rows of U, W and b are those of the candidate g, the input gate i, the forget gate f and
    the output gate o, in this order. With s the logistic function::

        [a_g; a_i; a_f; a_o] = W h_{t-1} + U x_t + b
        g = tanh(a_g)   i = s(a_i)   f = s(a_f)   o = s(a_o)
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    Backward, with ``dh_t`` and ``dc_t`` for the gradients of the loss with respect to ``h_t`` and
    ``c_t``, ``e_t`` for the part of ``dh_t`` through the layer above or the output alone, and
    ``da_t`` for the gradient of the pre-activations, from ``dc_{T+1} = da_{T+1} = 0``::

        dh_t = e_t + W^T da_{t+1}
        dc_t = dh_t * o * (1 - tanh(c_t)^2) + dc_{t+1} * f_{t+1}
        da_o = dh_t * tanh(c_t) * o * (1 - o)
        da_g = dc_t * i * (1 - g^2)
        da_i = dc_t * g * i * (1 - i)
        da_f = dc_t * c_{t-1} * f * (1 - f)
        dW = sum_t da_t h_{t-1}^T   dU = sum_t da_t x_t^T   db = sum_t da_t   dx_t = U^T da_t

    because ``h_t`` affects the loss through the layer above and through ``a_{t+1}``, ``c_t``
    through ``h_t`` and ``c_{t+1}``, and the derivative of s(a) is s(a) (1 - s(a)). All factors of
    ``dh_t`` and ``dc_t`` are known before the backward loop starts, and are computed for the whole
    sequence at once.

    ``s(a) = (1 + tanh(a / 2)) / 2``, so that one call of tanh serves all gates. The parameters are
    halved in a copy, once an update, instead of the pre-activations at every step.

    PyTorch's LSTM has the same equations, with the rows in the order i, f, g, o and a second,
    redundant bias. Here the logistic gates i, f, o are adjacent, and so are the gates g, i, f,
    which affect the loss through ``c_t``.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: continual prediction
       with LSTM", Neural Computation 12(10), 2000.
    """

    def _make_weights(self) -> None:
        super()._make_weights()
        self._weights = self._empty_weights(len(self._parameters.Wb_T))
        self._multiply = make_product(self._weights, self.streams)

    def _make_steps(self) -> None:
        parameters = self._parameters
        T, B, m = self._d_h.shape
        dtype = parameters.W_T.dtype
        # The logistic gates take half of their pre-activation.
        self._scale = np.array([1.0, 0.5, 0.5, 0.5], dtype=dtype)[:, None, None]
        # An array, because a Python number would be converted at every call.
        self._half = np.array(0.5, dtype=dtype)
        self._input_weights = self._empty_gates(len(parameters.U_T))
        self._c = np.zeros((T + 1, B, m), dtype=dtype)
        self.state["c"], self.last_state["c"] = self._c[0], self._c[T]
        self._tanh_c, self._slope = np.empty_like(self._d_h), np.empty_like(self._d_h)
        self._scratch = np.empty_like(self._recurrent_back)
        (self._d_c,) = step_views(np.empty_like(self._d_h[:1]))
        self.last_state_gradients["c"] = np.zeros_like(self._d_h[0])
        (self._last_d_c,) = step_views(self.last_state_gradients["c"][None])

        a, c, tanh_c = self._a, step_views(self._c), step_views(self._tanh_c)
        g, i, f, o = (step_views(gate) for gate in a)
        self._steps = list(
            zip(
                *(step_views(self.hidden[:-1]), joined_step_views(a), step_views(a[1:])),
                *(g, i, f, o, c[:-1], c[1:], tanh_c, step_views(self._states)),
                strict=True,
            )
        )
        d_a = self._d_a
        self._steps_back = list(
            zip(
                *(step_views(self._d_h), step_views(self._slope), step_views(d_a[3])),
                *(step_views(d_a[:3]), f, joined_step_views(d_a)),
                strict=True,
            )
        )[::-1]

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, before `forward`."""
        super().refresh()
        parameters, scale = self._parameters, self._scale
        np.multiply(split_gates(parameters.U_T, 4), scale, self._input_weights)
        np.multiply(self._split_weights(parameters.Wb_T), scale[:, None], self._weights)

    def forward(self) -> None:
        """Compute all states from state 0."""
        multiply_all, recurrent, scratch = self._multiply, self._recurrent, self._scratch
        add, multiply, tanh = np.add, np.multiply, np.tanh
        half = self._half
        self.inputs.project(self._input_weights, self._a_rows)
        for h_before, a, ifo, g, i, f, o, c_before, c, tanh_c, h in self._steps:
            multiply_all(h_before, recurrent)
            add(a, recurrent, a)
            tanh(a, a)
            multiply(ifo, half, ifo)
            add(ifo, half, ifo)
            multiply(f, c_before, c)
            multiply(i, g, scratch)
            add(c, scratch, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)

    def _collect_factors(self) -> None:
        """Fill `_d_a` with the factors by which the loop multiplies ``dh_t`` or ``dc_t``."""
        a, d_a, multiply, subtract = self._a, self._d_a, np.multiply, np.subtract
        g, i, _, o = a
        d_a_g, d_a_i, d_a_f, d_a_o = d_a
        multiply(a, a, d_a)
        subtract(1.0, d_a_g, d_a_g)
        subtract(a[1:], d_a[1:], d_a[1:])
        multiply(d_a_g, i, d_a_g)
        multiply(d_a_i, g, d_a_i)
        multiply(d_a_f, self._c[:-1], d_a_f)
        multiply(d_a_o, self._tanh_c, d_a_o)
        slope = self._slope
        multiply(self._tanh_c, self._tanh_c, slope)
        subtract(1.0, slope, slope)
        multiply(slope, o, slope)

    def backward(self) -> None:
        """Fill the gradients of the parameters, and of the hidden states of the layer below."""
        self._collect_factors()
        multiply_back, recurrent, scratch = self._multiply_back, self._recurrent_back, self._scratch
        add, multiply, d_c = np.add, np.multiply, self._d_c
        d_c[:] = self._last_d_c
        recurrent[:] = 0.0
        for d_h, slope, d_a_o, through_c, f, d_a in self._steps_back:
            add(d_h, recurrent, d_h)
            multiply(d_h, slope, scratch)
            add(d_c, scratch, d_c)
            multiply(d_a_o, d_h, d_a_o)
            multiply(through_c, d_c, through_c)
            multiply(d_c, f, d_c)
            multiply_back(d_a, recurrent)
        np.matmul(self._before.T, self._d_a_rows, split_gates(self._gradients.Wb_T, 4))
        self.inputs.backward(self._d_a_rows)

    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step."""
        (g, i, f, o), tanh_c = self._a[:, t, 0], self._tanh_c[t, 0]
        d_h, m = gradients["h"], len(o)
        d_c = gradients["c"] + d_h * (o * (1.0 - tanh_c * tanh_c))
        # The factors of dc for da_g, da_i and da_f.
        factors = np.stack([i * (1.0 - g * g), g * i * (1.0 - i), self._c[t, 0] * f * (1.0 - f)])
        gates = np.empty((len(d_h), 4, m), dtype=d_h.dtype)
        np.multiply(d_c[:, None], factors, gates[:, :3])
        np.multiply(d_h, tanh_c * o * (1.0 - o), gates[:, 3])
        d_a = gates.reshape(len(d_h), 4 * m)
        return d_a, {"h": d_a @ self._parameters.W_T.T, "c": d_c * f}


class LSTMStream(LSTMLayer):
    """`LSTMLayer` for one stream of characters, whose recurrence can be compiled."""

    COMPILED = True

    inputs: Characters

    def _make_steps(self) -> None:
        super()._make_steps()
        self._all = joined_rows(self._a), self._c[:, 0], self._tanh_c[:, 0]
        self._all_d_a = joined_rows(self._d_a)

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, which the compiled loops do not need."""
        if self._kernel is None:
            super().refresh()

    def forward(self) -> None:
        """Compute all states from state 0."""
        if self._kernel is None:
            super().forward()
            return
        p = self._parameters
        self._kernel.forward_lstm(
            *(self.inputs.x, p.U_T, p.W_T, p.b, self.hidden[:, 0], *self._all, self._workspace)
        )

    def backward(self) -> None:
        """Fill the gradients."""
        if self._kernel is None:
            super().backward()
            return
        d_a = self._all_d_a
        self._d_c[:] = self._last_d_c
        self._kernel.backward_lstm(
            self._parameters.W_T, *self._all, self.state_gradients, self._d_c, d_a
        )
        np.matmul(self._before.T, d_a, self._gradients.Wb_T)
        self._kernel.sum_by_character(self.inputs.x, d_a, self._gradients.U_T)


LSTM = Cell(
    name="lstm",
    label="lstm",
    gates=4,
    gate_names=("candidate", "input gate", "forget gate", "output gate"),
    states=("h", "c"),
    initial_biases=(0.0, 0.0, FORGET_BIAS, 0.0),
    layer=LSTMLayer,
    single_stream_layer=LSTMStream,
    reference=lstm,
)
