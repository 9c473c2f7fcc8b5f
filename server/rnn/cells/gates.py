"""The memory layout of a layer's gates, and the products of all gates at once.

Written for speed. Every array of gates has the gates as its first axis. With several streams, each
gate is a separate block of memory: an operation on one gate runs over contiguous memory, and a step
multiplies each gate by its own matrix. With one stream, the gates of a step are side by side: a
step is one product of a vector and one matrix, and needs the fewest NumPy calls.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from server.rnn.parameters import Array

Product: TypeAlias = Callable[[Array, Array], object]

# On processors with AVX-512, OpenBLAS copies nothing for products of at most so many
# multiplications. Elsewhere tiles of at least 32 columns cost up to 3 %.
SMALL_PRODUCT = 1_000_000
MIN_TILE, MAX_TILE = 32, 64


def split_gates(matrix: Array, gates: int) -> Array:
    """Return a view of a matrix with an axis of gates.

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


def empty_gates(
    gates: int, rows: tuple[int, ...], m: int, dtype: DTypeLike, *, separate: bool
) -> Array:
    """Return an uninitialised array of gates.

    Parameters
    ----------
    gates : int
    rows : tuple of int
        The axes between the gates and the m numbers of a gate.
    m : int
    dtype : dtype
    separate : bool
        Whether each gate is a separate block of memory, or all gates of a row are side by side.

    Returns
    -------
    ndarray of shape (gates, *rows, m)
    """
    if separate:
        return np.empty((gates, *rows, m), dtype=dtype)
    return np.moveaxis(np.empty((*rows, gates, m), dtype=dtype), -2, 0)


def step_views(array: Array) -> list[Array]:
    """Return a view of each step; with one stream, without the axis of streams.

    Parameters
    ----------
    array : ndarray of shape (..., T, B, n)

    Returns
    -------
    list of ndarray
        T views of shape (..., B, n), or of shape (..., n) if B is 1.
    """
    T, B = array.shape[-3:-1]
    return [array[..., t, 0, :] if B == 1 else array[..., t, :, :] for t in range(T)]


def joined_step_views(gates: Array) -> list[Array]:
    """Return a view of each step with all its gates, as `make_product` fills it.

    Parameters
    ----------
    gates : ndarray of shape (gates, T, B, m)

    Returns
    -------
    list of ndarray
        T views of shape (gates, B, m), or of shape (gates m,) if B is 1.
    """
    steps = step_views(gates)
    return [step.reshape(-1) for step in steps] if gates.shape[2] == 1 else steps


def joined_rows(gates: Array) -> Array:
    """Return a view of the gates of one stream, side by side in the row of each step.

    Parameters
    ----------
    gates : ndarray of shape (gates, T, 1, m)

    Returns
    -------
    ndarray of shape (T, gates m)
    """
    return gates[:, :, 0].transpose(1, 0, 2).reshape(gates.shape[1], -1)


def contiguous_blocks(gates: Array, *, separate: bool) -> list[Array]:
    """Return the array as matrices that are contiguous in memory.

    Parameters
    ----------
    gates : ndarray of shape (gates, n, m)
    separate : bool
        As in `empty_gates`.

    Returns
    -------
    list of ndarray
        One matrix of shape (n, m) for each gate, or one of shape (n, gates m).
    """
    if separate:
        return list(gates)
    return [gates.transpose(1, 0, 2).reshape(gates.shape[1], -1)]


def tile_width(streams: int, m: int) -> int:
    """Return the width of the tiles in which a step multiplies by its weights.

    OpenBLAS copies the matrices of a product before it multiplies, unless the product is small.
    With the few rows of a step, the copy takes up to half as long as the product itself.

    Parameters
    ----------
    streams, m : int
        The rows of a step, and the units.

    Returns
    -------
    int
        A divisor of m: m itself if the product is small, or if no tile would be. The product of one
        stream is that of a vector, for which nothing is copied.
    """
    widest = SMALL_PRODUCT // (streams * (m + 1))
    if streams == 1 or widest >= m:
        return m
    widths = range(min(widest, MAX_TILE), MIN_TILE - 1, -1)
    return next((width for width in widths if m % width == 0), m)


