"""Long short-term memory."""

from collections.abc import Mapping

import numpy as np

from server.rnn.cells.cell import Cell, ReferenceLayer, logistic
from server.rnn.cells.gates import each_step, each_whole_step, gates_of, product
from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array

# The forget gate starts nearly open, at about 0.73. At 0.5 the state would be halved at every
# step, and nothing that lies far back could be learnt (F. A. Gers et al., 2000; R. Jozefowicz,
# W. Zaremba and I. Sutskever, "An empirical exploration of recurrent network architectures",
# ICML 2015).
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
    ``c_t``, ``e_t`` for the part of ``dh_t`` that comes from what reads step t above, and
    ``da_t`` for the gradient of the pre-activations, from ``dc_{T+1} = da_{T+1} = 0``::

        dh_t = e_t + W^T da_{t+1}
        dc_t = dh_t * o * (1 - tanh(c_t)^2) + dc_{t+1} * f_{t+1}
        da_o = dh_t * tanh(c_t) * o * (1 - o)
        da_g = dc_t * i * (1 - g^2)
        da_i = dc_t * g * i * (1 - i)
        da_f = dc_t * c_{t-1} * f * (1 - f)
        dW = sum_t da_t h_{t-1}^T   dU = sum_t da_t x_t^T   db = sum_t da_t   dx_t = U^T da_t

    because ``h_t`` acts on the loss through what reads it above and through ``a_{t+1}``, ``c_t``
    through ``h_t`` and ``c_{t+1}``, and the derivative of s(a) is s(a) (1 - s(a)). All factors of
    ``dh_t`` and ``dc_t`` are known before the way back begins, and are multiplied for the whole
    sequence at once.

    ``s(a) = (1 + tanh(a / 2)) / 2``, so that one call of tanh serves all gates. The halves are
    taken of copies of the parameters, once an update instead of once a step.

    PyTorch's LSTM is the same with the rows in the order i, f, g, o and a second bias, which
    adds nothing to the first. Here the gates that are logistic are neighbours, and so are those
    that act through ``c_t``.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: continual prediction
       with LSTM", Neural Computation 12(10), 2000.
    """

    def _make_steps(self) -> None:
        p = self._parameters
        T, B, m = self._d_h.shape
        dtype = p.W.dtype
        self._scale = np.array([1.0, 0.5, 0.5, 0.5], dtype=dtype)[:, None, None]
        # A Python number would be converted at every call.
        self._half = np.array(0.5, dtype=dtype)
        self._input_weights = self._make_gates(len(p.U))
        self._weights = self._make_gates(m + 1)
        self._multiply = product(self._weights, B)
        self._c = np.zeros((T + 1, B, m), dtype=dtype)
        self.state["c"], self.last_state["c"] = self._c[0], self._c[T]
        self._tanh_c, self._slope = np.empty_like(self._d_h), np.empty_like(self._d_h)
        self._scratch = np.empty_like(self._recurrent_back)
        (self._d_c,) = each_step(np.empty_like(self._d_h[:1]))

        a, c, tanh_c = self._a, each_step(self._c), each_step(self._tanh_c)
        g, i, f, o = (each_step(gate) for gate in a)
        self._steps = list(
            zip(
                *(each_step(self.hidden[:-1]), each_whole_step(a), each_step(a[1:])),
                *(g, i, f, o, c[:-1], c[1:], tanh_c, each_step(self._states)),
                strict=True,
            )
        )
        d_a = self._g
        self._steps_back = list(
            zip(
                *(each_step(self._d_h), each_step(self._slope), each_step(d_a[3])),
                *(each_step(d_a[:3]), f, each_whole_step(d_a)),
                strict=True,
            )
        )[::-1]

    def refresh(self) -> None:
        """Take notice of changed parameters."""
        super().refresh()
        p, scale = self._parameters, self._scale
        np.multiply(gates_of(p.U, 4), scale, self._input_weights)
        np.multiply(gates_of(p.Wb, 4), scale, self._weights)

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
        """Put in place of each pre-activation's gradient what it is a multiple of."""
        a, d_a, multiply, subtract = self._a, self._g, np.multiply, np.subtract
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
        """Fill the gradients, and hand what belongs to the layer below to it."""
        self._collect_factors()
        multiply_back, recurrent, scratch = self._multiply_back, self._recurrent_back, self._scratch
        add, multiply, d_c = np.add, np.multiply, self._d_c
        d_c[:] = 0.0
        recurrent[:] = 0.0
        for d_h, slope, d_a_o, through_c, f, d_a in self._steps_back:
            add(d_h, recurrent, d_h)
            multiply(d_h, slope, scratch)
            add(d_c, scratch, d_c)
            multiply(d_a_o, d_h, d_a_o)
            multiply(through_c, d_c, through_c)
            multiply(d_c, f, d_c)
            multiply_back(d_a, recurrent)
        np.matmul(self._before.T, self._g_rows, gates_of(self._gradients.Wb, 4))
        self.inputs.send_back(self._g_rows)


def reference_step(
    layer: ReferenceLayer, inputs: Array, state: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the next state by the equations of `LSTMLayer`."""
    a = layer.product("W", state["h"]) + (inputs + layer.vector("b"))
    a_g, a_i, a_f, a_o = np.split(a, 4, axis=2)
    c = logistic(a_f) * state["c"] + logistic(a_i) * np.tanh(a_g)
    return {"h": logistic(a_o) * np.tanh(c), "c": c}


LSTM = Cell(
    name="lstm",
    label="lstm",
    gates=4,
    states=("h", "c"),
    initial_biases=(0.0, 0.0, FORGET_BIAS, 0.0),
    layer=LSTMLayer,
    reference_step=reference_step,
)
