"""A network's parameters: one flat buffer with a named view for each matrix and vector."""

from collections.abc import Iterator, Mapping
from math import isfinite, prod, sqrt
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A floating type, or a complex type for the complex-step derivative.
Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]


class Parameters:
    """Named matrices and vectors that share one contiguous buffer.

    The optimizer, copying and clipping are therefore one pass over `flat`, whatever the network
    consists of. Matrices are stored transposed, because training reads them by column: the input of
    character k is column k of U. Adjacent parameters are then also one matrix (see `stack`), so
    that one product can use several of them. The named views still have the course's shapes.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        The shape of each parameter by its name, in the order in which they are stored.
    dtype : dtype
        The type of the buffer.
    flat : ndarray of shape (size,), optional
        A contiguous buffer to view; None allocates a new one of zeros.

    Raises
    ------
    ValueError
        If the size or type of `flat` does not match `shapes` and `dtype`, or it is not contiguous.

    Attributes
    ----------
    flat : ndarray of shape (size,)
        The buffer. It is never replaced, so views of it stay valid.
    """

    __slots__ = ("_offsets", "_shapes", "_views", "flat")

    def __init__(
        self, shapes: Mapping[str, Shape], dtype: DTypeLike, flat: Array | None = None
    ) -> None:
        size = sum(prod(shape) for shape in shapes.values())
        if flat is None:
            flat = np.zeros(size, dtype=dtype)
        elif flat.shape != (size,) or flat.dtype != dtype or not flat.flags.c_contiguous:
            raise ValueError(f"The buffer must be {size} contiguous numbers of type {dtype}.")
        self.flat = flat
        self._shapes = dict(shapes)
        self._offsets: dict[str, int] = {}
        self._views: dict[str, Array] = {}
        offset = 0
        for name, shape in shapes.items():
            end = offset + prod(shape)
            self._offsets[name] = offset
            self._views[name] = flat[offset:end].reshape(shape[::-1]).T
            offset = end

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the order in which they are stored."""
        return tuple(self._shapes)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each parameter by its name."""
        return dict(self._shapes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every number in the buffer."""
        return self.flat.dtype

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def items(self) -> Iterator[tuple[str, Array]]:
        """Iterate over the names and their views."""
        yield from self._views.items()

    def values(self) -> Iterator[Array]:
        """Iterate over the views."""
        yield from self._views.values()

    def stack(self, first: str, last: str) -> Array:
        """Return the parameters from `first` to `last` as one matrix, their transposes stacked.

        With shapes ``U (m, K), W (m, m), b (m,)`` it is ``[U^T; W^T; b^T]`` of shape
        (K + m + 1, m): the matrix by which a row ``[x, h, 1]`` is multiplied.

        Parameters
        ----------
        first, last : str
            Names, in their stored order.

        Returns
        -------
        ndarray of shape (rows, width)
            A view; `width` is the length of the parameters' first axis.

        Raises
        ------
        ValueError
            If the parameters' first axes differ in length.
        """
        names = self.names[self.names.index(first) : self.names.index(last) + 1]
        widths = {self._shapes[name][0] for name in names}
        if len(widths) != 1:
            raise ValueError(f"{', '.join(names)} differ in the length of the first axis.")
        start = self._offsets[first]
        end = self._offsets[last] + prod(self._shapes[last])
        return self.flat[start:end].reshape(-1, widths.pop())

    def like(self, flat: Array | None = None) -> Self:
        """Return parameters of the same names, shapes and type: zeros, or a view of `flat`."""
        return type(self)(self._shapes, self.flat.dtype, flat)

    def copy(self) -> Self:
        """Return a copy with a buffer of its own."""
        return self.like(self.flat.copy())


def euclidean_norm(flat: Array) -> float:
    """Return the Euclidean norm of an array of shape (size,), real.

    It is not finite if a number is not, or if the squares overflow in float64.
    """
    norm = sqrt(float(np.dot(flat, flat)))
    if not isfinite(norm):
        # In float32 the squares overflow long before the numbers themselves do.
        wide = flat.astype(np.float64)
        norm = sqrt(float(np.dot(wide, wide)))
    return norm
