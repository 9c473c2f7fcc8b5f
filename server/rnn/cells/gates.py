"""How the gates of a layer lie in memory, and how they are multiplied.

Whatever has gates begins with an axis of gates. With several streams each gate lies apart, so
that what is done with one is done with one block of memory, and a step multiplies each gate by its
own matrix. With a single stream the gates of a step lie side by side, so that a step is one
product of a vector with one matrix: there it is the number of calls that counts.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from server.rnn.parameters import Array

Product: TypeAlias = Callable[[Array, Array], object]


def gates_of(matrix: Array, gates: int) -> Array:
    """Return a view of a matrix with the gates side by side.

    Parameters
    ----------
    matrix : ndarray of shape (n, gates m)
    gates : int

    Returns
    -------
    ndarray of shape (gates, n, m)
    """
    n, width = matrix.shape
    return matrix.reshape(n, gates, width // gates).transpose(1, 0, 2)


def make_gates(
    gates: int, rows: tuple[int, ...], m: int, dtype: DTypeLike, *, apart: bool
) -> Array:
    """Make room for gates.

    Parameters
    ----------
    gates : int
    rows : tuple of int
        What lies between the axis of gates and that of the m numbers of a gate.
    m : int
    dtype : dtype
    apart : bool
        Whether each gate lies apart or all lie side by side.

    Returns
    -------
    ndarray of shape (gates, *rows, m)
        Its numbers are arbitrary.
    """
    if apart:
        return np.empty((gates, *rows, m), dtype=dtype)
    return np.moveaxis(np.empty((*rows, gates, m), dtype=dtype), -2, 0)


def each_step(array: Array) -> list[Array]:
    """Return a view of each step; of a single stream without its axis.

    Parameters
    ----------
    array : ndarray of shape (..., T, B, n)

    Returns
    -------
    list of ndarray
        T of shape (..., B, n), or of shape (..., n) if B is 1.
    """
    T, B = array.shape[-3:-1]
    return [array[..., t, 0, :] if B == 1 else array[..., t, :, :] for t in range(T)]


def blocks(gates: Array, *, apart: bool) -> list[Array]:
    """Return matrices of which each is one block of memory.

    Parameters
    ----------
    gates : ndarray of shape (gates, n, m)
    apart : bool
        As it was made.

    Returns
    -------
    list of ndarray
        One of shape (n, m) for each gate if they lie apart, else one of shape (n, gates m).
    """
    if apart:
        return list(gates)
    return [gates.transpose(1, 0, 2).reshape(gates.shape[1], -1)]


def each_whole_step(gates: Array) -> list[Array]:
    """Return a view of all gates of each step, as `product` fills it.

    Parameters
    ----------
    gates : ndarray of shape (gates, T, B, m)

    Returns
    -------
    list of ndarray
        T of shape (gates, B, m), or of shape (gates m,) if B is 1.
    """
    steps = each_step(gates)
    return [step.reshape(-1) for step in steps] if gates.shape[2] == 1 else steps


def product(weights: Array, streams: int) -> Product:
    """Return the product of the rows that a step multiplies by the weights of all gates.

    Parameters
    ----------
    weights : ndarray of shape (gates, n, m)
        As `make_gates` makes it, apart if there are several streams.
    streams : int
        B.

    Returns
    -------
    callable
        Of the rows, (B, n) or (n,), and of where their products go (see `each_whole_step`).
    """
    if streams == 1:
        # The bound method of the matrix spares a view at each call; for a vector `matmul` would
        # take twice as long.
        return blocks(weights, apart=False)[0].T.dot
    return partial(_fill, weights)


def _fill(weights: Array, rows: Array, out: Array) -> None:
    np.matmul(rows, weights, out)


def product_back(matrix: Array, transposed: Array, streams: int) -> Product:
    """Return the product that sends the gradient of a step's gates back to its rows.

    Parameters
    ----------
    matrix : ndarray of shape (n, gates m)
        The weights of all gates, side by side: of a single stream.
    transposed : ndarray of shape (gates, m, n)
        A transposed copy: of several streams, where it takes two thirds of the time.
    streams : int
        B.

    Returns
    -------
    callable
        Of the gradient (see `each_whole_step`) and of where its product goes, (B, n) or (n,).
    """
    if streams == 1:
        return matrix.dot
    if len(transposed) == 1:
        return partial(_send_one_back, transposed[0])
    return partial(
        _send_back, transposed, np.empty((len(transposed), streams, len(matrix)), matrix.dtype)
    )


def _send_one_back(transposed: Array, gradient: Array, out: Array) -> None:
    np.matmul(gradient[0], transposed, out)


def _send_back(transposed: Array, products: Array, gradient: Array, out: Array) -> None:
    np.matmul(gradient, transposed, products)
    np.add.reduce(products, 0, out=out)
