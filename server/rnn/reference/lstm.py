"""Long short-term memory: candidate g, gates i, f and o; see `server.rnn.cells.lstm`."""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an ndarray, or what computes like one
Arrays: TypeAlias = dict[str, Any]

STATES = ("h", "c")


def logistic(a: Array) -> Array:
    """Return 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def forward(p: Arrays, x: Array, state: Arrays) -> Arrays:
    """Compute the states of a sequence.

    Parameters
    ----------
    p : dict of str to ndarray
        U (4 m, inputs), W (4 m, m) and b (4 m,), with the rows of g, i, f and o.
    x : ndarray of shape (T, inputs), or list of its rows
        The inputs.
    state : dict of str to ndarray of shape (m,)
        h and c before the sequence.

    Returns
    -------
    dict
        All vectors that `backward` needs, by symbol and step.
    """
    U, W, b = p["U"], p["W"], p["b"]
    h, c, g, i, f, o = {-1: state["h"]}, {-1: state["c"]}, {}, {}, {}, {}
    for t in range(len(x)):
        a_g, a_i, a_f, a_o = np.split(W @ h[t - 1] + U @ x[t] + b, 4, axis=-1)
        g[t] = np.tanh(a_g)
        i[t] = logistic(a_i)
        f[t] = logistic(a_f)
        o[t] = logistic(a_o)
        c[t] = f[t] * c[t - 1] + i[t] * g[t]
        h[t] = o[t] * np.tanh(c[t])
    return {"x": x, "h": h, "c": c, "g": g, "i": i, "f": f, "o": o}


def backward(p: Arrays, steps: Arrays, e: Array) -> tuple[Arrays, Array]:
    """Compute the gradients of the loss by back-propagation through time.

    The parameters and results are those of `vanilla.backward`.
    """
    U, W = p["U"], p["W"]
    x, h, c, g, i, f, o = (steps[symbol] for symbol in "xhcgifo")
    dU, dW, db = (np.zeros_like(p[name]) for name in "UWb")
    dx = np.zeros((len(x), U.shape[1]))
    dh_next, dc_next = np.zeros_like(h[-1]), np.zeros_like(c[-1])
    for t in reversed(range(len(x))):
        dh = e[t] + dh_next
        dc = dh * o[t] * (1 - np.tanh(c[t]) ** 2) + dc_next
        da_g = dc * i[t] * (1 - g[t] ** 2)
        da_i = dc * g[t] * i[t] * (1 - i[t])
        da_f = dc * c[t - 1] * f[t] * (1 - f[t])
        da_o = dh * np.tanh(c[t]) * o[t] * (1 - o[t])
        da = np.concatenate([da_g, da_i, da_f, da_o])
        dU += np.outer(da, x[t])
        dW += np.outer(da, h[t - 1])
        db += da
        dx[t] = U.T @ da
        dh_next = W.T @ da
        dc_next = dc * f[t]
    return {"U": dU, "W": dW, "b": db}, dx
