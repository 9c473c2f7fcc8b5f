"""The base of all optimizers: their state, and the blocks in which they work."""

import math
from abc import ABC, abstractmethod
from types import ModuleType
from typing import ClassVar

import numpy as np

from server.rnn.optimizers.clipping import clip_by_value
from server.rnn.parameters import Array
from server.rnn.thread_team import ThreadTeam, divide

# Five float32 arrays of this length fit in a second-level cache of 1 MB.
BLOCK = 32_768


class Optimizer(ABC):
    """An optimizer: changes the parameters by a step against the gradients.

    A step makes a few passes over each block of the flat buffers, one block after the other, so
    that a block is loaded from memory once for all passes. Nothing is allocated after the start.

    Parameters
    ----------
    parameters, gradients : ndarray of shape (size,)
        The flat buffers, both contiguous and of the same type. `gradients` is read at every step.
    state : dict of str to ndarray of shape (size,), optional
        The buffers of the past gradients; None: new ones.

    Attributes
    ----------
    steps : int
        The number of steps made.
    state : dict of str to ndarray of shape (size,)
        The accumulated past gradients, by name. The arrays are never replaced. To resume, set
        `steps` and fill these arrays.
    limit : float
        Each step begins with clipping the gradients to this value (see `clip_by_value`); infinite,
        which does not clip, unless it is set.
    """

    LABEL: ClassVar[str]
    """The name that people read."""

    STATE_NAMES: ClassVar[tuple[str, ...]]
    """The names of the arrays in `state`."""

    INITIAL_VALUE: ClassVar[float] = 0.0
    """The initial value of every number in `state`."""

    def __init__(
        self, parameters: Array, gradients: Array, state: dict[str, Array] | None = None
    ) -> None:
        self.steps = 0
        self.limit = math.inf
        self.state = state or {
            name: np.full_like(parameters, self.INITIAL_VALUE) for name in self.STATE_NAMES
        }
        self._buffers = buffers = (parameters, gradients, *self.state.values())
        scratch = np.empty_like(parameters[:BLOCK])
        self._blocks = [
            (*(buffer[i : i + BLOCK] for buffer in buffers), scratch[: parameters.size - i])
            for i in range(0, parameters.size, BLOCK)
        ]
        self._team: ThreadTeam | None = None
        self._shares: list[Optimizer] = []

    def share(self, team: ThreadTeam) -> None:
        """Let each thread make the steps of its share of the parameters, with the same bytes."""
        parameters, gradients, *_ = self._buffers
        self._team = team
        self._shares = [
            type(self)(
                parameters[piece],
                gradients[piece],
                {name: array[piece] for name, array in self.state.items()},
            )
            for piece in divide(parameters.size, team.threads)
        ]

    def reset(self) -> None:
        """Return to the state before the first step."""
        self.steps = 0
        for array in self.state.values():
            array[:] = self.INITIAL_VALUE

    def set_kernel(self, kernel: ModuleType | None) -> None:  # noqa: B027 - not every one has it
        """Use compiled code for the steps; None: NumPy. See `server.rnn.backend.selection`."""

    def step(self, learning_rate: float) -> None:
        """Clip the gradients, and change the parameters by one step.

        Parameters
        ----------
        learning_rate : float
            eta. It may change between steps.
        """
        if self._team is None:
            self.steps += 1
            self._clip()
            self._apply(learning_rate)
            return
        for share in self._shares:
            share.steps, share.limit = self.steps, self.limit
        self._team.run(lambda share: share.step(learning_rate), self._shares)
        self.steps += 1

    def _clip(self) -> None:
        if self.limit < math.inf:
            clip_by_value(self._buffers[1], self.limit)

    @abstractmethod
    def _apply(self, learning_rate: float) -> None:
        """Change the parameters; `steps` already includes this step."""
