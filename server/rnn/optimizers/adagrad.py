"""AdaGrad."""

from types import ModuleType

import numpy as np

from server.rnn.optimizers.base import Optimizer


class AdaGrad(Optimizer):
    """AdaGrad: each parameter's step is divided by the root of its summed squared gradients.

    ::

        memory += g^2
        parameter -= learning_rate * g / sqrt(memory + 1e-8)

    The 1e-8 is the initial value of `memory`: added once, it has the same effect as added under
    the root at every step.

    References
    ----------
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning
       and stochastic optimization", JMLR 12, 2011.
    """

    LABEL = "AdaGrad"
    STATE_NAMES = ("memory",)
    INITIAL_VALUE = 1e-8

    _kernel: ModuleType | None = None

    def set_kernel(self, kernel: ModuleType | None) -> None:
        """Use compiled code for the steps; None: NumPy. See `server.rnn.backend.selection`."""
        self._kernel = kernel

    def _clip(self) -> None:
        if self._kernel is None:  # The compiled step clips too.
            super()._clip()

    def _apply(self, learning_rate: float) -> None:
        if self._kernel is not None:
            self._kernel.adagrad(*self._buffers, learning_rate, self.limit)
            return
        multiply = np.multiply
        for parameters, gradients, memory, scratch in self._blocks:
            multiply(gradients, gradients, scratch)
            np.add(memory, scratch, memory)
            np.sqrt(memory, scratch)
            np.divide(gradients, scratch, scratch)
            multiply(scratch, learning_rate, scratch)
            np.subtract(parameters, scratch, parameters)
