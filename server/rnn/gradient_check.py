"""Proof of the gradients: the analytic ones against two numerical derivatives of the loss."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.network import Network

Matrix = NDArray[np.float64]

# So small that its square is nothing beside 1, so that the derivative is exact to rounding.
COMPLEX_STEP = 1e-30

# Balances the truncation of a fourth-order difference, proportional to the fourth power of the
# step, against the rounding of the losses, proportional to its inverse.
CENTRAL_STEP = 1e-3

# Below this size a gradient's error is measured against this instead.
FLOOR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCheck:
    """How the gradient of one parameter fares.

    Attributes
    ----------
    name : str
        U, W, b, V or c.
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
        The type in which the analytic gradients were computed.
    complex_step_threshold, central_difference_threshold : float
        What the greatest relative errors must stay below.
    """

    parameters: tuple[ParameterCheck, ...]
    dtype: str = "float64"
    complex_step_threshold: float = 1e-9
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
    hidden_size: int = 20,
    vocabulary_size: int = 30,
    sequence_length: int = 10,
    seed: int = 0,
    carried_state: bool = True,
    text: NDArray[np.integer] | None = None,
) -> GradientCheck:
    r"""Check the analytic gradient of every entry of every parameter of a random network.

    Parameters
    ----------
    hidden_size, vocabulary_size, sequence_length : int
        m, K and T, each at least 1.
    seed : int
        Of the parameters, the text and the carried state.
    carried_state : bool, default True
        Whether the sequence begins from a random state instead of zero.
    text : ndarray of int, shape (sequence_length + 1,), optional
        The sequence to read, each character in ``range(vocabulary_size)``. A random one if None.

    Returns
    -------
    GradientCheck

    Notes
    -----
    The complex-step derivative [1]_ ``Im L(theta + i h) / h`` has no difference of close numbers
    in it, so that `h` can be so small that the result is exact but for rounding. It asks for a
    loss that is analytic in every parameter; this one is.

    The central difference is Richardson's extrapolation of two steps, of fourth order:
    ``(8 [L(h) - L(-h)] - [L(2h) - L(-2h)]) / 12 h``. The usual one of second order loses up to a
    thousandth of the smallest gradients to rounding, and would blame them for it. For the same
    reason the losses of each step of the sequence are subtracted before they are summed.

    The relative error of an entry is ``|a - n| / max(1e-6, |a| + |n|)``.

    References
    ----------
    .. [1] J. R. R. A. Martins, P. Sturdza and J. J. Alonso, "The complex-step derivative
       approximation", ACM Transactions on Mathematical Software 29(3), 2003.
    """
    rng = np.random.default_rng(SeedSequence(seed))
    sizes = vocabulary_size, hidden_size, sequence_length
    network, complex_network = Network(*sizes, np.float64), Network(*sizes, np.complex128)
    for view in network.parameters.values():
        # Large enough for every term to matter, small enough for tanh not to saturate.
        view[...] = rng.standard_normal(view.shape) / np.sqrt(view.shape[-1])
    if carried_state:
        network.state["h"][0] = rng.uniform(-1.0, 1.0, hidden_size)
    if text is None:
        text = rng.integers(0, vocabulary_size, sequence_length + 1)
    complex_network.parameters.flat[:] = network.parameters.flat
    complex_network.state["h"][:] = network.state["h"]

    x, y = text[:-1], text[1:]
    complex_step = _derivatives(
        complex_network.parameters.flat, _complex_step(complex_network, x, y)
    )
    central = _derivatives(network.parameters.flat, _central_difference(network, x, y))
    network.forward(x, y)
    network.backward()
    by_complex_step = network.parameters.like(complex_step)
    by_central_difference = network.parameters.like(central)
    return GradientCheck(
        parameters=tuple(
            ParameterCheck(
                name=name,
                analytic=analytic.copy(),
                complex_step_errors=relative_errors(analytic, by_complex_step[name]),
                central_difference_errors=relative_errors(analytic, by_central_difference[name]),
            )
            for name, analytic in network.gradients.items()
        )
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


def _derivatives(flat: NDArray[np.inexact], derivative: Callable[[int], float]) -> Matrix:
    return np.array([derivative(i) for i in range(flat.size)])


def _complex_step(
    network: Network, x: NDArray[np.integer], y: NDArray[np.integer]
) -> Callable[[int], float]:
    flat = network.parameters.flat

    def derivative(i: int) -> float:
        value = flat[i]
        flat[i] = value + 1j * COMPLEX_STEP
        loss = network.forward(x, y)
        flat[i] = value
        return float(loss.imag) / COMPLEX_STEP

    return derivative


def _central_difference(
    network: Network, x: NDArray[np.integer], y: NDArray[np.integer]
) -> Callable[[int], float]:
    flat = network.parameters.flat

    def derivative(i: int) -> float:
        value = flat[i]

        def losses(steps: float) -> Matrix:
            flat[i] = value + steps * CENTRAL_STEP
            network.forward(x, y)
            return network.losses.copy()

        near, far = losses(1) - losses(-1), losses(2) - losses(-2)
        flat[i] = value
        return float((8.0 * near - far).sum()) / (12.0 * CENTRAL_STEP)

    return derivative
