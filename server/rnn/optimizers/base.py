"""What all update rules have in common: what they remember, and the blocks they work in."""

from abc import ABC, abstractmethod
from types import ModuleType
from typing import ClassVar

import numpy as np

from server.rnn.parameters import Array

# So many numbers of five arrays, in float32, stay in a second-level cache of 1 MB.
BLOCK = 32_768


class Optimizer(ABC):
    """An update rule: what a gradient does to the parameters.

    A rule takes a few passes over each block of the flat buffers, one block after the other, so
    that a block is fetched from memory once however many passes there are. Nothing is allocated
    after the start.

    Parameters
    ----------
    parameters, gradients : ndarray of shape (size,)
        The flat buffers, both contiguous and of one type; `gradients` is read at every `step`.

    Attributes
    ----------
    steps : int
        The number of steps made. With `state` it is all that a rule remembers; both may be set
        to go on from there.
    state : dict of str to ndarray of shape (size,)
        What the rule remembers of past gradients. The arrays are never replaced.
    """

    LABEL: ClassVar[str]
    """The name that people read."""

    MEMORIES: ClassVar[tuple[str, ...]]
    """The names of what the rule remembers."""

    START: ClassVar[float] = 0.0
    """What every number of it is at first."""

    def __init__(self, parameters: Array, gradients: Array) -> None:
        self.steps = 0
        self.state = {name: np.full_like(parameters, self.START) for name in self.MEMORIES}
        self._buffers = buffers = (parameters, gradients, *self.state.values())
        scratch = np.empty_like(parameters[:BLOCK])
        self._blocks = [
            (*(buffer[i : i + BLOCK] for buffer in buffers), scratch[: parameters.size - i])
            for i in range(0, parameters.size, BLOCK)
        ]

    def reset(self) -> None:
        """Go back to what was remembered before the first step: nothing."""
        self.steps = 0
        for memory in self.state.values():
            memory[:] = self.START

    def use(self, kernel: ModuleType | None) -> None:  # noqa: B027 - not every rule has one
        """Let compiled code make the steps, or None: NumPy; see `server.rnn.backend.selection`."""

    def step(self, learning_rate: float) -> None:
        """Move the parameters against the gradients.

        Parameters
        ----------
        learning_rate : float
            eta. It may differ from step to step.
        """
        self.steps += 1
        self._move(learning_rate)

    @abstractmethod
    def _move(self, learning_rate: float) -> None:
        """Make the step that `steps` already counts."""
