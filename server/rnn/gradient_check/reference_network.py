"""The network by its definitions, written out one step at a time.

The other side of the gradient check: nothing of it is shared with `server.rnn.network`, and it is
made to be read beside the equations. What makes it quick is that it runs many copies of the
network at once, each with one number of one parameter changed; and since all else is the same in
them, they share their products.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.parameters import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is added to one number of one parameter in each of P copies.

    Attributes
    ----------
    name : str
        The parameter.
    entries : tuple of ndarray of int, shape (P,)
        The place of the number in each copy: its row and its column, or its row.
    step : float or complex
        What is added.
    """

    name: str
    entries: tuple[NDArray[np.intp], ...]
    step: complex

    @property
    def copies(self) -> NDArray[np.intp]:
        """The numbers of the copies, 0 to P - 1."""
        return np.arange(len(self.entries[0]))


class ReferenceNetwork:
    """Copies of a network that differ in one number each.

    Every array begins with an axis of copies, of length P, or of length 1 as long as all copies
    are the same.

    Parameters
    ----------
    architecture : Architecture
    parameters : mapping of str to ndarray
        What all copies start from.
    masks : sequence of ndarray of shape (T, B, m)
        What each layer but the first multiplies its input by; none if nothing is dropped.
    change : Change
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Mapping[str, Array],
        masks: Sequence[Array],
        change: Change,
    ) -> None:
        self._sizes = architecture
        self._parameters = parameters
        self._masks = masks
        self._change = change

    def losses(
        self, state: Mapping[str, Array], x: NDArray[np.integer], y: NDArray[np.integer]
    ) -> tuple[Array, dict[str, Array]]:
        """Read a sequence of each stream.

        Parameters
        ----------
        state : mapping of str to ndarray of shape (1 or P, B, m)
            What is carried before the sequence.
        x, y : ndarray of int, shape (T, B)
            The characters, and those that follow.

        Returns
        -------
        losses : ndarray of shape (P, T, B)
            ``-log p_t[y_t]`` of each step and stream.
        state : dict of str to ndarray of shape (P, B, m)
            What is carried after the sequence.
        """
        sizes, state = self._sizes, dict(state)
        streams, losses = np.arange(x.shape[1]), []
        for t, (x_t, y_t) in enumerate(zip(x, y, strict=True)):
            for layer in range(sizes.layers):
                U = sizes.name("U", layer)
                if layer == 0:
                    inputs = self._column(U, x_t)
                else:
                    below = state[sizes.name("h", layer - 1)]
                    read = below * self._masks[layer - 1][t] if self._masks else below
                    inputs = self.product(U, read)
                self._step(layer, inputs, state)
            o = self.product("V", state[sizes.name("h", sizes.layers - 1)]) + self.vector("c")
            o = o - o.real.max(axis=2, keepdims=True)
            losses.append(np.log(np.exp(o).sum(axis=2)) - o[:, streams, y_t])
        return np.stack(losses, axis=1), state

    def _step(self, layer: int, inputs: Array, state: dict[str, Array]) -> None:
        """Replace a layer's state by the next; `inputs` is U x_t."""
        cell, name = CELLS[self._sizes.cell], self._sizes.name
        names = {symbol: name(symbol, layer) for symbol in cell.states}
        before = {symbol: state[names[symbol]] for symbol in cell.states}
        after = cell.reference_step(_Layer(self, layer, self._sizes), inputs, before)
        state |= {names[symbol]: after[symbol] for symbol in cell.states}

    def product(self, name: str, vectors: Array) -> Array:
        """Return the product of a matrix with vectors of shape (1 or P, B, n)."""
        product = vectors @ self._parameters[name].T
        if name != self._change.name:
            return product
        (rows, columns), copies = self._change.entries, self._change.copies
        vectors = np.broadcast_to(vectors, (len(copies), *vectors.shape[1:]))
        change = self._change.step * vectors[copies, :, columns]
        return self._changed(product, rows, change)

    def _column(self, name: str, x_t: NDArray[np.integer]) -> Array:
        """Return the product of a matrix with one-hot characters: its columns, (1 or P, B, n)."""
        columns: Array = self._parameters[name].T[x_t][None]
        if name != self._change.name:
            return columns
        rows, characters = self._change.entries
        return self._changed(columns, rows, self._change.step * (characters[:, None] == x_t))

    def vector(self, name: str) -> Array:
        """Return a vector, of shape (1 or P, 1, n)."""
        vector: Array = self._parameters[name][None, None]
        if name != self._change.name:
            return vector
        (rows,) = self._change.entries
        return self._changed(vector, rows, np.full((len(rows), 1), self._change.step))

    def _changed(self, array: Array, rows: NDArray[np.intp], change: Array) -> Array:
        """Return `array` of shape (P, B, n) with (P, B) added to one of n in each copy."""
        copies = self._change.copies
        changed = np.repeat(array, len(copies) // len(array), axis=0)
        changed = changed.astype(np.result_type(array, change))
        changed[copies, :, rows] += change
        return changed


@dataclass(frozen=True, slots=True)
class _Layer:
    """The parameters of one layer by symbol, as a cell's reference step asks for them."""

    network: ReferenceNetwork
    number: int
    sizes: Architecture

    def product(self, symbol: str, vectors: Array) -> Array:
        return self.network.product(self.sizes.name(symbol, self.number), vectors)

    def vector(self, symbol: str) -> Array:
        return self.network.vector(self.sizes.name(symbol, self.number))
