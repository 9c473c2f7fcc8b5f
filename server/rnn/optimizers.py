"""Update rules and clipping: each a few passes over a flat buffer, without allocation."""

import math

import numpy as np

from server.rnn.parameters import Array

# A block of four arrays of this many numbers stays in a core's second-level cache.
BLOCK = 32_768


class AdaGrad:
    r"""AdaGrad: each parameter's step shrinks with the gradients it has seen.

    ::

        memory += g^2
        parameter -= learning_rate * g / sqrt(memory + 1e-8)

    The 1e-8 under the root is what `memory` starts from; it is added once instead of at every
    update, and the result is the same.

    Parameters
    ----------
    parameters, gradients : ndarray of shape (size,)
        The flat buffers, both contiguous and of one type; `gradients` is read at every `step`.

    Attributes
    ----------
    memory : ndarray of shape (size,)
        1e-8 plus the sum of all squared gradients so far.

    References
    ----------
    .. [1] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning
       and stochastic optimization", JMLR 12, 2011.
    """

    EPSILON = 1e-8

    def __init__(self, parameters: Array, gradients: Array) -> None:
        self.memory = np.full_like(parameters, self.EPSILON)
        scratch = np.empty_like(parameters[:BLOCK])
        self._blocks = [
            (p, g, mem, scratch[: p.size])
            for p, g, mem in (
                (parameters[i : i + BLOCK], gradients[i : i + BLOCK], self.memory[i : i + BLOCK])
                for i in range(0, parameters.size, BLOCK)
            )
        ]

    @property
    def state(self) -> dict[str, Array]:
        """What the rule remembers: buffers as long as the parameters, by name."""
        return {"memory": self.memory}

    def step(self, learning_rate: float) -> None:
        """Move the parameters against the gradients.

        Parameters
        ----------
        learning_rate : float
            eta.
        """
        multiply = np.multiply
        for parameters, gradients, memory, scratch in self._blocks:
            multiply(gradients, gradients, scratch)
            np.add(memory, scratch, memory)
            np.sqrt(memory, scratch)
            np.divide(gradients, scratch, scratch)
            multiply(scratch, learning_rate, scratch)
            np.subtract(parameters, scratch, parameters)


def clip_by_value(gradients: Array, limit: float) -> None:
    """Hold every gradient between ``-limit`` and ``limit``, in place.

    Parameters
    ----------
    gradients : ndarray
        Changed in place.
    limit : float
        Greater than 0.
    """
    gradients.clip(-limit, limit, gradients)


def clip_by_norm(gradients: Array, limit: float) -> None:
    """Shorten the gradient as a whole to the Euclidean length `limit`, in place.

    A gradient that is not finite has no direction to keep, and stays as it is.

    Parameters
    ----------
    gradients : ndarray of shape (size,)
        Changed in place.
    limit : float
        Greater than 0.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013.
    """
    norm = math.sqrt(float(np.dot(gradients, gradients)))
    if not math.isfinite(norm):
        # In float32 the squares overflow long before the gradients themselves do.
        wide = gradients.astype(np.float64)
        norm = math.sqrt(float(np.dot(wide, wide)))
    if math.isfinite(norm) and norm > limit:
        np.multiply(gradients, limit / norm, gradients)
