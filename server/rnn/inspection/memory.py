"""Memory: how far back in time the gradient of a loss reaches."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.inspection.time_gradients import gradient_by_lag
from server.rnn.model import Model
from server.rnn.parameters import Array

Floats = NDArray[np.float64]

LAGS = 128
"""The steps back in time that are measured."""
MAX_LOSSES = 64
MAX_MULTIPLY_ADDS = 10**9
"""Limits of the losses that are averaged; the second is about a tenth of a second's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How much losses depend on the states 0, 1, 2, ... steps back.

    Attributes
    ----------
    last : ndarray of float64, shape (lags + 1,)
        The norm of the gradient of the last loss with respect to h, the hidden states of all layers
        together.
    typical : dict of str to ndarray of float64, shape (layers, lags + 1)
        The geometric mean of the norms of several losses, one after the other, by the symbol of the
        state. Single norms differ much from one character to the next.
    losses : int
        How many.
    """

    last: Floats
    typical: dict[str, Floats]
    losses: int

    def half_life(self, steps: int) -> float | None:
        """Return in how many steps back in time the gradient becomes half as great.

        It is that of the exponential function that fits h of the last layer best, from lag 1 to lag
        `steps`, by least squares of the logarithms. Lag 0 is left out, because there the gradient
        has not gone back through the recurrence yet.

        Parameters
        ----------
        steps : int
            At least 1; those beyond the measured ones are ignored.

        Returns
        -------
        float or None
            Infinite if the gradient does not fall; None if there is nothing to fit.
        """
        norms = self.typical["h"][-1, 1 : steps + 1]
        lags = np.flatnonzero((norms > 0.0) & np.isfinite(norms))
        if len(lags) < 2:
            return None
        slope = float(np.polyfit(lags, np.log(norms[lags]), 1)[0])
        return math.log(2.0) / -slope if slope < 0.0 else math.inf


def losses_measured(model: Model) -> int:
    """Return how many losses are averaged: fewer with large networks."""
    sizes = model.architecture
    per_loss = LAGS * sizes.layers * sizes.gates * sizes.hidden_size**2
    return max(1, min(MAX_LOSSES, MAX_MULTIPLY_ADDS // per_loss))


@np.errstate(all="ignore")
def measure_memory(
    model: Model, indices: NDArray[np.integer], state: Mapping[str, Array] | None = None
) -> Memory:
    """Measure how far back in time the gradients of the last losses of a text reach.

    Parameters
    ----------
    model : Model
    indices : ndarray of int, shape (n,)
        The text; n is at least 2. With ``LAGS + 1 + losses_measured(model)`` characters, all lags
        are measured; of a shorter text half are lags, and half losses.
    state : mapping of str to ndarray of shape (m,), optional
        The state before the text; None: zero.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.
    """
    steps = len(indices) - 1
    losses = max(1, min(losses_measured(model), max(steps - LAGS, steps // 2)))
    found = gradient_by_lag(model, indices, losses=losses, state=state)
    norms = {symbol: each[..., : LAGS + 1] for symbol, each in found.items()}
    typical = {symbol: np.exp(np.log(each).mean(axis=1)) for symbol, each in norms.items()}
    last = np.sqrt(np.square(norms["h"][:, -1]).sum(axis=0))
    return Memory(last=last, typical=typical, losses=losses)
