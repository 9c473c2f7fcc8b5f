"""Long short-term memory."""

import numpy as np

from server.rnn.cells.layer import Layer, beside_gates, each_gate, each_step


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
        T, B, width = self._a.shape
        m = width // 4
        self._scale = np.full(width, 0.5, dtype=p.W.dtype)
        self._scale[:m] = 1.0
        self._scaled_U, self._scaled_Wb = np.empty_like(p.U), np.empty_like(p.Wb)
        self._c = np.zeros((T + 1, B, m), dtype=p.W.dtype)
        self._tanh_c = np.empty((T, B, m), dtype=p.W.dtype)
        self._slope = np.empty((T, B, m), dtype=p.W.dtype)
        self._scratch = np.empty_like(self._recurrent_back)
        self._d_c = np.zeros((1, B, m), dtype=p.W.dtype)
        self.state["c"], self.last_state["c"] = self._c[0], self._c[T]

        a, h = self._a, self.hidden
        g, i, f, o = (each_step(a[:, :, k * m : k * m + m]) for k in range(4))
        logistic, c, tanh_c = each_step(a[:, :, m:]), each_step(self._c), each_step(self._tanh_c)
        self._steps = list(zip(each_step(h[:-1]), each_step(a), logistic, g, i, f, o, strict=True))
        self._cells = list(zip(c[:-1], c[1:], tanh_c, each_step(h[1:, :, :m]), strict=True))

        da, e, by_gate = self._g, each_step(self._d_h), each_gate(self._g, 4)
        da_o = each_step(da[:, :, 3 * m :])
        through_c = [gates[..., :3, :] for gates in by_gate]
        self._steps_back = list(
            zip(e, each_step(self._slope), da_o, through_c, f, each_step(da), strict=True)
        )[::-1]

    def refresh(self) -> None:
        """Take notice of changed parameters."""
        np.multiply(self._parameters.U, self._scale, self._scaled_U)
        np.multiply(self._parameters.Wb, self._scale, self._scaled_Wb)

    def forward(self) -> None:
        """Compute all states from state 0."""
        weights, recurrent, scratch = self._scaled_Wb, self._recurrent, self._scratch
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
        self.inputs.project(self._scaled_U, self._a_rows)
        for (h_before, a, logistic, g, i, f, o), (c_before, c, tanh_c, h) in zip(
            self._steps, self._cells, strict=True
        ):
            dot(h_before, weights, recurrent)
            add(a, recurrent, a)
            tanh(a, a)
            multiply(logistic, 0.5, logistic)
            add(logistic, 0.5, logistic)
            multiply(f, c_before, c)
            multiply(i, g, scratch)
            add(c, scratch, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)

    def _collect_factors(self) -> None:
        """Put in place of each pre-activation's gradient what it is a multiple of."""
        a, da, multiply, subtract = self._a, self._g, np.multiply, np.subtract
        m = self._d_h.shape[2]
        g, i, _, o = (a[:, :, k * m : k * m + m] for k in range(4))
        da_g, da_i, da_f, da_o = (da[:, :, k * m : k * m + m] for k in range(4))
        multiply(a, a, da)
        subtract(1.0, da_g, da_g)
        subtract(a[:, :, m:], da[:, :, m:], da[:, :, m:])
        multiply(da_g, i, da_g)
        multiply(da_i, g, da_i)
        multiply(da_f, self._c[:-1], da_f)
        multiply(da_o, self._tanh_c, da_o)
        slope = self._slope
        multiply(self._tanh_c, self._tanh_c, slope)
        subtract(1.0, slope, slope)
        multiply(slope, o, slope)

    def backward(self) -> None:
        """Fill the gradients, and hand what belongs to the layer below to it."""
        self._collect_factors()
        weights, recurrent, scratch = self._parameters.W.T, self._recurrent_back, self._scratch
        dot, add, multiply = np.dot, np.add, np.multiply
        self._d_c[:] = 0.0
        recurrent[:] = 0.0
        (d_c,), (d_c_by_gate,) = each_step(self._d_c), beside_gates(self._d_c)
        for d_h, slope, da_o, through_c, f, da in self._steps_back:
            add(d_h, recurrent, d_h)
            multiply(d_h, slope, scratch)
            add(d_c, scratch, d_c)
            multiply(da_o, d_h, da_o)
            multiply(through_c, d_c_by_gate, through_c)
            multiply(d_c, f, d_c)
            dot(da, weights, recurrent)
        np.matmul(self._before.T, self._g_rows, self._gradients.Wb)
        self.inputs.send_back(self._g_rows)
