"""The vanilla recurrence of a single stream of characters, in fewer calls.

With one stream a step is so little work that calling NumPy costs as much. What this does is
`VanillaLayer`'s, by as few calls as there can be.
"""

from types import ModuleType

import numpy as np

from server.rnn.cells.gates import each_step
from server.rnn.cells.inputs import Characters
from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array

# The most input rows that are appended to the recurrent matrix at a time. More would make each
# product longer than it makes the appending rarer.
MOST_PICKS = 16


def count_picks(sequence_length: int) -> int:
    """Return how many steps of a sequence `VanillaStream` takes at a time.

    Parameters
    ----------
    sequence_length : int
        T, at least 1.

    Returns
    -------
    int
        At most `MOST_PICKS`, and such that the last part of the sequence is not much shorter.
    """
    parts = -(-sequence_length // MOST_PICKS)
    return -(-sequence_length // parts)


class VanillaStream(Layer):
    """`VanillaLayer` for one stream of characters.

    Forward, a step is one product and one tanh. The columns of U that a few steps read are
    appended to ``[W^T; b]``, and the row that is multiplied by it, ``[h_{t-1}, 1, 0..1..0]``,
    picks the one of its step, so that nothing is left to add.

    Backward, one product gives three gradients. Row t - 1 of one matrix begins with
    ``[x_t, h_{t-1}, 1]``, with ``x_t`` one-hot, and ::

        [dU^T; dW^T; db] = [x, h_{before}, 1]^T g

    The parameters are those of `Layer`, with `Characters` for inputs and one stream.
    """

    COMPILED = True

    inputs: Characters
    _kernel: ModuleType | None = None

    def _make_steps(self) -> None:
        U, W = self._parameters.U, self._parameters.W
        (K, m), T = U.shape, self.sequence_length
        picks = count_picks(T)
        self._reads_flat = self._reads.reshape(-1)
        self._reads_transposed = self._reads[:T, : K + m + 1].T
        self._offsets = np.arange(T, dtype=np.intp) * self._reads.shape[1]
        self._one_hot = self._offsets.copy()
        self._appended = np.zeros((m + 1 + picks, m), dtype=W.dtype)
        self._states = self.hidden[1:, 0, :m]

        # So are the bound methods made once.
        self._product = self._appended.T.dot
        self._product_back = W.dot
        rows, states = list(self._reads[:T, K:]), list(self._states)
        for t, row in enumerate(rows):
            row[m + 1 + t % picks] = 1.0
        steps = list(zip(rows, states, strict=True))
        self._parts = [
            (self.inputs.x[t : t + picks], self._appended[m + 1 :][: T - t], steps[t : t + picks])
            for t in range(0, T, picks)
        ]
        e, slopes = each_step(self._d_h), each_step(self._g[0])
        self._steps_back = list(zip(e[1:], e[:-1], slopes[:-1], strict=True))[::-1]

    def _make_hidden(self) -> Array:
        """Make the states part of what the gradient product reads.

        The picks at the end of each row make all these matrices slices, of which `matmul` makes
        no copies and `dot` does.
        """
        (K, m), T = self._parameters.U.shape, self.sequence_length
        reads = np.zeros((T + 1, K + m + 1 + count_picks(T)), dtype=self._parameters.W.dtype)
        reads[:, K + m] = 1.0
        self._reads = reads
        return reads[:, None, K : K + m + 1]

    def use(self, kernel: ModuleType | None) -> None:
        """Use compiled loops for the recurrence; None: NumPy."""
        self._kernel = kernel

    def forward(self) -> None:
        """Compute all states from state 0."""
        x, one_hot, p = self.inputs.x, self._one_hot, self._parameters
        if self._kernel is not None:
            self._kernel.forward(x, one_hot, p.U, p.W, p.b, self._reads)
            return
        self._reads_flat[one_hot] = 0.0
        np.add(x, self._offsets, one_hot)
        self._reads_flat[one_hot] = 1.0
        self._forward()

    def _forward(self) -> None:
        product, tanh, take = self._product, np.tanh, self._parameters.U.take
        weights = self._parameters.Wb
        np.copyto(self._appended[: len(weights)], weights)
        for x, appended, steps in self._parts:
            # "clip" spares the copy that the default mode makes to leave `out` as it was when an
            # index is wrong.
            take(x, 0, appended, "clip")
            for row, h in steps:
                product(row, h)
                tanh(h, h)

    def backward(self) -> None:
        """Fill the gradients."""
        # Each e_t becomes g_t in place.
        e, p = self.state_gradients, self._parameters
        if self._kernel is not None:
            self._kernel.backward(p.W, self._reads, len(p.U), e)
        else:
            self._backward()
        np.matmul(self._reads_transposed, e, self._gradients.UWb)

    def _backward(self) -> None:
        product, add, multiply = self._product_back, np.add, np.multiply
        e, slopes, recurrent = self.state_gradients, self._g_rows[0], self._recurrent_back
        multiply(self._states, self._states, slopes)
        np.subtract(1.0, slopes, slopes)
        multiply(e[-1], slopes[-1], e[-1])
        for g_after, e_here, slope in self._steps_back:
            product(g_after, recurrent)
            add(e_here, recurrent, e_here)
            multiply(e_here, slope, e_here)
