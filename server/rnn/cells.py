"""Recurrences: what one hidden state makes of the one before it, and the way back.

A cell is only the part that must be looped over. It is given all pre-activations of a sequence
without their recurrent term, and gives back their gradients; everything else (input rows, logits,
weight gradients) does not depend on the previous step, and `network.Network` does it for the
whole sequence at once.
"""

import numpy as np

from server.rnn.parameters import Array


class VanillaCell:
    """The Elman recurrence ``h_t = tanh(W h_{t-1} + z_t)``, with ``z_t = U x_t + b`` given.

    With ``g_t`` for the gradient of the loss with respect to ``a_t = W h_{t-1} + z_t``, and
    ``d_t`` for the part of the gradient of ``h_t`` that comes from the output of step t alone::

        g_T = d_T * (1 - h_T^2)
        g_t = (d_t + W^T g_{t+1}) * (1 - h_t^2)        t = T-1, ..., 1

    because ``h_t`` acts on the loss through its own output and through ``a_{t+1}``, and the
    derivative of tanh(a) is 1 - tanh(a)^2.

    Parameters
    ----------
    W_transposed : ndarray of shape (m, m)
        The recurrent matrix, transposed; it may change between calls.
    states : ndarray of shape (T + 1, m)
        Row 0 is the state before the sequence, row t the state after step t. Rows must be
        contiguous; the matrix need not be.
    pre_activations : ndarray of shape (T, m)
        Row t - 1 is ``z_t`` before `forward` and of no use after it.
    state_gradients : ndarray of shape (T, m)
        Row t - 1 is ``d_t`` before `backward` and ``g_t`` after it.

    References
    ----------
    .. [1] J. L. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
    .. [2] P. J. Werbos, "Backpropagation through time: what it does and how to do it",
       Proceedings of the IEEE 78(10), 1990.
    """

    __slots__ = ("_backward_steps", "_derivative", "_forward_steps", "_gradients", "_h", "_product",
                 "_product_back", "_scratch")  # fmt: skip

    def __init__(
        self, W_transposed: Array, states: Array, pre_activations: Array, state_gradients: Array
    ) -> None:
        # A row view costs as much to make as a small product costs to compute, so each is made
        # once; the same goes for the bound methods.
        self._product = W_transposed.T.dot
        self._product_back = W_transposed.dot
        self._h = states[1:]
        self._gradients = state_gradients
        self._derivative = np.empty_like(pre_activations)
        self._scratch = np.empty_like(pre_activations[0])
        h, a = list(states), list(pre_activations)
        self._forward_steps = list(zip(h[:-1], a, h[1:], strict=True))
        g, slope = list(state_gradients), list(self._derivative)
        self._backward_steps = list(zip(g[1:], g[:-1], slope[:-1], strict=True))[::-1]

    def forward(self) -> None:
        """Fill rows 1 to T of the states from row 0 and the pre-activations."""
        product, add, tanh, recurrent = self._product, np.add, np.tanh, self._scratch
        for h_before, a, h in self._forward_steps:
            product(h_before, recurrent)
            add(a, recurrent, a)
            tanh(a, h)

    def backward(self) -> None:
        """Turn each ``d_t`` into ``g_t``, from the last step to the first."""
        product, add, multiply, recurrent = self._product_back, np.add, np.multiply, self._scratch
        multiply(self._h, self._h, self._derivative)
        np.subtract(1.0, self._derivative, self._derivative)
        multiply(self._gradients[-1], self._derivative[-1], self._gradients[-1])
        for g_after, g, slope in self._backward_steps:
            product(g_after, recurrent)
            add(g, recurrent, g)
            multiply(g, slope, g)