def split_tiles(matrix: Array, width: int) -> Array:
    """Return a view of the tiles of a matrix.

    Parameters
    ----------
    matrix : ndarray of shape (..., n, m)
    width : int
        A divisor of m.

    Returns
    -------
    ndarray of shape (..., m / width, n, width)
    """
    *axes, m = matrix.shape
    return matrix.reshape(*axes, m // width, width).swapaxes(-3, -2)


def multiply_tiles(rows: Array, weights: Array, out: Array) -> None:
    """Multiply rows by weights that are stored in tiles.

    Parameters
    ----------
    rows : ndarray of shape (B, n)
    weights : ndarray of shape (..., tiles, n, width)
    out : ndarray of shape (..., B, tiles width)
    """
    np.matmul(rows, weights, split_tiles(out, weights.shape[-1]))


def make_product(weights: Array, streams: int) -> Product:
    """Return the function that multiplies the rows of a step by the weights of all gates.

    Parameters
    ----------
    weights : ndarray of shape (gates, tiles, n, width)
        With one tile, its only matrix of each gate is from `empty_gates`, separate if there are
        several streams.
    streams : int
        B.

    Returns
    -------
    callable
        Its arguments are the rows, (B, n) or (n,), and the output (see `joined_step_views`).
    """
    if streams == 1:
        # The bound method saves making a view at each call; `matmul` takes twice as long for a
        # vector.
        return contiguous_blocks(weights[:, 0], separate=False)[0].T.dot
    if weights.shape[1] > 1:
        return partial(_multiply_tiles, weights)
    return partial(_multiply, weights[:, 0])


def _multiply_tiles(weights: Array, rows: Array, out: Array) -> None:
    multiply_tiles(rows, weights, out)


def _multiply(weights: Array, rows: Array, out: Array) -> None:
    np.matmul(rows, weights, out)


def make_transposed_product(W_T: Array, W: Array, streams: int) -> Product:
    """Return the function that multiplies the gradient of a step by the transposed weights.

    Parameters
    ----------
    W_T : ndarray of shape (n, gates m)
        The weights of all gates, transposed, used with one stream: ``W^T da``.
    W : ndarray of shape (gates, tiles, m, width)
        A copy of the weights that is not transposed, used with several streams, whose gradients are
        rows: ``da W``. It takes two thirds of the time.
    streams : int
        B.

    Returns
    -------
    callable
        Its arguments are the gradient (see `joined_step_views`) and the output, (B, n) or (n,).
    """
    if streams == 1:
        return W_T.dot
    gates, tiles, _, _ = W.shape
    if gates == 1:
        if tiles > 1:
            return partial(_multiply_rows_of_one_gate_in_tiles, W[0])
        return partial(_multiply_rows_of_one_gate, W[0, 0])
    products = np.empty((gates, streams, len(W_T)), W_T.dtype)
    if tiles > 1:
        return partial(_multiply_rows_in_tiles, W, products)
    return partial(_multiply_rows, W[:, 0], products)


def _multiply_rows_of_one_gate(W: Array, gradient: Array, out: Array) -> None:
    np.matmul(gradient[0], W, out)


def _multiply_rows_of_one_gate_in_tiles(W: Array, gradient: Array, out: Array) -> None:
    multiply_tiles(gradient[0], W, out)


def _multiply_rows_in_tiles(W: Array, products: Array, gradient: Array, out: Array) -> None:
    multiply_tiles(gradient[:, None], W, products)
    np.add.reduce(products, 0, out=out)


def _multiply_rows(W: Array, products: Array, gradient: Array, out: Array) -> None:
    np.matmul(gradient, W, products)
    np.add.reduce(products, 0, out=out)
