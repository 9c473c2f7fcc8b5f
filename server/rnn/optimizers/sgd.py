"""Stochastic gradient descent with momentum."""

import numpy as np

from server.rnn.optimizers.base import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    With mu = 0.9::

        velocity = mu velocity + g
        parameter -= learning_rate * velocity

    With a constant gradient the steps grow to ``1 / (1 - mu)`` = 10 times those without momentum.
    The learning rate is not part of the velocity, so that a change takes effect at once.

    References
    ----------
    .. [1] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
       Computational Mathematics and Mathematical Physics 4(5), 1964.
    .. [2] I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization
       and momentum in deep learning", ICML 2013.
    """

    LABEL = "SGD with momentum"
    STATE_NAMES = ("velocity",)
    MU = 0.9

    def _apply(self, learning_rate: float) -> None:
        multiply = np.multiply
        for parameters, gradient, velocity, scratch in self._blocks:
            multiply(velocity, self.MU, velocity)
            np.add(velocity, gradient, velocity)
            multiply(velocity, learning_rate, scratch)
            np.subtract(parameters, scratch, parameters)
