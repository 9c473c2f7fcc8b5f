"""Adam."""

import math

import numpy as np

from server.rnn.optimizers.base import Optimizer


class Adam(Optimizer):
    r"""Adam: the recent mean gradient divided by the root of the recent mean squared gradient.

    With beta1 = 0.9, beta2 = 0.999 and t counting the steps from 1::

        m = beta1 m + (1 - beta1) g         v = beta2 v + (1 - beta2) g^2
        m_hat = m / (1 - beta1^t)           v_hat = v / (1 - beta2^t)
        parameter -= learning_rate * m_hat / (sqrt(v_hat) + 1e-8)

    m and v start from 0, so the averages must be corrected. This implementation stores sums
    instead of averages, because a sum needs no factor before g. ``gradients`` is the sum of all
    past g, each weighted by beta1 to the power of its age. The weights sum to
    ``(1 - beta1^t) / (1 - beta1)``; divided by it, the sum is m_hat. With ``squares``
    likewise::

        gradients = beta1 gradients + g     squares = beta2 squares + g^2
        m_hat = gradients / w1,             w1 = (1 - beta1^t) / (1 - beta1)
        v_hat = squares / w2,               w2 = (1 - beta2^t) / (1 - beta2)

    Numerator and denominator are multiplied by ``sqrt(w2)``, which saves a pass::

        parameter -= learning_rate sqrt(w2) / w1 * gradients / (sqrt(squares) + 1e-8 sqrt(w2))

    References
    ----------
    .. [1] D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
       algorithm 1.
    """

    LABEL = "Adam"
    STATE_NAMES = ("gradients", "squares")
    BETA1 = 0.9
    BETA2 = 0.999
    EPSILON = 1e-8

    def _apply(self, learning_rate: float) -> None:
        w1 = (1.0 - self.BETA1**self.steps) / (1.0 - self.BETA1)
        root_w2 = math.sqrt((1.0 - self.BETA2**self.steps) / (1.0 - self.BETA2))
        rate, epsilon = learning_rate * root_w2 / w1, self.EPSILON * root_w2
        add, multiply = np.add, np.multiply
        for parameters, gradient, gradients, squares, scratch in self._blocks:
            multiply(gradients, self.BETA1, gradients)
            add(gradients, gradient, gradients)
            multiply(squares, self.BETA2, squares)
            multiply(gradient, gradient, scratch)
            add(squares, scratch, squares)
            np.sqrt(squares, scratch)
            add(scratch, epsilon, scratch)
            np.divide(gradients, scratch, scratch)
            multiply(scratch, rate, scratch)
            np.subtract(parameters, scratch, parameters)
