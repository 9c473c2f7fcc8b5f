"""The definition of the minimal gated unit; see `MGULayer` in `mgu`."""

import numpy as np

STATES = ("h",)


def logistic(a):
    return 1 / (1 + np.exp(-a))


def forward(p, x, state):
    U, W, b = p["U"], p["W"], p["b"]
    h, f, n, r = {-1: state["h"]}, {}, {}, {}
    for t in range(len(x)):
        u_f, u_n = np.split(U @ x[t] + b, 2, axis=-1)
        f[t] = logistic(np.split(W @ h[t - 1], 2, axis=-1)[0] + u_f)
        r[t] = f[t] * h[t - 1]
        n[t] = np.tanh(np.split(W @ r[t], 2, axis=-1)[1] + u_n)
        h[t] = (1 - f[t]) * h[t - 1] + f[t] * n[t]
    return {"x": x, "h": h, "f": f, "n": n, "r": r}


def backward(p, steps, e):
    x, h, f, n, r = (steps[symbol] for symbol in "xhfnr")
    W_f, W_n = np.split(p["W"], 2)
    dU, dW, db = (np.zeros_like(p[name]) for name in "UWb")
    dx, dh_next = [None] * len(x), np.zeros_like(h[-1])
    for t in reversed(range(len(x))):
        dh = e[t] + dh_next
        da_n = dh * f[t] * (1 - n[t] ** 2)
        dr = W_n.T @ da_n
        da_f = (dh * (n[t] - h[t - 1]) + dr * h[t - 1]) * f[t] * (1 - f[t])
        da = np.concatenate([da_f, da_n])
        dU += np.outer(da, x[t])
        dW += np.concatenate([np.outer(da_f, h[t - 1]), np.outer(da_n, r[t])])
        db += da
        dx[t] = p["U"].T @ da
        dh_next = dh * (1 - f[t]) + dr * f[t] + W_f.T @ da_f
    return {"U": dU, "W": dW, "b": db}, dx
