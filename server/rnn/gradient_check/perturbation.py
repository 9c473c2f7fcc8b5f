"""Copies of a parameter with one number changed in each, which compute like the parameter.

With P copies in place of one parameter, the reference computes P networks at once: vectors get a
first axis of length P. The copies share all products that the change does not affect, and no copy
of a matrix is made.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.rnn.parameters import Array


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix whose product with many vectors at once is ``W @ h``.

    Attributes
    ----------
    values : ndarray of shape (rows, columns)
    """

    values: Array

    def __matmul__(self, vectors: Array) -> Array:
        """Return the product with each vector: (..., columns) becomes (..., rows)."""
        return np.asarray(vectors @ self.values.T)


@dataclass(frozen=True, slots=True)
class PerturbedMatrix(Matrix):
    """P copies of a matrix, with a step added to one number of each.

    Attributes
    ----------
    rows, columns : ndarray of int, shape (P,)
        The place of the number in each copy.
    step : float or complex scalar
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    step: np.number[Any]

    def __matmul__(self, vectors: Array) -> Array:
        """Return the products: (columns,) or (P, columns) becomes (P, rows).

        The copies are W + s e_i e_j^T, so each product is W h with s h_j added to number i.
        """
        copies = np.arange(len(self.rows))
        one = vectors.ndim == 1
        change = self.step * (vectors[self.columns] if one else vectors[copies, self.columns])
        product = vectors @ self.values.T
        changed = np.empty((len(copies), product.shape[-1]), np.result_type(product, change))
        changed[...] = product
        changed[copies, self.rows] += change
        return changed


def perturbed_vector(vector: Array, entries: NDArray[np.intp], step: np.number[Any]) -> Array:
    """Return copies of a vector with a step added to one number of each.

    Parameters
    ----------
    vector : ndarray of shape (n,)
    entries : ndarray of int, shape (P,)
        The index of the number in each copy.
    step : float or complex scalar

    Returns
    -------
    ndarray of shape (P, n)
    """
    copies = np.tile(vector, (len(entries), 1)).astype(np.result_type(vector, step))
    copies[np.arange(len(entries)), entries] += step
    return copies
