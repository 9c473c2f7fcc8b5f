"""The vanilla recurrence: the network of the course. Read this cell first.

One stream of characters, the default network, is computed by `vanilla_stream` instead: the same
equations in fewer NumPy calls. `server.rnn.reference.vanilla` has them as plain code.
"""

import numpy as np

from server.rnn.cells.cell import Cell
from server.rnn.cells.gates import joined_step_views, multiply_tiles, split_gates, step_views
from server.rnn.cells.layer import Layer
from server.rnn.cells.vanilla_stream import VanillaStream, pull_back_tanh
from server.rnn.parameters import Array
from server.rnn.reference import vanilla


class VanillaLayer(Layer):
    """The Elman recurrence [1]_ ``h_t = tanh(a_t)``, ``a_t = W h_{t-1} + U x_t + b``.

    Backward [2]_, with ``da_t`` for the gradient of the loss with respect to ``a_t``, and ``e_t``
    for its gradient with respect to ``h_t`` through the layer above or the output alone::

        da_T = e_T * (1 - h_T^2)
        da_t = (e_t + W^T da_{t+1}) * (1 - h_t^2)        t = T-1, ..., 1
        dW = sum_t da_t h_{t-1}^T    dU = sum_t da_t x_t^T    db = sum_t da_t    dx_t = U^T da_t

    because ``h_t`` affects the loss through the layer above and through ``a_{t+1}``, and the
    derivative of tanh(a) is 1 - tanh(a)^2.

    References
    ----------
    .. [1] J. L. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
    .. [2] P. J. Werbos, "Backpropagation through time: what it does and how to do it",
       Proceedings of the IEEE 78(10), 1990.
    """

    def _make_weights(self) -> None:
        super()._make_weights()
        Wb_T = self._parameters.Wb_T
        # It is multiplied where it is, unless there are tiles to be copied.
        self._is_tiled = self._tile_width < Wb_T.shape[1]
        self._weights = self._empty_weights(len(Wb_T))[0] if self._is_tiled else Wb_T

    def _make_steps(self) -> None:
        h_before, a, h = (
            step_views(self.hidden[:-1]),
            step_views(self._a[0]),
            step_views(self._states),
        )
        self._recurrent = self._recurrent.reshape(a[0].shape)
        self._steps = list(zip(h_before, a, h, strict=True))
        e, d_a = step_views(self._d_h), step_views(self._d_a[0])
        d_a_after = joined_step_views(self._d_a)[1:]
        self._steps_back = list(zip(d_a_after, e[:-1], d_a[:-1], strict=True))[::-1]

    def refresh(self) -> None:
        """Update the layer's copies of the parameters, before `forward`."""
        super().refresh()
        if self._is_tiled:
            np.copyto(self._weights, self._split_weights(self._parameters.Wb_T)[0])

    def forward(self) -> None:
        """Compute all states from state 0."""
        weights, recurrent = self._weights, self._recurrent
        multiply = multiply_tiles if self._is_tiled else np.dot
        add, tanh = np.add, np.tanh
        # a_t = U x_t for all t; the loop adds W h_{t-1} + b.
        self.inputs.project(split_gates(self._parameters.U_T, 1), self._a_rows)
        for h_before, a, h in self._steps:
            multiply(h_before, weights, recurrent)
            add(a, recurrent, a)
            tanh(a, h)

    def backward(self) -> None:
        """Fill the gradients of the parameters, and of the hidden states of the layer below."""
        multiply_back, recurrent = self._multiply_back, self._recurrent_back
        add, multiply = np.add, np.multiply
        (d_a,) = self._d_a
        # da_t = 1 - h_t^2 for all t; the loop multiplies it by e_t + W^T da_{t+1}.
        multiply(self._states, self._states, d_a)
        np.subtract(1.0, d_a, d_a)
        multiply(d_a[-1], self._d_h[-1], d_a[-1])
        for d_a_after, e, d_a_here in self._steps_back:
            multiply_back(d_a_after, recurrent)
            add(e, recurrent, e)
            multiply(d_a_here, e, d_a_here)
        np.matmul(self._before.T, self._d_a_rows[0], self._gradients.Wb_T)
        self.inputs.backward(self._d_a_rows)

    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step."""
        return pull_back_tanh(self.hidden[t + 1, 0, :-1], self._parameters.W_T, gradients)


VANILLA = Cell(
    name="rnn",
    label="rnn, as in the course",
    gates=1,
    layer=VanillaLayer,
    single_stream_layer=VanillaStream,
    reference=vanilla,
)
