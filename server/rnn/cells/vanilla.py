"""The vanilla recurrence, of any number of streams."""

from collections.abc import Mapping

import numpy as np

from server.rnn.cells.cell import Cell, ReferenceLayer
from server.rnn.cells.gates import each_step, each_whole_step, gates_of
from server.rnn.cells.layer import Layer
from server.rnn.cells.vanilla_stream import VanillaStream
from server.rnn.parameters import Array


class VanillaLayer(Layer):
    """The Elman recurrence ``h_t = tanh(a_t)``, ``a_t = W h_{t-1} + U x_t + b``.

    Backward, with ``g_t`` for the gradient of the loss with respect to ``a_t``, and ``e_t`` for the
    part of the gradient of ``h_t`` that comes from what reads step t above::

        g_T = e_T * (1 - h_T^2)
        g_t = (e_t + W^T g_{t+1}) * (1 - h_t^2)        t = T-1, ..., 1
        dW = sum_t g_t h_{t-1}^T    dU = sum_t g_t x_t^T    db = sum_t g_t    dx_t = U^T g_t

    because ``h_t`` acts on the loss through what reads it above and through ``a_{t+1}``, and the
    derivative of tanh(a) is 1 - tanh(a)^2.

    References
    ----------
    .. [1] J. L. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
    .. [2] P. J. Werbos, "Backpropagation through time: what it does and how to do it",
       Proceedings of the IEEE 78(10), 1990.
    """

    def _make_steps(self) -> None:
        states, a = each_step(self._states), each_step(self._a[0])
        before = each_step(self.hidden[:-1])
        self._recurrent = self._recurrent.reshape(a[0].shape)
        self._steps = list(zip(before, a, states, strict=True))
        g, e = each_step(self._g[0]), each_step(self._d_h)
        whole = each_whole_step(self._g)
        self._steps_back = list(zip(whole[1:], e[:-1], g[:-1], strict=True))[::-1]

    def forward(self) -> None:
        """Compute all states from state 0."""
        weights, recurrent = self._parameters.Wb, self._recurrent
        dot, add, tanh = np.dot, np.add, np.tanh
        self.inputs.project(gates_of(self._parameters.U, 1), self._a_rows)
        for h_before, a, h in self._steps:
            dot(h_before, weights, recurrent)
            add(a, recurrent, a)
            tanh(a, h)

    def backward(self) -> None:
        """Fill the gradients, and hand what belongs to the layer below to it."""
        multiply_back, recurrent = self._multiply_back, self._recurrent_back
        add, multiply = np.add, np.multiply
        (g,) = self._g
        multiply(self._states, self._states, g)
        np.subtract(1.0, g, g)
        multiply(g[-1], self._d_h[-1], g[-1])
        for g_after, e, g_here in self._steps_back:
            multiply_back(g_after, recurrent)
            add(e, recurrent, e)
            multiply(g_here, e, g_here)
        np.matmul(self._before.T, self._g_rows[0], self._gradients.Wb)
        self.inputs.send_back(self._g_rows)


def reference_step(
    layer: ReferenceLayer, inputs: Array, state: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the next state by the equations of `VanillaLayer`."""
    return {"h": np.tanh(layer.product("W", state["h"]) + (inputs + layer.vector("b")))}


VANILLA = Cell(
    name="rnn",
    label="rnn, as in the course",
    gates=1,
    layer=VanillaLayer,
    single_stream_layer=VanillaStream,
    reference_step=reference_step,
)
