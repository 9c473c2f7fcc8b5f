"""The vanilla recurrence: ``h_t = tanh(W h_{t-1} + U x_t + b)``."""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an ndarray, or what computes like one
Arrays: TypeAlias = dict[str, Any]

STATES = ("h",)


def forward(p: Arrays, x: Array, state: Arrays) -> Arrays:
    """Compute the states of a sequence.

    Parameters
    ----------
    p : dict of str to ndarray
        U (m, inputs), W (m, m) and b (m,).
    x : ndarray of shape (T, inputs), or list of its rows
        The inputs.
    state : dict of str to ndarray of shape (m,)
        h before the sequence.

    Returns
    -------
    dict
        All vectors that `backward` needs, by symbol and step.
    """
    U, W, b = p["U"], p["W"], p["b"]
    h = {-1: state["h"]}
    for t in range(len(x)):
        h[t] = np.tanh(W @ h[t - 1] + U @ x[t] + b)
    return {"x": x, "h": h}


def backward(p: Arrays, steps: Arrays, e: Array) -> tuple[Arrays, Array]:
    """Compute the gradients of the loss by back-propagation through time.

    Parameters
    ----------
    p, steps
        The parameters, and what `forward` returned.
    e : ndarray of shape (T, m)
        The gradient with respect to each ``h_t`` through the layer above or the output alone.

    Returns
    -------
    gradients : dict of str to ndarray
        Those of the parameters.
    dx : ndarray of shape (T, inputs)
        Those of the inputs.
    """
    U, W, x, h = p["U"], p["W"], steps["x"], steps["h"]
    dU, dW, db = np.zeros_like(U), np.zeros_like(W), np.zeros_like(p["b"])
    dx, dh_next = np.zeros((len(x), U.shape[1])), np.zeros_like(h[-1])
    for t in reversed(range(len(x))):
        dh = e[t] + dh_next
        da = dh * (1 - h[t] ** 2)
        dU += np.outer(da, x[t])
        dW += np.outer(da, h[t - 1])
        db += da
        dx[t] = U.T @ da
        dh_next = W.T @ da
    return {"U": dU, "W": dW, "b": db}, dx
