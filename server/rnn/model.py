"""A model: the parameters and state of a network at some update, enough to generate text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.rnn.architecture import MAX_LAYERS, Architecture
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.rnn.parameters import Array, Shape


class ModelError(ValueError):
    """The parts of a model do not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The parameters and state of a network after some update, enough to generate text.

    Attributes
    ----------
    parameters : dict of str to ndarray
        The names and shapes of `Architecture.parameter_shapes`.
    state : dict of str to ndarray of shape (m,)
        The state carried to the next sequence, by the names of `Architecture.state_names`. With
        several streams, it is the state of the first one.
    next_index : int
        The next input character in the text.
    update : int
        The number of updates made.
    smooth_loss : float or None
        The smooth loss after them, in nats; None before the first update.
    cell : str
        The name of the layers' cell, in `CELLS`.
    layers : int
        1 to 4.

    Raises
    ------
    ModelError
        If the parts do not fit together.
    """

    parameters: dict[str, Array]
    state: dict[str, Array]
    next_index: int
    update: int
    smooth_loss: float | None
    cell: str = DEFAULT_CELL
    layers: int = 1

    def __post_init__(self) -> None:
        if self.cell not in CELLS or not 1 <= self.layers <= MAX_LAYERS:
            raise ModelError(f"There is no network of {self.layers} layers of {self.cell!r} cells.")
        V = self.parameters.get("V")
        if V is None or V.ndim != 2 or V.dtype not in {np.dtype("f4"), np.dtype("f8")}:
            raise ModelError("A model needs a matrix V of float32 or float64.")
        sizes = self.architecture
        _check("parameters", self.parameters, sizes.parameter_shapes, V.dtype)
        shapes = dict.fromkeys(sizes.state_names, (sizes.hidden_size,))
        _check("state", self.state, shapes, V.dtype)
        index = self.next_index
        if type(index) is not int or not 0 <= index < sizes.vocabulary_size:
            raise ModelError(f"There is no character {index!r}.")

    @property
    def vocabulary_size(self) -> int:
        """K."""
        return int(self.parameters["V"].shape[0])

    @property
    def hidden_size(self) -> int:
        """The number of units of a layer, m."""
        return int(self.parameters["V"].shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all arrays."""
        return self.parameters["V"].dtype

    @property
    def architecture(self) -> Architecture:
        """The sizes of the network, and its names and shapes."""
        return Architecture(
            vocabulary_size=self.vocabulary_size,
            hidden_size=self.hidden_size,
            cell=self.cell,
            layers=self.layers,
        )


def _check(
    what: str, arrays: dict[str, Array], shapes: Mapping[str, Shape], dtype: np.dtype[Any]
) -> None:
    if set(arrays) != set(shapes):
        raise ModelError(
            f"The model's {what} are {', '.join(sorted(arrays))}, not {', '.join(shapes)}."
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise ModelError(f"The model's {name} is not of shape {shape} and type {dtype}.")
