"""The network one character at a time, to generate or measure text."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells.layer import Layer
from server.rnn.cells.stack import make_layers
from server.rnn.model import Model
from server.rnn.parameters import Array, Parameters
from server.rnn.sampling.hold import Hold


class Stepper:
    """Runs a model's network, one character of each stream per step.

    Parameters
    ----------
    model : Model
        It is copied.
    streams : int, default 1
        B, the number of texts that are read in parallel. All start from the model's state.
    hold : Hold, optional
        A unit to hold at a value, in all streams, from the first step on.

    Raises
    ------
    ValueError
        If the model has no such unit.

    Attributes
    ----------
    state : dict of str to ndarray of shape (B, m)
        The state before the next step, by the architecture's `state_names`. It may be changed.
    """

    def __init__(self, model: Model, streams: int = 1, hold: Hold | None = None) -> None:
        sizes = model.architecture
        if hold is not None:
            hold.check(sizes)
        parameters = Parameters(sizes.parameter_shapes, model.dtype)
        for name, view in parameters.items():
            view[...] = model.parameters[name]
        self._characters, self._layers = make_layers(
            sizes, parameters, parameters.like(), 1, streams
        )
        with np.errstate(all="ignore"):
            for layer in self._layers:
                layer.refresh()
        self.state: dict[str, Array] = {}
        self._to_carry: list[tuple[Array, Array]] = []
        for number, layer in enumerate(self._layers):
            for symbol, view in layer.state.items():
                name = sizes.name(symbol, number)
                self.state[name] = view
                view[:] = model.state[name]
                self._to_carry.append((view, layer.last_state[symbol]))
        self._steps = [layer.forward for layer in self._layers]
        if hold is not None:
            self._steps[hold.layer] = _held_step(self._layers[hold.layer], hold)
        self._hidden = self._layers[-1].outputs
        self._Vc_T = parameters.stack("V", "c")
        self._logits = np.empty((streams, sizes.vocabulary_size), dtype=model.dtype)

    def step(self, x: NDArray[np.integer] | int) -> Array:
        """Read a character of each stream.

        Parameters
        ----------
        x : ndarray of int, shape (B,), or int
            The characters; a single number is used for all streams.

        Returns
        -------
        ndarray of shape (B, K)
            The logits of the next character. The next step overwrites them.
        """
        self._characters.x[:] = x
        for step in self._steps:
            step()
        for state, last_state in self._to_carry:
            state[:] = last_state
        np.matmul(self._hidden, self._Vc_T, self._logits)
        return self._logits

    def clear_state(self) -> None:
        """Make the state zero."""
        for state in self.state.values():
            state[:] = 0.0


def _held_step(layer: Layer, hold: Hold) -> Callable[[], None]:
    """Return the forward pass of a layer, after which a unit has the held value."""
    forward, activation = layer.forward, layer.last_state["h"][:, hold.unit]

    def step() -> None:
        forward()
        activation[:] = hold.value

    return step
