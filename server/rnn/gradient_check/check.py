"""Proof of the gradients: the analytic ones against two numerical derivatives of the loss."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.rnn.gradient_check.numerical_derivatives import (
    FLOOR,
    central_difference,
    complex_step,
    fitted_difference,
)
from server.rnn.gradient_check.random_network import RandomNetwork, make_random_network
from server.rnn.parameters import Array

Matrix = NDArray[np.float64]
Mistake: TypeAlias = Literal["clipping", "float32", "state"]

# What "clipping" clips to, in parts of the greatest gradient.
CLIPPED_TO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCheck:
    """How the gradient of one parameter fares.

    Attributes
    ----------
    name : str
        U, W, b, V or c; with several layers U1 and so on.
    analytic : ndarray of float64
        The gradient by back-propagation, in the parameter's shape.
    complex_step_errors, central_difference_errors : ndarray of float64
        The relative error of every entry against each numerical derivative.
    """

    name: str
    analytic: Matrix
    complex_step_errors: Matrix
    central_difference_errors: Matrix

    @property
    def shape(self) -> tuple[int, ...]:
        """The parameter's shape."""
        return self.analytic.shape

    @property
    def complex_step(self) -> float:
        """The greatest relative error against the complex-step derivative."""
        return float(self.complex_step_errors.max())

    @property
    def central_difference(self) -> float:
        """The greatest relative error against the central difference."""
        return float(self.central_difference_errors.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientCheck:
    """The check of a whole network.

    Attributes
    ----------
    parameters : tuple of ParameterCheck
        One for each parameter.
    dtype : str
        The type in which everything was computed.
    complex_step_threshold, central_difference_threshold : float
        What the greatest relative errors must stay below.
    """

    parameters: tuple[ParameterCheck, ...]
    dtype: str = "float64"
    complex_step_threshold: float = 1e-10
    central_difference_threshold: float = 1e-6

    @property
    def passed(self) -> bool:
        """Whether every parameter is below both thresholds."""
        return all(
            p.complex_step < self.complex_step_threshold
            and p.central_difference < self.central_difference_threshold
            for p in self.parameters
        )


# Some BLAS libraries raise floating-point flags for sound products; the errors tell the truth.
@np.errstate(all="ignore")
def check_gradients(
    *,
    cell: str = "rnn",
    hidden_size: int = 20,
    layers: int = 1,
    dropout: float = 0.0,
    vocabulary_size: int = 30,
    sequence_length: int = 10,
    batch_size: int = 1,
    seed: int = 0,
    carried_state: bool = True,
    text: NDArray[np.integer] | None = None,
    mistake: Mistake | None = None,
    step: float | None = None,
) -> GradientCheck:
    r"""Check the analytic gradient of every entry of every parameter of a random network.

    Parameters
    ----------
    cell : str
        The name of a cell in `CELLS`.
    hidden_size, layers, vocabulary_size, sequence_length, batch_size : int
        m, 1 to 4 layers, K, T and B, each at least 1.
    dropout : float
        The share of hidden states dropped between layers, the same ones in all evaluations.
    seed : int
        Of the parameters, the text, the carried state and what is dropped.
    carried_state : bool, default True
        Whether the sequence begins from a random state instead of zero.
    text : ndarray of int, shape (T + 1,) or (T + 1, B), optional
        The sequence to read, each character in ``range(vocabulary_size)``. A random one if None.
    mistake : {"clipping", "float32", "state"}, optional
        A mistake to make on purpose, by which a right gradient looks wrong (see Notes).
    step : float, optional
        Of the central difference; as fine as each entry needs it if None.

    Returns
    -------
    GradientCheck

    Notes
    -----
    The loss is computed by its definitions (`ReferenceNetwork`), not by the network whose gradients
    are checked, so that both its forward and its backward pass are.

    The complex-step derivative [1]_ ``Im L(theta + i h) / h`` has no difference of close numbers
    in it, so that `h` can be so small that the result is exact but for rounding. It asks for a
    loss that is analytic in every parameter; this one is.

    The central difference is of sixth order. The usual one of second order asks for so small a
    step that it loses up to a thousandth of the smallest gradients to rounding, and would blame
    them for it; where the loss bends too much for a step, a finer one is taken. For the same
    reason the losses of each step of the sequence are subtracted before they are summed.

    The relative error of an entry is ``|a - n| / max(1e-6, |a| + |n|)``.

    The mistakes:

    - ``clipping``: the gradient is clipped, here to a tenth of its greatest entry, before it is
      compared. What is clipped is no gradient of the loss any more.
    - ``float32``: everything is computed with seven digits. A difference of two losses has but the
      few digits in which they differ. The complex step takes no difference, and keeps its seven.
    - ``state``: each evaluation of the loss begins from the state that the one before it left, as
      it does when the network carries its state by itself. The losses are of different functions.

    References
    ----------
    .. [1] J. R. R. A. Martins, P. Sturdza and J. J. Alonso, "The complex-step derivative
       approximation", ACM Transactions on Mathematical Software 29(3), 2003.
    """
    specimen = make_random_network(
        cell=cell,
        hidden_size=hidden_size,
        layers=layers,
        dropout=dropout,
        vocabulary_size=vocabulary_size,
        sequence_length=sequence_length,
        batch_size=batch_size,
        seed=seed,
        carried_state=carried_state,
        text=text,
        dtype="float32" if mistake == "float32" else "float64",
    )
    analytic = specimen.gradients()
    if mistake == "clipping":
        limit = CLIPPED_TO * max(float(np.abs(g).max()) for g in analytic.values())
        analytic = {name: np.clip(g, -limit, limit) for name, g in analytic.items()}
    carried = mistake == "state"
    return GradientCheck(
        parameters=tuple(
            _check(specimen, name, gradient, step, carried=carried)
            for name, gradient in analytic.items()
        ),
        dtype=str(specimen.dtype),
    )


def _check(
    specimen: RandomNetwork, name: str, analytic: Array, step: float | None, *, carried: bool
) -> ParameterCheck:
    exact = complex_step(specimen, name, carried=carried)
    if step is None:
        central = fitted_difference(specimen, name, carried=carried)
    else:
        central = central_difference(specimen, name, step, carried=carried)
    analytic = analytic.astype(np.float64)
    return ParameterCheck(
        name=name,
        analytic=analytic,
        complex_step_errors=relative_errors(analytic, exact),
        central_difference_errors=relative_errors(analytic, central),
    )


def relative_errors(analytic: Matrix, numerical: Matrix) -> Matrix:
    """Return ``|a - n| / max(1e-6, |a| + |n|)`` of each entry.

    Parameters
    ----------
    analytic, numerical : ndarray of float64
        Two gradients of one shape.

    Returns
    -------
    ndarray of float64
        Of the same shape.
    """
    sizes = np.abs(analytic) + np.abs(numerical)
    return np.asarray(np.abs(analytic - numerical) / np.maximum(FLOOR, sizes))
