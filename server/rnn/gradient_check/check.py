"""The gradient check: analytic gradients against two numerical derivatives of the loss."""

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
from server.rnn.gradient_check.random_network import (
    DEFAULTS,
    RandomNetwork,
    make_random_network,
)
from server.rnn.parameters import Array

Matrix = NDArray[np.float64]
Mistake: TypeAlias = Literal["clipping", "float32", "state"]

# The limit of the mistake "clipping", as a fraction of the greatest gradient.
CLIPPED_TO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCheck:
    """The result for one parameter.

    Attributes
    ----------
    name : str
        U, W, b, V or c; with several layers U1, W1 and so on.
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
    """The result for a whole network.

    Attributes
    ----------
    parameters : tuple of ParameterCheck
        One for each parameter.
    dtype : str
        The type of all arithmetic.
    complex_step_threshold, central_difference_threshold : float
        Upper limits of the greatest relative errors.
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


# Some BLAS libraries raise floating-point warnings for correct products.
@np.errstate(all="ignore")
def check_gradients(
    *,
    cell: str = DEFAULTS.cell,
    hidden_size: int = DEFAULTS.hidden_size,
    layers: int = DEFAULTS.layers,
    dropout: float = 0.0,
    vocabulary_size: int = DEFAULTS.vocabulary_size,
    sequence_length: int = DEFAULTS.sequence_length,
    batch_size: int = DEFAULTS.batch_size,
    seed: int = DEFAULTS.seed,
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
        The fraction of hidden states dropped between layers, the same ones in all evaluations.
    seed : int
        The seed of the parameters, the text, the carried state and the dropout masks.
    carried_state : bool, default True
        Whether the sequence starts from a random state instead of zero.
    text : ndarray of int, shape (T + 1,) or (T + 1, B), optional
        The sequence to read, each character in ``range(vocabulary_size)``. A random one if None.
    mistake : {"clipping", "float32", "state"}, optional
        A common mistake to make, so that a correct gradient looks wrong (see Notes).
    step : float, optional
        The step of the central difference; None: chosen for each entry.

    Returns
    -------
    GradientCheck

    Notes
    -----
    The loss is computed by `server.rnn.reference`, from the definitions, and not by the network
    under test. The check therefore covers the forward pass too.

    The complex-step derivative [1]_ ``Im L(theta + i h) / h`` subtracts no close numbers, so `h`
    can be so small that the result is exact up to rounding. The loss must be analytic in every
    parameter, which it is.

    The central difference is of sixth order. The usual difference of second order needs a step so
    small that rounding changes the smallest gradients by up to a thousandth. Where the loss curves
    too much within a step, a finer step is used. To reduce rounding further, the losses of each
    step of the sequence are subtracted before they are summed.

    The relative error of an entry is ``|a - n| / max(1e-6, |a| + |n|)``.

    The mistakes:

    - ``clipping``: the gradient is clipped, to a tenth of its greatest entry, before it is
      compared. A clipped gradient is not the gradient of the loss.
    - ``float32``: everything is computed with seven digits. The difference of two losses keeps only
      the few digits in which they differ. The complex step subtracts nothing and keeps all seven.
    - ``state``: each evaluation of the loss starts from the final state of the evaluation before
      it, as if the network carried its state. The losses are then values of different functions.

    References
    ----------
    .. [1] J. R. R. A. Martins, P. Sturdza and J. J. Alonso, "The complex-step derivative
       approximation", ACM Transactions on Mathematical Software 29(3), 2003.
    """
    random_network = make_random_network(
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
    analytic = random_network.gradients()
    if mistake == "clipping":
        limit = CLIPPED_TO * max(float(np.abs(g).max()) for g in analytic.values())
        analytic = {name: np.clip(g, -limit, limit) for name, g in analytic.items()}
    carried = mistake == "state"
    return GradientCheck(
        parameters=tuple(
            _check(random_network, name, gradient, step, carried=carried)
            for name, gradient in analytic.items()
        ),
        dtype=str(random_network.dtype),
    )


def _check(
    random_network: RandomNetwork, name: str, analytic: Array, step: float | None, *, carried: bool
) -> ParameterCheck:
    exact = complex_step(random_network, name, carried=carried)
    if step is None:
        central = fitted_difference(random_network, name, carried=carried)
    else:
        central = central_difference(random_network, name, step, carried=carried)
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
