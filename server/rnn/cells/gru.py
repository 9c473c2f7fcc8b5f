"""The gated recurrent unit.

The equations are in `GRULayer`, and as plain code in `server.rnn.reference.gru`. The layer itself
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
from server.rnn.reference import gru


class GRULayer(Layer):
    r"""The gated recurrent unit [1]_, with the reset gate after the recurrent product.

    The rows of U, W and b are those of the reset gate r, the update gate z and the candidate n, in
    this order. With s the logistic function::

        r = s(W_r h_{t-1} + U_r x_t + b_r)
        z = s(W_z h_{t-1} + U_z x_t + b_z)
        q = W_n h_{t-1} + d
        n = tanh(U_n x_t + b_n + r * q)
        h_t = (1 - z) * n + z * h_{t-1}

    In the original, ``r`` multiplies ``h_{t-1}`` before the product with ``W_n``. Here it
    multiplies the product, as in cuDNN, PyTorch and Keras, so that all gates share one product.
    The candidate therefore has two biases: ``d`` is multiplied by r, ``b_n`` is not.

    Backward, with ``dh_t`` for the gradient of the loss with respect to ``h_t``, ``e_t`` for the
    part of it through the layer above or the output alone, ``da`` for the gradients of the
    pre-activations, and ``dq`` for that of q, from ``dh_{T+1} = 0``::

        da_n = dh_t * (1 - z) * (1 - n^2)
        da_z = dh_t * (h_{t-1} - n) * z * (1 - z)
        da_r = da_n * q * r * (1 - r)
        dq = da_n * r
        dh_{t-1} = e_{t-1} + z * dh_t + W^T [da_r; da_z; dq]
        dW = sum_t [da_r; da_z; dq] h_{t-1}^T       dd = sum_t dq
        dU = sum_t [da_r; da_z; da_n] x_t^T         db = sum_t [da_r; da_z; da_n]
        dx_t = U^T [da_r; da_z; da_n]

    because ``h_{t-1}`` affects the loss through the layer above, through ``h_t`` directly, and
    through the gates and q. All factors of ``dh_t`` are known before the backward loop starts, and
    are computed for the whole sequence at once.

    ``s(a) = (1 + tanh(a / 2)) / 2``. The parameters are halved in a copy, once an update, instead
    of the pre-activations at every step.

    PyTorch's GRU has the same equations and order. Its second biases of r and z are redundant; its
    second bias of n is d.

    References
    ----------
    .. [1] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", EMNLP 2014.
    """

    def _make_weights(self) -> None:
        super()._make_weights()
        # [W^T; b_r, b_z, d], by which [h, 1] is multiplied.
        self._weights = self._empty_weights(len(self._parameters.Wb_T))
        self._multiply = make_product(self._weights, self.streams)

    def _make_steps(self) -> None:
        parameters = self._parameters
        T, B, m = self._d_h.shape
        dtype = parameters.W_T.dtype
        # The logistic gates take half of their pre-activation.
        self._scale = np.array([0.5, 0.5, 1.0], dtype=dtype)[:, None, None]
        # An array, because a Python number would be converted at every call.
        self._half = np.array(0.5, dtype=dtype)
        self._input_weights = self._empty_gates(len(parameters.U_T))
        self._products = self._empty_gates(T, B)
        self._d_a_n = np.empty_like(self._d_h)
        self._scratch = np.empty_like(self._recurrent_back)
        self._ones = np.ones(T * B, dtype=dtype)

        a, products, states = self._a, self._products, step_views(self.hidden[:, :, :m])
        r, z, n = (step_views(gate) for gate in a)
        self._steps = list(
            zip(
                *(step_views(self.hidden[:-1]), joined_step_views(products)),
                *(step_views(products[:2]), step_views(products[2]), step_views(a[:2])),
                *(r, z, n, states[:-1], states[1:]),
                strict=True,
            )
        )
        e, factors, whole = (
            step_views(self._d_h),
            step_views(self._d_a),
            joined_step_views(self._d_a),
        )
        self._last_back = factors[-1], e[-1]
        self._steps_back = list(zip(whole[1:], e[1:], z[1:], e[:-1], factors[:-1], strict=True))[
            ::-1
        ]

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, before `forward`."""
        super().refresh()
        parameters, scale, weights = self._parameters, self._scale, self._weights
        np.multiply(split_gates(parameters.U_T, 3), scale, self._input_weights)
        np.multiply(self._split_weights(parameters.Wb_T), scale[:, None], weights)
        weights[2, :, -1] = parameters.extra["d"].reshape(len(weights[2]), -1)

    def forward(self) -> None:
        """Compute all states from state 0."""
        multiply_all, scratch = self._multiply, self._scratch
        add, subtract, multiply, tanh = np.add, np.subtract, np.multiply, np.tanh
        half = self._half
        self.inputs.project(self._input_weights, self._a_rows)
        add(self._a[2], self._parameters.b[-scratch.shape[-1] :], self._a[2])
        for row, products, of_gates, q, gates, r, z, n, h_before, h in self._steps:
            multiply_all(row, products)
            add(gates, of_gates, gates)
            tanh(gates, gates)
            multiply(gates, half, gates)
            add(gates, half, gates)
            multiply(r, q, scratch)
            add(n, scratch, n)
            tanh(n, n)
            subtract(h_before, n, scratch)
            multiply(z, scratch, scratch)
            add(n, scratch, h)

    def _collect_factors(self) -> None:
        """Fill `_d_a` with the factors by which the loop multiplies ``dh_t``."""
        multiply, subtract = np.multiply, np.subtract
        (r, z, n), (d_a_r, d_a_z, d_q) = self._a, self._d_a
        d_a_n, q, before = self._d_a_n, self._products[2], self.hidden[:-1, :, :-1]
        # d_q and d_a_r are temporary storage until the last lines.
        subtract(1.0, z, d_a_z)
        multiply(n, n, d_a_n)
        subtract(1.0, d_a_n, d_a_n)
        multiply(d_a_n, d_a_z, d_a_n)
        multiply(d_a_z, z, d_a_z)
        subtract(before, n, d_q)
        multiply(d_a_z, d_q, d_a_z)
        subtract(1.0, r, d_a_r)
        multiply(d_a_n, r, d_q)
        multiply(d_a_r, d_q, d_a_r)
        multiply(d_a_r, q, d_a_r)

    def backward(self) -> None:
        """Fill the gradients of the parameters, and of the hidden states of the layer below."""
        self._collect_factors()
        multiply_back, recurrent, scratch = self._multiply_back, self._recurrent_back, self._scratch
        add, multiply = np.add, np.multiply
        factors, d_h = self._last_back
        multiply(factors, d_h, factors)
        for d_a_after, d_h_after, z_after, d_h, factors in self._steps_back:
            multiply_back(d_a_after, recurrent)
            multiply(z_after, d_h_after, scratch)
            add(d_h, recurrent, d_h)
            add(d_h, scratch, d_h)
            multiply(factors, d_h, factors)
        self._fill_gradients()

    def _fill_gradients(self) -> None:
        gradients, d_a, ones = self._gradients, self._d_a_rows, self._ones
        # The third gate's rows are dq, for W and d; then da_n, for U and b.
        np.matmul(self._before[:, :-1].T, d_a, split_gates(gradients.W_T, 3))
        np.matmul(ones, d_a[2], gradients.extra["d"])
        np.multiply(self._d_a_n, self._d_h, self._d_a[2])
        np.matmul(ones, d_a, gradients.b.reshape(3, -1))
        self.inputs.backward(d_a)

    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step."""
        (r, z, n), q, h_before = self._a[:, t, 0], self._products[2, t, 0], self.hidden[t, 0, :-1]
        d_h, m = gradients["h"], len(h_before)
        slope = (1.0 - z) * (1.0 - n * n)
        # The factors of dh for da_r, da_z and dq.
        factors = np.stack([slope * q * r * (1.0 - r), (h_before - n) * z * (1.0 - z), slope * r])
        d_a = (d_h[:, None] * factors).reshape(len(d_h), 3 * m)
        before = d_a @ self._parameters.W_T.T
        before += z * d_h
        np.multiply(d_h, slope, d_a[:, 2 * m :])
        return d_a, {"h": before}


class GRUStream(GRULayer):
    """`GRULayer` for one stream of characters, whose recurrence can be compiled."""

    COMPILED = True

    inputs: Characters

    def _make_steps(self) -> None:
        super()._make_steps()
        self._all = [joined_rows(each) for each in (self._a, self._products, self._d_a)]

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, which the compiled loops do not need."""
        if self._kernel is None:
            super().refresh()

    def forward(self) -> None:
        """Compute all states from state 0."""
        if self._kernel is None:
            super().forward()
            return
        p, (gates, products, _) = self._parameters, self._all
        self._kernel.forward_gru(
            *(self.inputs.x, p.U_T, p.W_T, p.b, p.extra["d"]),
            *(self.hidden[:, 0], gates, products, self._workspace),
        )

    def backward(self) -> None:
        """Fill the gradients."""
        if self._kernel is None:
            super().backward()
            return
        gradients, d_a_n, (gates, products, d_a) = self._gradients, self._d_a_n[:, 0], self._all
        self._kernel.backward_gru(
            *(self._parameters.W_T, self.hidden[:, 0], gates, products),
            *(self.state_gradients, d_a, d_a_n),
        )
        # The third gate's rows are dq, for W and d; then da_n, for U and b.
        m = d_a_n.shape[1]
        np.matmul(self._before.T, d_a, gradients.Wb_T)
        np.copyto(gradients.extra["d"], gradients.b[2 * m :])
        np.dot(self._ones, d_a_n, gradients.b[2 * m :])
        np.copyto(d_a[:, 2 * m :], d_a_n)
        self._kernel.sum_by_character(self.inputs.x, d_a, gradients.U_T)


GRU = Cell(
    name="gru",
    label="gru",
    gates=3,
    gate_names=("reset gate", "update gate", "candidate"),
    extra_parameters=("d",),
    layer=GRULayer,
    single_stream_layer=GRUStream,
    reference=gru,
)
