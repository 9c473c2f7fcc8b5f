"""Intervention: the text that a model writes while a unit is held at a value."""

from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.sampling.hold import Hold
from server.rnn.sampling.sampling import Indices, generate


@dataclass(frozen=True, slots=True)
class Intervention:
    """Two texts that differ only by the unit that was held.

    Attributes
    ----------
    without, held : ndarray of intp, shape (length,)
        The text of `generate`, and the text with the unit held.
    first_difference : int or None
        The first index at which they differ; None if they are equal.
    """

    without: Indices
    held: Indices
    first_difference: int | None


def intervene(
    model: Model,
    length: int,
    hold: Hold,
    *,
    temperature: float = 1.0,
    seed: int | SeedSequence,
    prime: NDArray[np.integer] | None = None,
) -> Intervention:
    """Generate a text twice from the same random numbers, the second time with a unit held.

    Parameters
    ----------
    model, length, temperature, seed, prime
        As for `server.rnn.sampling.sampling.generate`. The prime is read without the hold.
    hold : Hold
        It applies from the step on that predicts the first character of the text.

    Raises
    ------
    ValueError
        As for `generate`.
    """
    without, held = (
        generate(model, length, temperature=temperature, seed=seed, prime=prime, hold=each)
        for each in (None, hold)
    )
    differ = np.flatnonzero(without != held)
    return Intervention(without, held, int(differ[0]) if differ.size else None)
