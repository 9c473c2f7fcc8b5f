"""Recurrences: what one hidden state makes of the one before it, and the way back.

A cell is only the part that must be looped over. Everything that does not depend on the previous
step (logits, their gradients, weight gradients) `network.Network` does for the whole sequence at
once. What counts here is the number of NumPy calls a step, for a call costs as much as its work.
"""

import numpy as np
from numpy.typing import NDArray

from server.rnn.parameters import Array

# The most input rows that are appended to the recurrent matrix at a time. More would make each
# product longer than it makes the appending rarer.
MOST_PICKS = 16


def count_picks(sequence_length: int) -> int:
    """Return how many steps of a sequence `VanillaCell` takes at a time.

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


class VanillaCell:
    """The Elman recurrence ``h_t = tanh(W h_{t-1} + U x_t + b)``.

    Forward, a step is one product and one tanh. The columns of U that a few steps read are
    appended to ``[W^T; b]``, and the row that is multiplied by it, ``[h_{t-1}, 1, 0..1..0]``,
    picks the one of its step, so that nothing is left to add.

    Backward, with ``g_t`` for the gradient of the loss with respect to
    ``a_t = W h_{t-1} + U x_t + b``, and ``d_t`` for the part of the gradient of ``h_t`` that comes
    from the output of step t alone::

        g_T = d_T * (1 - h_T^2)
        g_t = (d_t + W^T g_{t+1}) * (1 - h_t^2)        t = T-1, ..., 1

    because ``h_t`` acts on the loss through its own output and through ``a_{t+1}``, and the
    derivative of tanh(a) is 1 - tanh(a)^2.

    Parameters
    ----------
    input_rows : ndarray of shape (K, m)
        U transposed. It may change between calls, as may `recurrent_rows`.
    recurrent_rows : ndarray of shape (m + 1, m)
        W transposed, and b.
    rows : ndarray of shape (T + 1, m + 1 + picks)
        Row t holds ``h_t``, a 1, and as many numbers as `count_picks` says, which are set here.
        A row must be contiguous; the matrix need not be.
    state_gradients : ndarray of shape (T, m)
        Row t - 1 is ``d_t`` before `backward` and ``g_t`` after it.

    References
    ----------
    .. [1] J. L. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
    .. [2] P. J. Werbos, "Backpropagation through time: what it does and how to do it",
       Proceedings of the IEEE 78(10), 1990.
    """

    def __init__(
        self, input_rows: Array, recurrent_rows: Array, rows: Array, state_gradients: Array
    ) -> None:
        T, m = state_gradients.shape
        picks = count_picks(T)
        self._input_rows = input_rows
        self._recurrent_rows = recurrent_rows
        self._appended = np.zeros((m + 1 + picks, m), dtype=rows.dtype)
        self._states = rows[1:, :m]
        self._state_gradients = state_gradients
        self._slopes = np.empty_like(state_gradients)
        self._scratch = np.empty_like(state_gradients[0])

        # A view costs as much to make as a small product costs to compute, so each is made once;
        # the same goes for the bound methods.
        self._product = self._appended.T.dot
        self._product_back = recurrent_rows[:m].dot
        rows[:, m + 1 :] = 0.0
        steps = []
        for t in range(T):
            rows[t, m + 1 + t % picks] = 1.0
            steps.append((rows[t], rows[t + 1, :m]))
        self._parts = [
            (slice(t, t + picks), self._appended[m + 1 :][: T - t], steps[t : t + picks])
            for t in range(0, T, picks)
        ]
        g, slopes = list(state_gradients), list(self._slopes)
        self._steps_back = list(zip(g[1:], g[:-1], slopes[:-1], strict=True))[::-1]

    def forward(self, x: NDArray[np.integer]) -> None:
        """Compute the states 1 to T from state 0.

        Parameters
        ----------
        x : ndarray of int, shape (T,)
            The input characters.
        """
        product, tanh, take = self._product, np.tanh, self._input_rows.take
        np.copyto(self._appended[: len(self._recurrent_rows)], self._recurrent_rows)
        for part, appended, steps in self._parts:
            # "clip" spares the copy that the default mode makes to leave `out` as it was when an
            # index is wrong.
            take(x[part], 0, appended, "clip")
            for row, h in steps:
                product(row, h)
                tanh(h, h)

    def backward(self) -> None:
        """Turn each ``d_t`` into ``g_t``, from the last step to the first."""
        product, add, multiply, recurrent = self._product_back, np.add, np.multiply, self._scratch
        g, slopes = self._state_gradients, self._slopes
        multiply(self._states, self._states, slopes)
        np.subtract(1.0, slopes, slopes)
        multiply(g[-1], slopes[-1], g[-1])
        for g_after, g_here, slope in self._steps_back:
            product(g_after, recurrent)
            add(g_here, recurrent, g_here)
            multiply(g_here, slope, g_here)
