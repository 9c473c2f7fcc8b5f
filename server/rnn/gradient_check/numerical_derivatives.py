"""Numerical derivatives of the loss with respect to every entry of a parameter."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells import CELLS
from server.rnn.gradient_check.perturbation import Matrix as SharedMatrix
from server.rnn.gradient_check.perturbation import PerturbedMatrix, perturbed_vector
from server.rnn.gradient_check.random_network import RandomNetwork
from server.rnn.parameters import Array
from server.rnn.reference import network as reference

Matrix = NDArray[np.float64]

# So small that its square is negligible beside 1: the derivative is exact up to rounding.
COMPLEX_STEP = 1e-30

# Balances the truncation of a sixth-order difference, proportional to the sixth power of the
# step, against the rounding of the losses, proportional to its inverse.
CENTRAL_STEP = 5e-3

# If the fourth and sixth order differ by more than this fraction, finer steps are tried.
_DISAGREEMENT = 3e-6
_FINER_STEPS = (CENTRAL_STEP / 4, CENTRAL_STEP / 16)
# The error of a smaller gradient is relative to this instead.
FLOOR = 1e-6

# The numbers of the gates, or of the logits, over all copies of one stream, that fit in the
# processor's caches. This bounds the memory, too.
_MAX_NUMBERS = 30_000

# A function of a step: the losses (P, T, B) of the copies to which the step is added.
_Losses = Callable[[complex], Array]


def complex_step(
    random_network: RandomNetwork, name: str, step: float = COMPLEX_STEP, *, carried: bool = False
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
        Whether to make the mistake "state" (see `check.check_gradients`).

    Returns
    -------
    ndarray of float64
        In the parameter's shape.
    """

    def derivative(losses: _Losses) -> Array:
        return np.asarray(losses(1j * step).imag.sum(axis=(1, 2)) / step)

    return _derivatives(random_network, name, derivative, carried=carried)


def central_difference(
    random_network: RandomNetwork, name: str, step: float = CENTRAL_STEP, *, carried: bool = False
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
        random_network, name, lambda losses: _two_orders(losses, step)[0], carried=carried
    )


def fitted_difference(random_network: RandomNetwork, name: str, *, carried: bool = False) -> Matrix:
    """Return the central difference, with a step that is fine enough for every entry.

    Where the loss curves much within three steps, as it may with several layers of one or two
    units, the differences of fourth and sixth order disagree. There a quarter and a sixteenth of
    the step are tried, and the step with the least disagreement is used. Everywhere else a finer
    step would only increase rounding.

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
        best, disagreement = _two_orders(losses, CENTRAL_STEP)
        for step in _FINER_STEPS:
            if (disagreement <= _DISAGREEMENT).all():
                break
            other, other_disagreement = _two_orders(losses, step)
            better = (disagreement > _DISAGREEMENT) & (other_disagreement < disagreement)
            best = np.where(better, other, best)
            disagreement = np.where(better, other_disagreement, disagreement)
        return best

    return _derivatives(random_network, name, derivative, carried=carried)


def _two_orders(losses: _Losses, step: float) -> tuple[Array, Array]:
    """Return the difference of sixth order, and its relative disagreement with fourth order.

    The difference of fourth order, ``(8 D(h) - D(2h)) / 12 h``, needs no further losses. The
    disagreement is computed for each loss of the sequence, because in their sum it may cancel.
    """
    d1, d2, d3 = (losses(n * step) - losses(-n * step) for n in (1.0, 2.0, 3.0))
    sixth = (45.0 * d1 - 9.0 * d2 + d3) / (60.0 * step)
    fourth = (8.0 * d1 - d2) / (12.0 * step)
    disagreement = np.sqrt(np.square(sixth - fourth).sum(axis=(1, 2)))
    total = np.asarray(sixth.sum(axis=(1, 2)))
    return total, disagreement / np.maximum(FLOOR, 2.0 * np.abs(total))


def textbook_difference(random_network: RandomNetwork, name: str, step: float) -> Matrix:
    """Return the textbook's central difference, ``(L(h) - L(-h)) / 2 h``.

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

    return _derivatives(random_network, name, derivative, carried=False)


def _derivatives(
    random_network: RandomNetwork,
    name: str,
    derivative: Callable[[_Losses], Array],
    *,
    carried: bool,
) -> Matrix:
    shape = random_network.network.parameters[name].shape
    size = int(np.prod(shape))
    streams, sizes = random_network.network.batch_size, random_network.network.architecture
    widest = max(sizes.hidden_size * sizes.gates, sizes.vocabulary_size)
    at_once = max(1, _MAX_NUMBERS // widest)
    parts = []
    for start in range(0, size, at_once):
        flat = np.arange(start, min(start + at_once, size))
        losses = _losses(random_network, name, np.unravel_index(flat, shape), carried=carried)
        parts.append(derivative(losses))
    return (np.concatenate(parts) / streams).reshape(shape).astype(np.float64)


def _losses(
    random_network: RandomNetwork,
    name: str,
    entries: tuple[NDArray[np.intp], ...],
    *,
    carried: bool,
) -> _Losses:
    network, dtype = random_network.network, random_network.dtype
    cell = CELLS[network.architecture.cell].reference
    one_hot = np.eye(network.architecture.vocabulary_size, dtype=dtype)
    parameters: dict[str, Any] = {
        symbol: SharedMatrix(array) if array.ndim == 2 else array
        for symbol, array in network.parameters.items()
    }
    # The mistake starts from the state after the pass that computed the analytic gradient.
    whole = network.last_state if carried else random_network.state
    streams = range(network.batch_size)
    states = [{symbol: view[b].copy() for symbol, view in whole.items()} for b in streams]

    def losses(step: complex) -> Array:
        # A scalar of the network's precision, so that float32 stays float32.
        kind = np.result_type(dtype, np.complex64 if isinstance(step, complex) else "f4")
        changed = parameters | {
            name: _perturbed(network.parameters[name], entries, kind.type(step))
        }
        found = []
        for b in streams:
            masks = {f"{layer}": mask[:, b] for layer, mask in enumerate(network.masks, start=2)}
            x, y = one_hot[random_network.x[:, b]], one_hot[random_network.y[:, b]]
            p, after, _ = reference.forward(cell, changed, x, states[b], masks=masks)
            found.append(np.stack(reference.losses(p, y), axis=-1))
            if carried:
                states[b] = {symbol: np.asarray(view.real) for symbol, view in after.items()}
        return np.stack(found, axis=-1)

    return losses


def _perturbed(
    array: Array, entries: tuple[NDArray[np.intp], ...], step: np.number[Any]
) -> PerturbedMatrix | Array:
    if array.ndim == 1:
        return perturbed_vector(array, entries[0], step)
    rows, columns = entries
    return PerturbedMatrix(array, rows, columns, step)
