"""The gated recurrent unit."""

import numpy as np

from server.rnn.cells.layer import Layer, beside_gates, each_gate, each_step


class GRULayer(Layer):
    r"""The gated recurrent unit [1]_, its reset gate after the recurrent product.

    The rows of U, W and b are those of the reset gate r, the update gate z and the candidate n, in
    this order. With s the logistic function::

        r = s(W_r h_{t-1} + U_r x_t + b_r)
        z = s(W_z h_{t-1} + U_z x_t + b_z)
        q = W_n h_{t-1} + d
        n = tanh(U_n x_t + b_n + r * q)
        h_t = (1 - z) * n + z * h_{t-1}

    In the original ``r`` acts on ``h_{t-1}`` before the product with ``W_n``. Here it acts after
    it, as in cuDNN, PyTorch and Keras, so that all gates share one product; that is why the
    candidate has a bias d on either side of r.

    Backward, with ``dh_t`` for the gradient of the loss with respect to ``h_t``, ``e_t`` for the
    part of it that comes from what reads step t above, ``da`` for that of the pre-activations,
    and dq for that of q, from ``dh_{T+1} = 0``::

        da_n = dh_t * (1 - z) * (1 - n^2)
        da_z = dh_t * (h_{t-1} - n) * z * (1 - z)
        da_r = da_n * q * r * (1 - r)
        dq = da_n * r
        dh_{t-1} = e_{t-1} + z * dh_t + W^T [da_r; da_z; dq]
        dW = sum_t [da_r; da_z; dq] h_{t-1}^T       dd = sum_t dq
        dU = sum_t [da_r; da_z; da_n] x_t^T         db = sum_t [da_r; da_z; da_n]
        dx_t = U^T [da_r; da_z; da_n]

    because ``h_{t-1}`` acts on the loss through what reads it above, through ``h_t`` directly, and
    through the gates and q. All factors of ``dh_t`` are known before the way back begins, and are
    multiplied for the whole sequence at once.

    ``s(a) = (1 + tanh(a / 2)) / 2``; the halves are taken of copies of the parameters, once an
    update instead of once a step.

    PyTorch's GRU is the same in the same order, with second biases of r and z, which add nothing
    to the first; its second bias of n is d.

    References
    ----------
    .. [1] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", EMNLP 2014.
    """

    def _make_steps(self) -> None:
        p = self._parameters
        T, B, width = self._a.shape
        m = width // 3
        dtype = p.W.dtype
        self._scaled_U = np.empty_like(p.U)
        # [W^T; b_r, b_z, d], by which [h, 1] is multiplied; r's and z's halved.
        self._recurrent_weights = np.empty_like(p.Wb)
        self._candidate_bias = p.b[2 * m :]
        self._products = np.empty((T, B, width), dtype=dtype)
        self._da_n = np.empty((T, B, m), dtype=dtype)
        self._scratch = np.empty_like(self._recurrent_back)
        self._ones = np.ones(T * B, dtype=dtype)

        a, h, products = self._a, self.hidden, self._products
        gates, n = each_step(a[:, :, : 2 * m]), each_step(a[:, :, 2 * m :])
        r, z = each_step(a[:, :, :m]), each_step(a[:, :, m : 2 * m])
        of_gates, q = each_step(products[:, :, : 2 * m]), each_step(products[:, :, 2 * m :])
        states = each_step(h[:, :, :m])
        self._steps = list(zip(each_step(h[:-1]), each_step(products), of_gates, q, strict=True))
        self._gates = list(zip(gates, r, z, n, states[:-1], states[1:], strict=True))

        e = each_step(self._d_h)
        self._last_back = each_gate(self._g, 3)[-1], beside_gates(self._d_h)[-1]
        self._steps_back = list(
            zip(
                each_step(self._g)[1:],
                e[1:],
                z[1:],
                e[:-1],
                beside_gates(self._d_h)[:-1],
                each_gate(self._g, 3)[:-1],
                strict=True,
            )
        )[::-1]

    def refresh(self) -> None:
        """Take notice of changed parameters."""
        p, weights = self._parameters, self._recurrent_weights
        two_m = 2 * p.W.shape[0]
        np.copyto(weights, p.Wb)
        weights[-1, two_m:] = p.d
        weights[:, :two_m] *= 0.5
        np.copyto(self._scaled_U, p.U)
        self._scaled_U[:, :two_m] *= 0.5

    def forward(self) -> None:
        """Compute all states from state 0."""
        weights, scratch = self._recurrent_weights, self._scratch
        dot, add, subtract, multiply, tanh = np.dot, np.add, np.subtract, np.multiply, np.tanh
        self.inputs.project(self._scaled_U, self._a_rows)
        a_n = self._a_rows[:, -len(self._candidate_bias) :]
        add(a_n, self._candidate_bias, a_n)
        for (row, products, of_gates, q), (gates, r, z, n, h_before, h) in zip(
            self._steps, self._gates, strict=True
        ):
            dot(row, weights, products)
            add(gates, of_gates, gates)
            tanh(gates, gates)
            multiply(gates, 0.5, gates)
            add(gates, 0.5, gates)
            multiply(r, q, scratch)
            add(n, scratch, n)
            tanh(n, n)
            subtract(h_before, n, scratch)
            multiply(z, scratch, scratch)
            add(n, scratch, h)

    def _collect_factors(self) -> None:
        """Put in place of each gradient what it is a multiple of."""
        multiply, subtract = np.multiply, np.subtract
        m = self._d_h.shape[2]
        r, z, n = (self._a[:, :, k * m : k * m + m] for k in range(3))
        da_r, da_z, dq = (self._g[:, :, k * m : k * m + m] for k in range(3))
        da_n, q = self._da_n, self._products[:, :, 2 * m :]
        # dq and da_r hold what is not theirs until the last.
        subtract(1.0, z, da_z)
        multiply(n, n, da_n)
        subtract(1.0, da_n, da_n)
        multiply(da_n, da_z, da_n)
        multiply(da_z, z, da_z)
        subtract(self.hidden[:-1, :, :m], n, dq)
        multiply(da_z, dq, da_z)
        subtract(1.0, r, da_r)
        multiply(da_n, r, dq)
        multiply(da_r, dq, da_r)
        multiply(da_r, q, da_r)

    def backward(self) -> None:
        """Fill the gradients, and hand what belongs to the layer below to it."""
        self._collect_factors()
        weights, recurrent, scratch = self._parameters.W.T, self._recurrent_back, self._scratch
        dot, add, multiply = np.dot, np.add, np.multiply
        by_gate, d_h_by_gate = self._last_back
        multiply(by_gate, d_h_by_gate, by_gate)
        for g_after, d_h_after, z_after, d_h, d_h_by_gate, by_gate in self._steps_back:
            dot(g_after, weights, recurrent)
            multiply(z_after, d_h_after, scratch)
            add(d_h, recurrent, d_h)
            add(d_h, scratch, d_h)
            multiply(by_gate, d_h_by_gate, by_gate)
        self._fill_gradients()

    def _fill_gradients(self) -> None:
        gradients, g, two_m = self._gradients, self._g_rows, 2 * self._d_h.shape[2]
        m = self._d_h.shape[2]
        np.matmul(self._before[:, :m].T, g, gradients.W)
        np.matmul(self._ones, g[:, two_m:], gradients.d)
        # What comes by way of q is done; the rest comes by way of U x + b.
        np.multiply(self._da_n, self._d_h, self._g[:, :, two_m:])
        np.matmul(self._ones, g, gradients.b)
        self.inputs.send_back(g)
