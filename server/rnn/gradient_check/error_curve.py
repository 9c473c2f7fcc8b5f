"""How the error of a numerical derivative depends on its step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from server.rnn.gradient_check.check import Matrix, relative_errors
from server.rnn.gradient_check.numerical_derivatives import (
    central_difference,
    complex_step,
    textbook_difference,
)
from server.rnn.gradient_check.random_network import RandomNetwork, make_random_network

# One a power of ten, from a tenth to where nothing but rounding is left of a difference.
STEPS = tuple(10.0**-power for power in range(1, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCurve:
    """The greatest relative error over all entries of all parameters at each step.

    Attributes
    ----------
    steps : tuple of float
    complex_step, central_difference, textbook_difference : tuple of float
        The errors of the complex step, of the central difference that the check uses, and of the
        one that is usually taught (see `numerical`).
    """

    steps: tuple[float, ...]
    complex_step: tuple[float, ...]
    central_difference: tuple[float, ...]
    textbook_difference: tuple[float, ...]


@np.errstate(all="ignore")
def error_against_step(
    *,
    cell: str = "rnn",
    hidden_size: int = 8,
    layers: int = 1,
    vocabulary_size: int = 12,
    sequence_length: int = 8,
    batch_size: int = 1,
    seed: int = 0,
    steps: Sequence[float] = STEPS,
) -> ErrorCurve:
    """Compare right gradients with numerical derivatives of all kinds of steps.

    A difference errs twice: with a large step because the loss is no polynomial, with a small one
    because two losses that agree in most digits are subtracted. The curve is a V, and a step on
    either side of it makes a right gradient look wrong. The complex step subtracts nothing, so
    that its curve falls and stays down.

    Parameters
    ----------
    cell, hidden_size, layers, vocabulary_size, sequence_length, batch_size, seed
        As for `check_gradients`; the network is small, for it is evaluated ten times at each step.
    steps : sequence of float
        Each greater than 0.

    Returns
    -------
    ErrorCurve
    """
    specimen = make_random_network(
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
        complex_step=_errors(specimen, complex_step, steps),
        central_difference=_errors(specimen, central_difference, steps),
        textbook_difference=_errors(specimen, textbook_difference, steps),
    )


def _errors(
    specimen: RandomNetwork,
    derivative: Callable[[RandomNetwork, str, float], Matrix],
    steps: Sequence[float],
) -> tuple[float, ...]:
    analytic = specimen.gradients()
    return tuple(
        max(
            float(relative_errors(gradient, derivative(specimen, name, step)).max())
            for name, gradient in analytic.items()
        )
        for step in steps
    )
