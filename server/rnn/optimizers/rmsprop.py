"""RMSProp."""

import math

import numpy as np

from server.rnn.optimizers.base import Optimizer


class RMSProp(Optimizer):
    """RMSProp: AdaGrad with an exponentially decaying average instead of a sum.

    With rho = 0.95 (as in [2]_)::

        v = rho v + (1 - rho) g^2
        parameter -= learning_rate * g / (sqrt(v) + 1e-8)

    ``squares`` is v without the factor before g^2, which saves a pass::

        squares = rho squares + g^2         v = (1 - rho) squares
        parameter -= learning_rate s * g / (sqrt(squares) + 1e-8 s),    s = 1 / sqrt(1 - rho)

    References
    ----------
    .. [1] T. Tieleman and G. Hinton, "Lecture 6.5: RMSProp", COURSERA: Neural Networks for
       Machine Learning, 2012.
    .. [2] A. Karpathy, char-rnn, 2015: its decay rate and learning rate.
    """

    LABEL = "RMSProp"
    STATE_NAMES = ("squares",)
    RHO = 0.95
    EPSILON = 1e-8

    def _apply(self, learning_rate: float) -> None:
        s = 1.0 / math.sqrt(1.0 - self.RHO)
        rate, epsilon = learning_rate * s, self.EPSILON * s
        add, multiply = np.add, np.multiply
        for parameters, gradient, squares, scratch in self._blocks:
            multiply(squares, self.RHO, squares)
            multiply(gradient, gradient, scratch)
            add(squares, scratch, squares)
            np.sqrt(squares, scratch)
            add(scratch, epsilon, scratch)
            np.divide(gradient, scratch, scratch)
            multiply(scratch, rate, scratch)
            np.subtract(parameters, scratch, parameters)
