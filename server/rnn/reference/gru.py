"""The gated recurrent unit: gates r and z, and candidate n; see `server.rnn.cells.gru`."""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an ndarray, or what computes like one
Arrays: TypeAlias = dict[str, Any]

STATES = ("h",)


def logistic(a: Array) -> Array:
    """Return 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def forward(p: Arrays, x: Array, state: Arrays) -> Arrays:
    """Compute the states of a sequence.

    Parameters
    ----------
    p : dict of str to ndarray
        U (3 m, inputs), W (3 m, m) and b (3 m,), with the rows of r, z and n, and d (m,).
    x, state
        As in `vanilla.forward`.

    Returns
    -------
    dict
        All vectors that `backward` needs, by symbol and step.
    """
    U, W, b, d = p["U"], p["W"], p["b"], p["d"]
    h, r, z, n, q = {-1: state["h"]}, {}, {}, {}, {}
    for t in range(len(x)):
        u_r, u_z, u_n = np.split(U @ x[t] + b, 3, axis=-1)
        w_r, w_z, w_n = np.split(W @ h[t - 1], 3, axis=-1)
        r[t] = logistic(w_r + u_r)
        z[t] = logistic(w_z + u_z)
        q[t] = w_n + d
        n[t] = np.tanh(u_n + r[t] * q[t])
        h[t] = (1 - z[t]) * n[t] + z[t] * h[t - 1]
    return {"x": x, "h": h, "r": r, "z": z, "n": n, "q": q}


def backward(p: Arrays, steps: Arrays, e: Array) -> tuple[Arrays, Array]:
    """Compute the gradients of the loss by back-propagation through time.

    The parameters and results are those of `vanilla.backward`.
    """
    U, W = p["U"], p["W"]
    x, h, r, z, n, q = (steps[symbol] for symbol in "xhrznq")
    dU, dW, db, dd = (np.zeros_like(p[name]) for name in "UWbd")
    dx, dh_next = np.zeros((len(x), U.shape[1])), np.zeros_like(h[-1])
    for t in reversed(range(len(x))):
        dh = e[t] + dh_next
        da_n = dh * (1 - z[t]) * (1 - n[t] ** 2)
        da_z = dh * (h[t - 1] - n[t]) * z[t] * (1 - z[t])
        dq = da_n * r[t]
        da_r = da_n * q[t] * r[t] * (1 - r[t])
        du = np.concatenate([da_r, da_z, da_n])
        dw = np.concatenate([da_r, da_z, dq])
        dU += np.outer(du, x[t])
        dW += np.outer(dw, h[t - 1])
        db += du
        dd += dq
        dx[t] = U.T @ du
        dh_next = W.T @ dw + z[t] * dh
    return {"U": dU, "W": dW, "b": db, "d": dd}, dx
