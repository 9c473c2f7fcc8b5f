"""A cell: all that the rest of the program must know about one kind of recurrence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from server.rnn.cells.layer import Layer
from server.rnn.parameters import Array


class ReferenceLayer(Protocol):
    """The parameters of one layer, by symbol, as a reference step uses them.

    Arrays have shape (P, B, n) for P copies of the network and B streams; P may be 1.
    """

    def product(self, symbol: str, vectors: Array) -> Array:
        """Return a matrix times vectors: (P, B, columns) becomes (P, B, rows)."""

    def vector(self, symbol: str) -> Array:
        """Return a vector, of shape (P, 1, n)."""


class ReferenceStep(Protocol):
    """One step of a cell, written as its equations are, for the gradient check.

    It must share no code with the cell's layer, and must be analytic in every parameter: the
    complex-step derivative calls it with complex numbers.
    """

    def __call__(
        self, layer: ReferenceLayer, inputs: Array, state: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Return the next state.

        Parameters
        ----------
        layer : ReferenceLayer
        inputs : ndarray of shape (P, B, gates m)
            U x_t, without the bias.
        state : mapping of str to ndarray of shape (P, B, m)
            The state before the step, by the symbols that the cell names.

        Returns
        -------
        dict of str to ndarray of shape (P, B, m)
            The state after the step, by the same symbols.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of recurrence.

    To add a cell, write a module with its layer, its reference step and its `Cell`, and add the
    `Cell` to `server.rnn.cells.CELLS`.

    Attributes
    ----------
    name : str
        The name in specs and checkpoints.
    label : str
        The name that people read.
    gates : int
        U, W and b have `gates` blocks of m rows.
    states : tuple of str
        The symbols of the vectors of m numbers that one step passes to the next. The first is h,
        which the layer above and the output read.
    extra_parameters : tuple of str
        The symbols of further parameters of each layer, besides U, W and b: vectors of m numbers.
    initial_biases : tuple of float
        The value that b starts from, one for each gate; empty if b starts from 0.
    layer : type of Layer
        The forward and backward pass.
    single_stream_layer : type of Layer or None
        A faster layer that replaces `layer` where one stream of characters is read.
    reference_step : ReferenceStep
        The definition that the gradient check compares `layer` with.
    """

    name: str
    label: str
    gates: int
    states: tuple[str, ...] = ("h",)
    extra_parameters: tuple[str, ...] = ()
    initial_biases: tuple[float, ...] = ()
    layer: type[Layer]
    single_stream_layer: type[Layer] | None = None
    reference_step: ReferenceStep

    def layer_class(self, number: int, streams: int) -> type[Layer]:
        """Return the class of a network's layer.

        Parameters
        ----------
        number : int
            The layer, counted from 0, the one that reads characters.
        streams : int
            B.
        """
        if number == 0 and streams == 1 and self.single_stream_layer is not None:
            return self.single_stream_layer
        return self.layer


def logistic(a: Array) -> Array:
    """Return 1 / (1 + e^-a)."""
    return np.asarray(1.0 / (1.0 + np.exp(-a)))
