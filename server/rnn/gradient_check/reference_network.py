"""The network written from its definitions, one step at a time.

The gradient check compares the network with this one. It shares no arithmetic with
`server.rnn.network`, and is written to be read beside the equations. It computes many copies of the
network at once, each with one number of one parameter changed; the copies share all products that
the change does not affect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.parameters import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """A step added to one number of one parameter in each of P copies.

    Attributes
    ----------
    name : str
        The parameter.
    entries : tuple of ndarray of int, shape (P,)
        The index of the number in each copy: its row and column, or its row.
    step : float or complex
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

    The first axis of every array is the copies: of length P, or of length 1 while all copies are
    equal.

    Parameters
    ----------
    architecture : Architecture
    parameters : mapping of str to ndarray
        The parameters before the perturbation.
    masks : sequence of ndarray of shape (T, B, m)
        The dropout masks of all layers but the first; empty without dropout.
    perturbation : Perturbation
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Mapping[str, Array],
        masks: Sequence[Array],
        perturbation: Perturbation,
    ) -> None:
        self._sizes = architecture
        self._parameters = parameters
        self._masks = masks
        self._perturbation = perturbation

    def losses(
        self, state: Mapping[str, Array], x: NDArray[np.integer], y: NDArray[np.integer]
    ) -> tuple[Array, dict[str, Array]]:
        """Read a sequence of each stream.

        Parameters
        ----------
        state : mapping of str to ndarray of shape (1 or P, B, m)
            The state before the sequence.
        x, y : ndarray of int, shape (T, B)
            The characters, and the character that follows each of them.

        Returns
        -------
        losses : ndarray of shape (P, T, B)
            ``-log p_t[y_t]`` of each step and stream.
        state : dict of str to ndarray of shape (P, B, m)
            The state after the sequence.
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
        """Replace a layer's state by the next one; `inputs` is U x_t."""
        cell, name = CELLS[self._sizes.cell], self._sizes.name
        names = {symbol: name(symbol, layer) for symbol in cell.states}
        before = {symbol: state[names[symbol]] for symbol in cell.states}
        after = cell.reference_step(_Layer(self, layer, self._sizes), inputs, before)
        state |= {names[symbol]: after[symbol] for symbol in cell.states}

    def product(self, name: str, vectors: Array) -> Array:
        """Return the product of a matrix with vectors of shape (1 or P, B, n)."""
        product = vectors @ self._parameters[name].T
        if name != self._perturbation.name:
            return product
        (rows, columns), copies = self._perturbation.entries, self._perturbation.copies
        vectors = np.broadcast_to(vectors, (len(copies), *vectors.shape[1:]))
        change = self._perturbation.step * vectors[copies, :, columns]
        return self._changed(product, rows, change)

    def _column(self, name: str, x_t: NDArray[np.integer]) -> Array:
        """Return the product of a matrix with one-hot characters: its columns, (1 or P, B, n)."""
        columns: Array = self._parameters[name].T[x_t][None]
        if name != self._perturbation.name:
            return columns
        rows, characters = self._perturbation.entries
        return self._changed(columns, rows, self._perturbation.step * (characters[:, None] == x_t))

    def vector(self, name: str) -> Array:
        """Return a vector, of shape (1 or P, 1, n)."""
        vector: Array = self._parameters[name][None, None]
        if name != self._perturbation.name:
            return vector
        (rows,) = self._perturbation.entries
        return self._changed(vector, rows, np.full((len(rows), 1), self._perturbation.step))

    def _changed(self, array: Array, rows: NDArray[np.intp], change: Array) -> Array:
        """Return `array` (P, B, n) with `change` (P, B) added to one of the n rows in each copy."""
        copies = self._perturbation.copies
        changed = np.repeat(array, len(copies) // len(array), axis=0)
        changed = changed.astype(np.result_type(array, change))
        changed[copies, :, rows] += change
        return changed


@dataclass(frozen=True, slots=True)
class _Layer:
    """The parameters of one layer by symbol: the `ReferenceLayer` of a reference step."""

    network: ReferenceNetwork
    number: int
    sizes: Architecture

    def product(self, symbol: str, vectors: Array) -> Array:
        return self.network.product(self.sizes.name(symbol, self.number), vectors)

    def vector(self, symbol: str) -> Array:
        return self.network.vector(self.sizes.name(symbol, self.number))
