"""Gradient clipping, which limits the step after an exploding gradient."""

import math
from collections.abc import Callable, Mapping
from types import ModuleType

import numpy as np

from server.rnn.parameters import Array, euclidean_norm


def clip_by_value(gradients: Array, limit: float) -> None:
    """Limit every gradient to the range from ``-limit`` to ``limit``, in place.

    Parameters
    ----------
    gradients : ndarray
        Changed in place.
    limit : float
        Greater than 0.
    """
    gradients.clip(-limit, limit, gradients)


def clip_by_norm(gradients: Array, limit: float) -> None:
    """Scale the whole gradient so that its Euclidean norm is at most `limit`, in place.

    A gradient that is not finite has no direction and is not changed.

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
    norm = euclidean_norm(gradients)
    if math.isfinite(norm) and norm > limit:
        np.multiply(gradients, limit / norm, gradients)


CLIP_MODES: Mapping[str, Callable[[Array, float], None]] = {
    "value": clip_by_value,
    "norm": clip_by_norm,
}
"""The ways to clip by the names of the settings."""


def clipped_share(gradients: Array, limit: float | None, mode: str) -> float:
    """Return the share of the numbers of a gradient that clipping changes, from 0 to 1.

    Parameters
    ----------
    gradients : ndarray of shape (size,)
        Before clipping.
    limit : float or None
        None: no clipping.
    mode : {"value", "norm"}
        With "norm" the share is 1 if the norm is above the limit, else 0.
    """
    if limit is None:
        return 0.0
    if mode == "norm":
        return float(euclidean_norm(gradients) > limit)
    if -limit <= gradients.min() and gradients.max() <= limit:
        return 0.0  # The usual case, found in half the time.
    # Without a copy of the gradients, which `abs` would make.
    beyond = np.count_nonzero(gradients > limit) + np.count_nonzero(gradients < -limit)
    return int(beyond) / gradients.size


def norm_and_clipped_share(
    gradients: Array, limit: float | None, mode: str, kernel: ModuleType | None = None
) -> tuple[float, float]:
    """Return the Euclidean norm of a gradient, and what `clipped_share` returns.

    Parameters
    ----------
    gradients, limit, mode
        As for `clipped_share`.
    kernel : module, optional
        Compiled code, which reads the gradients once for both, of float32; None: NumPy. See
        `server.rnn.backend.selection`.
    """
    if kernel is None:
        return euclidean_norm(gradients), clipped_share(gradients, limit, mode)
    squares, beyond = kernel.measure(gradients, math.inf if limit is None else limit)
    norm = math.sqrt(squares)
    if mode == "norm":
        return norm, float(limit is not None and norm > limit)
    return norm, beyond / gradients.size
