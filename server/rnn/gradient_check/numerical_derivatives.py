"""Two numerical derivatives of the loss, of every entry of a parameter."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from server.rnn.gradient_check.random_network import RandomNetwork
from server.rnn.gradient_check.reference_network import Change, ReferenceNetwork
from server.rnn.parameters import Array

Matrix = NDArray[np.float64]

# So small that its square is nothing beside 1, so that the derivative is exact to rounding.
COMPLEX_STEP = 1e-30

# Balances the truncation of a sixth-order difference, proportional to the sixth power of the
# step, against the rounding of the losses, proportional to its inverse.
CENTRAL_STEP = 5e-3

# Where the orders of the difference disagree by more than this share, a finer step is tried.
_DISAGREEMENT = 3e-6
_FINER_STEPS = (CENTRAL_STEP / 4, CENTRAL_STEP / 16)
# Below this size a gradient's error is measured against this instead.
FLOOR = 1e-6

# So many numbers of a gate, over copies and streams, fill the caches without flooding them.
_MOST_NUMBERS = 30_000

# Given a step, the losses (P, T, B) of the copies to which it is added.
_Losses = Callable[[complex], Array]


def complex_step(
    specimen: RandomNetwork, name: str, step: float = COMPLEX_STEP, *, carried: bool = False
) -> Matrix:
    """Return the complex-step derivative ``Im L(theta + i h) / h``.

    Parameters
    ----------
    specimen : RandomNetwork
    name : str
        The parameter.
    step : float
        h.
    carried : bool
        Whether each evaluation begins, mistakenly, from the state that the one before it left.

    Returns
    -------
    ndarray of float64
        In the parameter's shape.
    """

    def derivative(losses: _Losses) -> Array:
        return np.asarray(losses(1j * step).imag.sum(axis=(1, 2)) / step)

    return _derivatives(specimen, name, derivative, carried=carried)


def central_difference(
    specimen: RandomNetwork, name: str, step: float = CENTRAL_STEP, *, carried: bool = False
) -> Matrix:
    """Return the central difference of sixth order.

    It is Richardson's extrapolation of three steps [1]_, with ``D(h) = L(h) - L(-h)``::

        (45 D(h) - 9 D(2h) + D(3h)) / 60 h

    Parameters
    ----------
    specimen, name, step, carried
        As for `complex_step`.

    Returns
    -------
    ndarray of float64
        In the parameter's shape.

    References
    ----------
    .. [1] B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
       Mathematics of Computation 51(184), 1988, table 1.
    """
    return _derivatives(
        specimen, name, lambda losses: _two_orders(losses, step)[0], carried=carried
    )


def fitted_difference(specimen: RandomNetwork, name: str, *, carried: bool = False) -> Matrix:
    """Return the central difference, with a step that is fine enough for every entry.

    Where a loss bends much within three steps, as it may with several layers of a unit or two, the
    differences of fourth and sixth order disagree. There steps a fourth and a sixteenth as long
    are tried, and the one at which they disagree least is taken. Everywhere else a finer step would
    only add to the rounding.

    Parameters
    ----------
    specimen, name, carried
        As for `complex_step`.

    Returns
    -------
    ndarray of float64
        In the parameter's shape.
    """

    def derivative(losses: _Losses) -> Array:
        found, apart = _two_orders(losses, CENTRAL_STEP)
        for step in _FINER_STEPS:
            if (apart <= _DISAGREEMENT).all():
                break
            other, other_apart = _two_orders(losses, step)
            better = (apart > _DISAGREEMENT) & (other_apart < apart)
            found = np.where(better, other, found)
            apart = np.where(better, other_apart, apart)
        return found

    return _derivatives(specimen, name, derivative, carried=carried)


def _two_orders(losses: _Losses, step: float) -> tuple[Array, Array]:
    """Return the difference of sixth order, and what share of it that of fourth is apart from it.

    That of fourth order, ``(8 D(h) - D(2h)) / 12 h``, comes from the same losses. What they are
    apart is taken for each loss by itself: in the sum it may cancel by chance.
    """
    d1, d2, d3 = (losses(n * step) - losses(-n * step) for n in (1.0, 2.0, 3.0))
    sixth = (45.0 * d1 - 9.0 * d2 + d3) / (60.0 * step)
    fourth = (8.0 * d1 - d2) / (12.0 * step)
    apart = np.sqrt(np.square(sixth - fourth).sum(axis=(1, 2)))
    total = np.asarray(sixth.sum(axis=(1, 2)))
    return total, apart / np.maximum(FLOOR, 2.0 * np.abs(total))


def textbook_difference(specimen: RandomNetwork, name: str, step: float) -> Matrix:
    """Return the central difference as it is usually taken, ``(L(h) - L(-h)) / 2 h``.

    Parameters
    ----------
    specimen, name, step
        As for `complex_step`.

    Returns
    -------
    ndarray of float64
        In the parameter's shape.
    """

    def derivative(losses: _Losses) -> Array:
        above, below = (losses(h).sum(axis=(1, 2)) for h in (step, -step))
        return np.asarray((above - below) / (2.0 * step))

    return _derivatives(specimen, name, derivative, carried=False)


def _derivatives(
    specimen: RandomNetwork, name: str, derivative: Callable[[_Losses], Array], *, carried: bool
) -> Matrix:
    shape = specimen.network.parameters[name].shape
    size = int(np.prod(shape))
    streams, sizes = specimen.network.batch_size, specimen.network.architecture
    at_once = max(1, _MOST_NUMBERS // (streams * sizes.hidden_size * sizes.gates))
    parts = []
    for start in range(0, size, at_once):
        flat = np.arange(start, min(start + at_once, size))
        losses = _losses(specimen, name, np.unravel_index(flat, shape), carried=carried)
        parts.append(derivative(losses))
    return (np.concatenate(parts) / streams).reshape(shape).astype(np.float64)


def _losses(
    specimen: RandomNetwork, name: str, entries: tuple[NDArray[np.intp], ...], *, carried: bool
) -> _Losses:
    network, x, y = specimen.network, specimen.x, specimen.y
    parameters = dict(network.parameters.items())
    state = specimen.state
    if carried:
        # The analytic gradient took a pass of its own.
        state = {symbol: view[None].copy() for symbol, view in network.last_state.items()}

    def losses(step: complex) -> Array:
        nonlocal state
        # A scalar of the network's own precision: float32 must stay so.
        kind = np.result_type(specimen.dtype, np.complex64 if isinstance(step, complex) else "f4")
        typed = kind.type(step)
        change = Change(name=name, entries=entries, step=typed)
        definitions = ReferenceNetwork(network.architecture, parameters, network.masks, change)
        result, after = definitions.losses(state, x, y)
        if carried:
            state = {symbol: np.asarray(view.real) for symbol, view in after.items()}
        return result

    return losses
