"""The error of the numerical derivatives as a function of their step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from server.rnn.cells import DEFAULT_CELL
from server.rnn.gradient_check.check import Matrix, relative_errors
from server.rnn.gradient_check.numerical_derivatives import (
    central_difference,
    complex_step,
    textbook_difference,
)
from server.rnn.gradient_check.random_network import RandomNetwork, make_random_network

# Powers of ten, from a tenth to where a difference is nothing but rounding.
STEPS = tuple(10.0**-power for power in range(1, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCurve:
    """The greatest relative error over all entries of all parameters at each step.

    Attributes
    ----------
    steps : tuple of float
    complex_step, central_difference, textbook_difference : tuple of float
        The errors of the complex step, of the check's central difference, and of the textbook's
        central difference (see `numerical_derivatives`).
    """

    steps: tuple[float, ...]
    complex_step: tuple[float, ...]
    central_difference: tuple[float, ...]
    textbook_difference: tuple[float, ...]


@np.errstate(all="ignore")
def error_against_step(
    *,
    cell: str = DEFAULT_CELL,
    hidden_size: int = 8,
    layers: int = 1,
    vocabulary_size: int = 12,
    sequence_length: int = 8,
    batch_size: int = 1,
    seed: int = 0,
    steps: Sequence[float] = STEPS,
) -> ErrorCurve:
    """Compare correct gradients with numerical derivatives of many steps.

    A difference has two errors: truncation, which is large for a large step, and rounding, which is
    large for a small one, because two nearly equal losses are subtracted. The curve is a V, and a
    step too far to either side makes a correct gradient look wrong. The complex step subtracts
    nothing, so its curve falls and stays low.

    Parameters
    ----------
    cell, hidden_size, layers, vocabulary_size, sequence_length, batch_size, seed
        As for `check_gradients`. The network is small, because each step takes ten evaluations.
    steps : sequence of float
        Each greater than 0.

    Returns
    -------
    ErrorCurve
    """
    random_network = make_random_network(
        cell=cell,
        hidden_size=hidden_size,
        layers=layers,
        dropout=0.0,
        vocabulary_size=vocabulary_size,
        sequence_length=sequence_length,
        batch_size=batch_size,
        seed=seed,
        carried_state=True,
        text=None,
        dtype="float64",
    )
    return ErrorCurve(
        steps=tuple(steps),
        complex_step=_errors(random_network, complex_step, steps),
        central_difference=_errors(random_network, central_difference, steps),
        textbook_difference=_errors(random_network, textbook_difference, steps),
    )


def _errors(
    random_network: RandomNetwork,
    derivative: Callable[[RandomNetwork, str, float], Matrix],
    steps: Sequence[float],
) -> tuple[float, ...]:
    analytic = random_network.gradients()
    return tuple(
        max(
            float(relative_errors(gradient, derivative(random_network, name, step)).max())
            for name, gradient in analytic.items()
        )
        for step in steps
    )
