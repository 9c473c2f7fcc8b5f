"""The vanilla recurrence of one stream of characters, in as few NumPy calls as possible.

This is the default network, and it is written for speed: with one stream, the arithmetic of a step
takes no longer than a NumPy call. The equations, and the code without these tricks, are in
`vanilla`.
"""

import numpy as np

from server.rnn.cells.gates import step_views
from server.rnn.cells.inputs import Characters
from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array

# The most input rows appended to the recurrent matrix at a time. With more, each product would lose
# more time than is saved by appending less often.
MAX_PICKS = 16


def count_picks(sequence_length: int) -> int:
    """Return the number of steps that `VanillaStream` computes with one appended matrix.

    Parameters
    ----------
    sequence_length : int
        T, at least 1.

    Returns
    -------
    int
        At most `MAX_PICKS`, such that all parts of the sequence have about the same length.
    """
    parts = -(-sequence_length // MAX_PICKS)
    return -(-sequence_length // parts)


class VanillaStream(Layer):
    """`VanillaLayer` for one stream of characters.

    Forward, a step is one product and one tanh. The columns of U that the next few steps read are
    appended to ``[W^T; b]``. The row ``[h_{t-1}, 1, 0..1..0]`` is multiplied by this matrix; its
    one-hot end picks the column of its step. So the product is ``a_t``, and nothing is added.

    Backward, one product gives three gradients. Row t - 1 of the matrix `_reads` begins with
    ``[x_t, h_{t-1}, 1]``, where ``x_t`` is one-hot, and ::

        [dU^T; dW^T; db] = [x, h_{before}, 1]^T da

    The parameters are those of `Layer`, with `Characters` as inputs and one stream.
    """

    COMPILED = True

    inputs: Characters

    def _make_steps(self) -> None:
        U_T, W_T = self._parameters.U_T, self._parameters.W_T
        (K, m), T = U_T.shape, self.sequence_length
        picks = count_picks(T)
        self._reads_flat = self._reads.reshape(-1)
        self._reads_transposed = self._reads[:T, : K + m + 1].T
        self._offsets = np.arange(T, dtype=np.intp) * self._reads.shape[1]
        self._one_hot = self._offsets.copy()
        self._appended = np.zeros((m + 1 + picks, m), dtype=W_T.dtype)
        self._states = self.hidden[1:, 0, :m]

        # Bound methods, made once.
        self._product = self._appended.T.dot
        self._product_back = W_T.dot
        rows, states = list(self._reads[:T, K:]), list(self._states)
        for t, row in enumerate(rows):
            row[m + 1 + t % picks] = 1.0
        steps = list(zip(rows, states, strict=True))
        self._parts = [
            (self.inputs.x[t : t + picks], self._appended[m + 1 :][: T - t], steps[t : t + picks])
            for t in range(0, T, picks)
        ]
        e, slopes = step_views(self._d_h), step_views(self._d_a[0])
        self._steps_back = list(zip(e[1:], e[:-1], slopes[:-1], strict=True))[::-1]

    def _make_hidden(self) -> Array:
        """Make the states a part of `_reads`, the left side of the gradient product.

        The one-hot end of each row makes all these matrices slices. `matmul` does not copy slices;
        `dot` does.
        """
        (K, m), T = self._parameters.U_T.shape, self.sequence_length
        reads = np.zeros((T + 1, K + m + 1 + count_picks(T)), dtype=self._parameters.W_T.dtype)
        reads[:, K + m] = 1.0
        self._reads = reads
        return reads[:, None, K : K + m + 1]

    def forward(self) -> None:
        """Compute all states from state 0."""
        x, one_hot, parameters = self.inputs.x, self._one_hot, self._parameters
        if self._kernel is not None:
            U_T, W_T, b = parameters.U_T, parameters.W_T, parameters.b
            self._kernel.forward(x, U_T, W_T, b, self._reads, self._workspace)
            return
        self._reads_flat[one_hot] = 0.0
        np.add(x, self._offsets, one_hot)
        self._reads_flat[one_hot] = 1.0
        self._forward()

    def _forward(self) -> None:
        product, tanh, take = self._product, np.tanh, self._parameters.U_T.take
        Wb_T = self._parameters.Wb_T
        np.copyto(self._appended[: len(Wb_T)], Wb_T)
        for x, appended, steps in self._parts:
            # The default mode copies `out`, in case an index is wrong; "clip" does not.
            take(x, 0, appended, "clip")
            for row, h in steps:
                product(row, h)
                tanh(h, h)

    def backward(self) -> None:
        """Fill the gradients."""
        # Each e_t becomes da_t in place.
        e, parameters = self.state_gradients, self._parameters
        if self._kernel is not None:
            K = len(parameters.U_T)
            self._kernel.backward(parameters.W_T, self._reads, K, e, self._workspace)
            np.matmul(self._before.T, e, self._gradients.Wb_T)
            self._kernel.sum_by_character(self.inputs.x, e, self._gradients.U_T)
            return
        self._backward()
        np.matmul(self._reads_transposed, e, self._gradients.UWb_T)

    def _backward(self) -> None:
        product, add, multiply = self._product_back, np.add, np.multiply
        e, slopes, recurrent = self.state_gradients, self._d_a_rows[0], self._recurrent_back
        # The slope of step t is 1 - h_t^2.
        multiply(self._states, self._states, slopes)
        np.subtract(1.0, slopes, slopes)
        multiply(e[-1], slopes[-1], e[-1])
        for d_a_after, e_here, slope in self._steps_back:
            product(d_a_after, recurrent)
            add(e_here, recurrent, e_here)
            multiply(e_here, slope, e_here)

    def pull_back(self, t: int, gradients: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Carry gradients back through one step."""
        return pull_back_tanh(self.hidden[t + 1, 0, :-1], self._parameters.W_T, gradients)


def pull_back_tanh(
    h: Array, W_T: Array, gradients: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """Carry gradients back through ``h = tanh(W h_before + U x + b)``; see `Layer.pull_back`."""
    d_a = gradients["h"] * (1.0 - h * h)
    return d_a, {"h": d_a @ W_T.T}
