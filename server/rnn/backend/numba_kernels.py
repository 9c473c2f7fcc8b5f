"""The loops of networks of one stream, compiled by Numba: an optional extra.

They are the recurrences of all cells, the gradient of U, softmax with the loss, clipping with
AdaGrad, and the norms that the metrics need. The products of whole matrices are left to NumPy.
Written for speed; the plain equations are in `cells`, `network` and `optimizers.adagrad`. The
results differ from NumPy's by rounding: sums have another order, a product and a sum are rounded
once together, tanh and exp are polynomials, and a reciprocal root is an approximation that is then
improved. So a run continues byte for byte only with the kernel that it started with (see
`server.rnn.backend.selection`).

A step of 100 units takes 0.3 microseconds, less than NumPy's calls alone. The loops are written to
become vector instructions: the innermost loop runs along a row, over 4 rows at once, so that the
sums are loaded and stored once for all of them.

Importing this module takes half a second. The first time on a machine it takes some seconds, in
which the functions are compiled; Numba stores them beside this file or in the user's cache.

References
----------
.. [1] Eigen, `generic_fast_tanh_float`: the coefficients of tanh, good to a few units in the last
   place.
.. [2] S. Moshier, Cephes, `expf`: the coefficients of exp, good to two units in the last place.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from server.rnn.parameters import Array

Characters: TypeAlias = NDArray[np.intp]
Kernel: TypeAlias = Callable[..., Any]

# A vector of 16 float32 fills a cache line, and a vector register of the widest kind.
_LANES = 16

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
_ZERO, _HALF, _ONE = (np.float32(x) for x in (0.0, 0.5, 1.0))

# exp of a smaller number is not a normal number in float32.
_SMALLEST = np.float32(-87.33654)
_LOG2_E = np.float32(1.44269504088896341)
# Two parts of the logarithm of 2: a product of the first and a whole number is exact.
_LN2 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_E = tuple(
    np.float32(e)
    for e in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)


def _compile(
    function: Callable[..., Any],
    *signatures: str,
    inline: bool = False,
    reciprocals: bool = False,
) -> Kernel:
    """Compile a function, and store the result if there is a writable directory.

    "contract" rounds a product and a sum once together, and "reassoc" allows any order of sums.
    Numbers that are not finite are handled as usual. With `reciprocals`, "arcp" multiplies by an
    estimated reciprocal, improved by a Newton step, instead of dividing.
    """
    options: dict[str, Any] = {
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc", *(("arcp",) if reciprocals else ())},
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


def _exp(x: Any) -> Any:  # noqa: ANN401 - Numba's float32
    """Return exp(x) of an x that is at most 0: ``2^n exp(r)``, with ``x = n ln 2 + r``."""
    x = _SMALLEST if x < _SMALLEST else x  # noqa: FURB136 - NaN stays NaN
    # NaN cannot become a whole number.
    n = np.floor((x if x > _SMALLEST else _SMALLEST) * _LOG2_E + _HALF)  # noqa: FURB136
    r = (x - n * _LN2[0]) - n * _LN2[1]
    p = ((((_E[0] * r + _E[1]) * r + _E[2]) * r + _E[3]) * r + _E[4]) * r + _E[5]
    power = np.int32((np.int32(n) + 127) << 23).view(np.float32)
    return (p * r * r + r + _ONE) * power


def _logistic(a: Any) -> Any:  # noqa: ANN401 - Numba's float32
    return _HALF + _HALF * tanh(_HALF * a)


def _add_product(vector: Array, matrix: Array, sums: Array) -> None:
    """Add the product of a vector and the first rows of a matrix from `make_workspace`."""
    rows, width = vector.size, sums.size // _LANES * _LANES
    blocks = rows - rows % 4
    for i in range(0, blocks, 4):
        v0, v1, v2, v3 = vector[i], vector[i + 1], vector[i + 2], vector[i + 3]
        w0, w1, w2, w3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        for j in range(width):
            sums[j] += (v0 * w0[j] + v1 * w1[j]) + (v2 * w2[j] + v3 * w3[j])
    for i in range(blocks, rows):
        v, w = vector[i], matrix[i]
        for j in range(width):
            sums[j] += v * w[j]


def _add_transposed_product(vector: Array, matrix: Array, sums: Array) -> None:
    """Add the product of a matrix and a vector to the first numbers of `sums`.

    Four rows are read at once, so that the vector is loaded once for all of them.
    """
    rows, width = matrix.shape
    blocks = rows - rows % 4
    for i in range(0, blocks, 4):
        w0, w1, w2, w3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        s0 = s1 = s2 = s3 = _ZERO
        for j in range(width):
            v = vector[j]
            s0 += w0[j] * v
            s1 += w1[j] * v
            s2 += w2[j] * v
            s3 += w3[j] * v
        sums[i] += s0
        sums[i + 1] += s1
        sums[i + 2] += s2
        sums[i + 3] += s3
    for i in range(blocks, rows):
        w, s = matrix[i], _ZERO
        for j in range(width):
            s += w[j] * vector[j]
        sums[i] += s


def _copy_rows(matrix: Array, workspace: Array) -> None:
    """Copy a matrix to the aligned rows of a workspace."""
    rows, width = matrix.shape
    for i in range(rows):
        copy, row = workspace[i], matrix[i]
        for j in range(width):
            copy[j] = row[j]


tanh, exp = (_compile(f, inline=True) for f in (_tanh, _exp))
logistic, add_product, add_transposed_product, copy_rows = (
    _compile(f, inline=True) for f in (_logistic, _add_product, _add_transposed_product, _copy_rows)
)


def make_workspace(m: int, gates: int = 1) -> Array:
    """Return a buffer for the recurrence of m units: an m x (gates m) matrix, and a row for sums.

    Rows are filled up with zeros to whole cache lines. Reading them takes a fifth less time than
    reading those of the parameters, most of which lie across the lines.
    """
    rows, width = m + 1, -(-gates * m // _LANES) * _LANES
    buffer = np.zeros((rows + 1) * width + _LANES, dtype=np.float32)
    start = -buffer.ctypes.data % (4 * _LANES) // 4
    return buffer[start : start + rows * width].reshape(rows, width)


def _forward(  # noqa: PLR0917 - compiled code has no keywords
    x: Characters, U_T: Array, W_T: Array, b: Array, reads: Array, workspace: Array
) -> None:
    """Compute states 1 to T from state 0.

    Parameters
    ----------
    x : ndarray of shape (T,), intp
        The characters.
    U_T, W_T : ndarray of shape (K, m), (m, m)
        U and W transposed.
    b : ndarray of shape (m,)
    reads : ndarray of shape (T + 1, width)
        Row t holds ``h_t`` in the m columns after the first K.
    workspace : ndarray
        From `make_workspace`.
    """
    K, m = U_T.shape
    a = workspace[m]
    for i in range(m):
        row, w = workspace[i], W_T[i]
        for j in range(m):
            row[j] = w[j]
    for t in range(x.size):
        before, after, u = reads[t, K : K + m], reads[t + 1, K : K + m], U_T[x[t]]
        for j in range(m):
            a[j] = u[j] + b[j]
        add_product(before, workspace, a)
        for j in range(m):
            after[j] = tanh(a[j])


def _backward(W_T: Array, reads: Array, K: int, e: Array, workspace: Array) -> None:
    """Turn each ``e_t`` into ``da_t``, from the last step to the first.

    Parameters
    ----------
    W_T : ndarray of shape (m, m)
        W transposed.
    reads : ndarray of shape (T + 1, width)
        Row t holds ``h_t`` in the m columns after the first K.
    K : int
    e : ndarray of shape (T, m)
    workspace : ndarray
        From `make_workspace`.
    """
    T, m = e.shape
    d_h = workspace[m]
    for i in range(m):
        row = workspace[i]
        for j in range(m):
            row[j] = W_T[j, i]
    for t in range(T, 0, -1):
        h, here = reads[t, K : K + m], e[t - 1]
        for j in range(m):
            d_h[j] = here[j]
        if t < T:
            add_product(e[t], workspace, d_h)
        for j in range(m):
            here[j] = d_h[j] * (_ONE - h[j] * h[j])


def _forward_gru(  # noqa: PLR0917 - compiled code has no keywords
    x: Characters,
    U_T: Array,
    W_T: Array,
    b: Array,
    d: Array,
    hidden: Array,
    gates: Array,
    products: Array,
    workspace: Array,
) -> None:
    """Compute states 1 to T and the gates from state 0.

    Parameters
    ----------
    x : ndarray of shape (T,), intp
        The characters.
    U_T, W_T : ndarray of shape (K, G m), (m, G m)
        U and W transposed. G is the number of gates: 3, and 4 with the LSTM.
    b, d : ndarray of shape (G m,), (m,)
    hidden : ndarray of shape (T + 1, m + 1)
        Row t begins with ``h_t``.
    gates : ndarray of shape (T, G m)
    products : ndarray of shape (T, G m)
        The end of each row is filled with ``q_t``.
    workspace : ndarray
        From `make_workspace`.
    """
    m = W_T.shape[0]
    a = workspace[m]
    copy_rows(W_T, workspace)
    for t in range(x.size):
        before, after, u, row, q = hidden[t], hidden[t + 1], U_T[x[t]], gates[t], products[t]
        for j in range(2 * m):
            a[j] = u[j] + b[j]
        for j in range(m):
            a[2 * m + j] = d[j]
        add_product(before[:m], workspace, a)
        for j in range(2 * m):
            row[j] = logistic(a[j])
        for j in range(2 * m, 3 * m):
            q[j] = a[j]
        for j in range(m):
            n = tanh(u[2 * m + j] + b[2 * m + j] + row[j] * a[2 * m + j])
            after[j] = n + row[m + j] * (before[j] - n)
            row[2 * m + j] = n


def _backward_gru(  # noqa: PLR0917 - compiled code has no keywords
    W_T: Array, hidden: Array, gates: Array, products: Array, e: Array, d_a: Array, d_a_n: Array
) -> None:
    """Fill d_a with ``[da_r; da_z; dq]`` and d_a_n with ``da_n``, from the last step back.

    Parameters
    ----------
    W_T, hidden, gates, products
        As in `forward_gru`.
    e : ndarray of shape (T, m)
        Each ``e_t`` becomes ``dh_t``.
    d_a, d_a_n : ndarray of shape (T, G m), (T, m)
    """
    T, m = e.shape
    for t in range(T - 1, -1, -1):
        d_h, before, row, q, d_row, d_n = e[t], hidden[t], gates[t], products[t], d_a[t], d_a_n[t]
        if t + 1 < T:
            z_after, d_h_after = gates[t + 1, m : 2 * m], e[t + 1]
            for j in range(m):
                d_h[j] += z_after[j] * d_h_after[j]
            add_transposed_product(d_a[t + 1], W_T, d_h)
        for j in range(m):
            r, z, n = row[j], row[m + j], row[2 * m + j]
            d_n[j] = d_h[j] * (_ONE - z) * (_ONE - n * n)
            d_q = d_n[j] * r
            d_row[j] = d_q * q[2 * m + j] * (_ONE - r)
            d_row[m + j] = d_h[j] * (before[j] - n) * z * (_ONE - z)
            d_row[2 * m + j] = d_q


def _forward_lstm(  # noqa: PLR0917 - compiled code has no keywords
    x: Characters,
    U_T: Array,
    W_T: Array,
    b: Array,
    hidden: Array,
    gates: Array,
    c: Array,
    tanh_c: Array,
    workspace: Array,
) -> None:
    """Compute states 1 to T, the gates and tanh(c_t) from state 0.

    Parameters
    ----------
    x, U_T, W_T, b, hidden, gates, workspace
        As in `forward_gru`.
    c, tanh_c : ndarray of shape (T + 1, m), (T, m)
    """
    m = W_T.shape[0]
    a = workspace[m]
    copy_rows(W_T, workspace)
    for t in range(x.size):
        u, row, c_before, c_t, tanh_c_t = U_T[x[t]], gates[t], c[t], c[t + 1], tanh_c[t]
        for j in range(4 * m):
            a[j] = u[j] + b[j]
        add_product(hidden[t, :m], workspace, a)
        h = hidden[t + 1]
        for j in range(m):
            row[j] = tanh(a[j])
        for j in range(m, 4 * m):
            row[j] = logistic(a[j])
        for j in range(m):
            c_t[j] = row[2 * m + j] * c_before[j] + row[m + j] * row[j]
            tanh_c_t[j] = tanh(c_t[j])
            h[j] = row[3 * m + j] * tanh_c_t[j]


def _backward_lstm(  # noqa: PLR0917 - compiled code has no keywords
    W_T: Array, gates: Array, c: Array, tanh_c: Array, e: Array, d_c: Array, d_a: Array
) -> None:
    """Fill d_a with the gradients of the pre-activations, from the last step to the first.

    Parameters
    ----------
    W_T, gates, c, tanh_c
        As in `forward_lstm`.
    e : ndarray of shape (T, m)
        Each ``e_t`` becomes ``dh_t``.
    d_c : ndarray of shape (m,)
        The gradient with respect to ``c_T`` becomes that with respect to ``c_0``.
    d_a : ndarray of shape (T, G m)
    """
    T, m = e.shape
    for t in range(T - 1, -1, -1):
        d_h, row, c_before, tanh_c_t, d_row = e[t], gates[t], c[t], tanh_c[t], d_a[t]
        if t + 1 < T:
            add_transposed_product(d_a[t + 1], W_T, d_h)
        for j in range(m):
            g, i, f, o = row[j], row[m + j], row[2 * m + j], row[3 * m + j]
            d_c_t = d_c[j] + d_h[j] * o * (_ONE - tanh_c_t[j] * tanh_c_t[j])
            d_row[j] = d_c_t * i * (_ONE - g * g)
            d_row[m + j] = d_c_t * g * i * (_ONE - i)
            d_row[2 * m + j] = d_c_t * c_before[j] * f * (_ONE - f)
            d_row[3 * m + j] = d_h[j] * tanh_c_t[j] * o * (_ONE - o)
            d_c[j] = d_c_t * f


def _sum_by_character(x: Characters, d_a: Array, sums: Array) -> None:
    """Sum the rows of each character: the gradient of U.

    Parameters
    ----------
    x : ndarray of shape (T,), intp
        The characters.
    d_a : ndarray of shape (T, m)
    sums : ndarray of shape (K, m)
        Overwritten.
    """
    K, m = sums.shape
    for k in range(K):
        row = sums[k]
        for j in range(m):
            row[j] = _ZERO
    for t in range(x.size):
        row, d = sums[x[t]], d_a[t]
        for j in range(m):
            row[j] += d[j]


def _softmax(o: Array, y: Characters, likeliest: Characters, losses: Array) -> np.float32:
    """Turn logits into their gradients, ``p_t - y_t`` with one-hot y_t, and return the loss.

    Parameters
    ----------
    o : ndarray of shape (T, K)
        Overwritten.
    y : ndarray of shape (T,), intp
        The characters to predict.
    likeliest : ndarray of shape (T,), intp
        Filled with the index of the greatest logit of each row.
    losses : ndarray of shape (T,)
        Filled with ``log sum_k exp(o_t[k]) - o_t[y_t]``.

    Returns
    -------
    float32
        The sum of `losses`.
    """
    T, K = o.shape
    loss = _ZERO
    for t in range(T):
        row = o[t]
        greatest = 0
        for k in range(1, K):
            if row[k] > row[greatest]:
                greatest = k
        likeliest[t] = greatest
        shift, total = row[greatest], _ZERO
        target = row[y[t]] - shift
        for k in range(K):
            p = exp(row[k] - shift)
            row[k] = p
            total += p
        losses[t] = np.log(total) - target
        loss += losses[t]
        factor = _ONE / total
        for k in range(K):
            row[k] *= factor
        row[y[t]] -= _ONE
    return loss


def _adagrad(
    parameters: Array, gradients: Array, memory: Array, learning_rate: float, limit: float
) -> None:
    """Clip the gradients by value, and make one step of AdaGrad.

    Parameters
    ----------
    parameters, gradients, memory : ndarray of shape (size,)
        As for `optimizers.adagrad.AdaGrad`. The gradients are changed in place.
    learning_rate : float
        eta.
    limit : float
        As for `clipping.clip_by_value`; infinity does not clip.
    """
    rate, bound = np.float32(learning_rate), np.float32(limit)
    for i in range(parameters.size):
        g = gradients[i]
        g = bound if g > bound else g  # noqa: FURB136 - NaN stays NaN
        g = -bound if g < -bound else g  # noqa: FURB136
        gradients[i] = g
        seen = memory[i] + g * g
        memory[i] = seen
        # The estimated reciprocal of an infinite root is NaN.
        parameters[i] -= g * _ZERO if seen == np.inf else rate * g / np.sqrt(seen)


def _measure(numbers: Array, limit: float) -> tuple[float, int]:
    """Return the sum of the squares, and how many numbers are beyond a limit.

    Parameters
    ----------
    numbers : ndarray of shape (size,)
    limit : float
        Of the absolute values.
    """
    bound, squares, beyond = np.float32(limit), 0.0, 0
    for i in range(numbers.size):
        number = np.float64(numbers[i])
        squares += number * number
        beyond += abs(numbers[i]) > bound
    return squares, beyond


_VECTOR, _MATRIX, _CHARACTERS = "f4[::1]", "f4[:, ::1]", "intp[::1]"
forward = _compile(
    _forward, f"void({_CHARACTERS}, {_MATRIX}, {_MATRIX}, {_VECTOR}, {_MATRIX}, {_MATRIX})"
)
backward = _compile(_backward, f"void({_MATRIX}, {_MATRIX}, intp, {_MATRIX}, {_MATRIX})")
sum_by_character = _compile(_sum_by_character, f"void({_CHARACTERS}, {_MATRIX}, {_MATRIX})")
softmax = _compile(_softmax, f"f4({_MATRIX}, {_CHARACTERS}, {_CHARACTERS}, {_VECTOR})")
adagrad = _compile(_adagrad, f"void({_VECTOR}, {_VECTOR}, {_VECTOR}, f8, f8)", reciprocals=True)
measure = _compile(_measure, f"Tuple((f8, intp))({_VECTOR}, f8)")
# Without a signature, they are compiled or loaded at the first call: a vanilla network needs none.
forward_gru, backward_gru, forward_lstm, backward_lstm = (
    _compile(f) for f in (_forward_gru, _backward_gru, _forward_lstm, _backward_lstm)
)
