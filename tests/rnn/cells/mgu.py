"""The minimal gated unit, a cell that is not shipped. Its definition is in `mgu_reference`."""

import numpy as np

from server.rnn.cells.cell import Cell
from server.rnn.cells.gates import split_gates
from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array
from tests.rnn.cells import mgu_reference


class MGULayer(Layer):
    """The minimal gated unit [1]_, one step at a time.

    The rows of U, W and b are those of the forget gate f and the candidate n, in this order. With
    s the logistic function::

        f = s(W_f h_{t-1} + U_f x_t + b_f)
        n = tanh(W_n (f * h_{t-1}) + U_n x_t + b_n)
        h_t = (1 - f) * h_{t-1} + f * n

    Backward, with ``dh_t`` for the gradient of the loss with respect to ``h_t``, ``e_t`` for the
    part of it through the layer above or the output alone, ``da`` for the gradients of the
    pre-activations, and ``dr`` for that of ``f * h_{t-1}``::

        da_n = dh_t * f * (1 - n^2)
        dr = W_n^T da_n
        da_f = (dh_t * (n - h_{t-1}) + dr * h_{t-1}) * f * (1 - f)
        dh_{t-1} = e_{t-1} + dh_t * (1 - f) + dr * f + W_f^T da_f

    References
    ----------
    .. [1] G.-B. Zhou, J. Wu, C.-L. Zhang and Z.-H. Zhou, "Minimal gated unit for recurrent neural
       networks", International Journal of Automation and Computing 13(3), 2016.
    """

    def _make_steps(self) -> None:
        # f_t * h_{t-1} of each step.
        self._r = np.empty_like(self._d_h)

    def forward(self) -> None:
        """Compute all states from state 0."""
        p, (f, n), r = self._parameters, self._a, self._r
        (W_f, W_n), (b_f, b_n) = np.split(p.W_T, 2, axis=1), np.split(p.b, 2)
        self.inputs.project(split_gates(p.U_T, 2), self._a_rows)
        for t, h_t in enumerate(self._states):
            h = self.hidden[t, :, :-1]
            f[t] = logistic(f[t] + h @ W_f + b_f)
            r[t] = f[t] * h
            n[t] = np.tanh(n[t] + r[t] @ W_n + b_n)
            h_t[:] = (1.0 - f[t]) * h + f[t] * n[t]

    def backward(self) -> None:
        """Fill the gradients of the parameters, and of the hidden states of the layer below."""
        W_f, W_n = np.split(self._parameters.W_T, 2, axis=1)
        (f, n), (d_f, d_n), before = self._a, self._d_a, self.hidden[:-1, :, :-1]
        recurrent: Array = np.zeros_like(self._d_h[0])
        for t in reversed(range(self.sequence_length)):
            h, d_h = before[t], self._d_h[t] + recurrent
            d_n[t] = d_h * f[t] * (1.0 - n[t] ** 2)
            d_r = d_n[t] @ W_n.T
            d_f[t] = (d_h * (n[t] - h) + d_r * h) * f[t] * (1.0 - f[t])
            recurrent = d_h * (1.0 - f[t]) + d_r * f[t] + d_f[t] @ W_f.T
        (g_f, g_n), m = self._d_a_rows, len(W_f)
        gradients = self._gradients
        gradients.W_T[:, :m] = self._before[:, :m].T @ g_f
        gradients.W_T[:, m:] = self._r.reshape(-1, m).T @ g_n
        gradients.b[:] = self._d_a_rows.sum(axis=1).reshape(-1)
        self.inputs.backward(self._d_a_rows)

    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step."""
        W_f, W_n = np.split(self._parameters.W_T, 2, axis=1)
        (f, n), h, d_h = self._a[:, t, 0], self.hidden[t, 0, :-1], gradients["h"]
        d_n = d_h * f * (1.0 - n**2)
        d_r = d_n @ W_n.T
        d_f = (d_h * (n - h) + d_r * h) * f * (1.0 - f)
        before = d_h * (1.0 - f) + d_r * f + d_f @ W_f.T
        return np.concatenate([d_f, d_n], axis=1), {"h": before}


def logistic(a: Array) -> Array:
    """Return 1 / (1 + e^-a)."""
    return np.asarray(1.0 / (1.0 + np.exp(-a)))


MGU = Cell(
    name="mgu",
    label="minimal gated unit",
    gates=2,
    gate_names=("forget gate", "candidate"),
    initial_biases=(1.0, 0.0),
    layer=MGULayer,
    reference=mgu_reference,
)
