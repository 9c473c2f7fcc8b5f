"""The vanilla recurrence of one stream, and AdaGrad, compiled by Numba: an optional extra.

Written for speed; the plain equations are in `cells.vanilla` and `optimizers.adagrad`. The results
differ from NumPy's by rounding: sums have another order, a product and a sum are rounded once
together, and tanh is a ratio of two polynomials. So a run continues byte for byte only with the
kernel that it started with (see `server.rnn.backend.selection`).

A step of 100 units takes 0.3 microseconds, less than NumPy's calls alone. The loops are written to
become vector instructions: the innermost loop runs along a row, over 8 or 4 rows at once, so that
the values they share are loaded once.

Importing this module takes half a second. The first time on a machine it takes some seconds, in
which the functions are compiled; Numba stores them beside this file or in the user's cache.

References
----------
.. [1] Eigen, `generic_fast_tanh_float`: the coefficients of tanh, good to a few units in the last
   place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from server.rnn.parameters import Array

Kernel = Callable[..., None]

# For greater inputs tanh is 1 in float32.
_BOUND = np.float32(7.90531110763549805)
_P = tuple(
    np.float32(p)
    for p in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
_Q = tuple(
    np.float32(q)
    for q in (
        1.19825839466702e-06,
        1.18534705686654e-04,
        2.26843463243900e-03,
        4.89352518554385e-03,
    )
)
_ONE = np.float32(1.0)


def _compile(function: Callable[..., Any], *signatures: str, inline: bool = False) -> Kernel:
    """Compile a function, and store the result if there is a writable directory.

    "contract" rounds a product and a sum once together, and "reassoc" allows any order of sums.
    Numbers that are not finite are handled as usual.
    """
    options: dict[str, Any] = {
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc"},
        "inline": "always" if inline else "never",
    }
    try:
        compiled: Kernel = njit(*signatures, cache=not inline, **options)(function)
    except RuntimeError:  # There is no writable directory.
        compiled = njit(*signatures, **options)(function)
    return compiled


def _tanh(x: Any) -> Any:  # noqa: ANN401 - Numba's float32
    # Written so that NaN stays NaN.
    x = _BOUND if x > _BOUND else x  # noqa: FURB136
    x = -_BOUND if x < -_BOUND else x  # noqa: FURB136
    s = x * x
    p = (((((_P[0] * s + _P[1]) * s + _P[2]) * s + _P[3]) * s + _P[4]) * s + _P[5]) * s + _P[6]
    q = ((_Q[0] * s + _Q[1]) * s + _Q[2]) * s + _Q[3]
    return x * p / q


tanh: Callable[..., Any] = _compile(_tanh, inline=True)


def _forward(  # noqa: PLR0917 - compiled code has no keywords
    x: Array, one_hot: Array, U_T: Array, W_T: Array, b: Array, reads: Array
) -> None:
    """Compute states 1 to T from state 0, and store the one-hot characters.

    Parameters
    ----------
    x : ndarray of shape (T,), intp
        The characters.
    one_hot : ndarray of shape (T,), intp
        The indices, in the flattened `reads`, of the ones of the last call's characters; updated.
    U_T, W_T : ndarray of shape (K, m), (m, m)
        U and W transposed.
    b : ndarray of shape (m,)
    reads : ndarray of shape (T + 1, width)
        Row t begins with ``[x_{t+1}, h_t]``, the character one-hot.
    """
    (K, m), width = U_T.shape, reads.shape[1]
    for t in range(x.size):
        start = t * width
        reads[t, one_hot[t] - start] = 0.0
        reads[t, x[t]] = 1.0
        one_hot[t] = start + x[t]
        before, after = reads[t, K : K + m], reads[t + 1, K : K + m]
        u = U_T[x[t]]
        for j in range(m):
            after[j] = u[j] + b[j]
        contiguous_blocks = m - m % 8
        for i in range(0, contiguous_blocks, 8):
            h0, h1, h2, h3 = before[i], before[i + 1], before[i + 2], before[i + 3]
            h4, h5, h6, h7 = before[i + 4], before[i + 5], before[i + 6], before[i + 7]
            w0, w1, w2, w3 = W_T[i], W_T[i + 1], W_T[i + 2], W_T[i + 3]
            w4, w5, w6, w7 = W_T[i + 4], W_T[i + 5], W_T[i + 6], W_T[i + 7]
            for j in range(m):
                after[j] += ((h0 * w0[j] + h1 * w1[j]) + (h2 * w2[j] + h3 * w3[j])) + (
                    (h4 * w4[j] + h5 * w5[j]) + (h6 * w6[j] + h7 * w7[j])
                )
        for i in range(contiguous_blocks, m):
            h, w = before[i], W_T[i]
            for j in range(m):
                after[j] += h * w[j]
        for j in range(m):
            after[j] = tanh(after[j])


def _backward(W_T: Array, reads: Array, K: int, e: Array) -> None:
    """Turn each ``e_t`` into ``g_t``, from the last step to the first.

    Parameters
    ----------
    W_T : ndarray of shape (m, m)
        W transposed.
    reads : ndarray of shape (T + 1, width)
        Row t holds ``h_t`` in the m columns after the first K.
    K : int
    e : ndarray of shape (T, m)
    """
    T, m = e.shape
    contiguous_blocks = m - m % 4
    for t in range(T, 0, -1):
        h, here = reads[t, K : K + m], e[t - 1]
        if t < T:
            after = e[t]
            for i in range(0, contiguous_blocks, 4):
                w0, w1, w2, w3 = W_T[i], W_T[i + 1], W_T[i + 2], W_T[i + 3]
                s0 = s1 = s2 = s3 = np.float32(0.0)
                for j in range(m):
                    s0 += w0[j] * after[j]
                    s1 += w1[j] * after[j]
                    s2 += w2[j] * after[j]
                    s3 += w3[j] * after[j]
                here[i] += s0
                here[i + 1] += s1
                here[i + 2] += s2
                here[i + 3] += s3
            for i in range(contiguous_blocks, m):
                s, w = np.float32(0.0), W_T[i]
                for j in range(m):
                    s += w[j] * after[j]
                here[i] += s
        for j in range(m):
            here[j] *= _ONE - h[j] * h[j]


def _adagrad(parameters: Array, gradients: Array, memory: Array, learning_rate: float) -> None:
    """Make one step of AdaGrad.

    Parameters
    ----------
    parameters, gradients, memory : ndarray of shape (size,)
        As for `optimizers.adagrad.AdaGrad`.
    learning_rate : float
        eta.
    """
    rate = np.float32(learning_rate)
    for i in range(parameters.size):
        g = gradients[i]
        seen = memory[i] + g * g
        memory[i] = seen
        parameters[i] -= rate * g / np.sqrt(seen)


_VECTOR, _MATRIX = "f4[::1]", "f4[:, ::1]"
forward = _compile(
    _forward, f"void(intp[::1], intp[::1], {_MATRIX}, {_MATRIX}, {_VECTOR}, {_MATRIX})"
)
backward = _compile(_backward, f"void({_MATRIX}, {_MATRIX}, intp, {_MATRIX})")
adagrad = _compile(_adagrad, f"void({_VECTOR}, {_VECTOR}, {_VECTOR}, f8)")
