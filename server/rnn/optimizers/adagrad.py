"""AdaGrad."""

from types import ModuleType

import numpy as np

from server.rnn.optimizers.base import Optimizer


class AdaGrad(Optimizer):
    """AdaGrad: each parameter's step shrinks with the gradients it has seen.

    ::

        memory += g^2
        parameter -= learning_rate * g / sqrt(memory + 1e-8)

    The 1e-8 under the root is what `memory` starts from; it is added once instead of at every
    step, and the result is the same.

    References
    ----------
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning
       and stochastic optimization", JMLR 12, 2011.
    """

    LABEL = "AdaGrad"
    MEMORIES = ("memory",)
    START = 1e-8

    _kernel: ModuleType | None = None

    def use(self, kernel: ModuleType | None) -> None:
        """Let compiled code make the steps, or None: NumPy; see `server.rnn.backend.selection`."""
        self._kernel = kernel

    def _move(self, learning_rate: float) -> None:
        if self._kernel is not None:
            self._kernel.adagrad(*self._buffers, learning_rate)
            return
        multiply = np.multiply
        for parameters, gradients, memory, scratch in self._blocks:
            multiply(gradients, gradients, scratch)
            np.add(memory, scratch, memory)
            np.sqrt(memory, scratch)
            np.divide(gradients, scratch, scratch)
            multiply(scratch, learning_rate, scratch)
            np.subtract(parameters, scratch, parameters)
