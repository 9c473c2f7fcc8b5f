"""Gradients through time: which earlier characters and states a prediction depends on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from server.rnn.architecture import Architecture
from server.rnn.cells.layer import Layer
from server.rnn.cells.stack import make_layers
from server.rnn.model import Model
from server.rnn.parameters import Array, Parameters


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that a model has read, with all that `Layer.pull_back` needs.

    Attributes
    ----------
    architecture : Architecture
    parameters : Parameters
    layers : list of Layer
        After `Layer.forward`, the lowest first.
    logits : ndarray of shape (T, K)
        ``o_t`` after each character.
    """

    architecture: Architecture
    parameters: Parameters
    layers: list[Layer]
    logits: Array


def read(
    model: Model,
    indices: NDArray[np.integer],
    dtype: DTypeLike | None = None,
    *,
    state: Mapping[str, Array] | None = None,
) -> Reading:
    """Read a text with a model, as one sequence.

    Parameters
    ----------
    model : Model
        It is copied.
    indices : ndarray of int, shape (T,)
        T is at least 1.
    dtype : dtype, optional
        The type of the computation; None: the model's.
    state : mapping of str to ndarray of shape (m,), optional
        The state before the text, by the architecture's `state_names`; None: zero.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.
    """
    sizes = model.architecture
    if not 0 <= int(indices.min()) <= int(indices.max()) < sizes.vocabulary_size:
        raise ValueError("The text contains an index that is not in the vocabulary.")
    dtype = model.dtype if dtype is None else dtype
    parameters = Parameters(sizes.parameter_shapes, dtype)
    for name, view in parameters.items():
        view[...] = model.parameters[name]
    characters, layers = make_layers(sizes, parameters, parameters.like(), len(indices), 1)
    characters.x[:] = indices
    for number, layer in enumerate(layers):
        if state is not None:
            for symbol, view in layer.state.items():
                view[:] = state[sizes.name(symbol, number)]
        layer.refresh()
        layer.forward()
    logits = layers[-1].outputs @ parameters.stack("V", "c")
    return Reading(sizes, parameters, layers, logits)


@np.errstate(all="ignore")
def saliency(
    model: Model,
    indices: NDArray[np.integer],
    *,
    state: Mapping[str, Array] | None = None,
) -> Array:
    """Return how much each prediction depends on each earlier character.

    With ``x_j`` for the one-hot input of character j, and ``o_{t-1}[k]`` for the logit that the
    network gives to character k after it has read character t - 1, row t has the norms of the
    gradients of the logit of the actual character ``k = indices[t]``::

        s[t, j] = || d o_{t-1}[indices[t]] / d x_j ||        for j < t, else 0

    All rows are carried back together, one step of the network at a time.

    Parameters
    ----------
    model : Model
    indices : ndarray of int, shape (n,)
        The text; n is at least 1.
    state : mapping of str to ndarray of shape (m,), optional
        The state before the text; None: zero.

    Returns
    -------
    ndarray of shape (n, n)
        Of the model's type. It may be infinite or not a number if the parameters have diverged.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.

    Notes
    -----
    The gradient with respect to ``x_j`` is the row ``d_a U`` of K numbers. If K is greater than the
    number of rows of U, its norm is that of ``d_a R^T``, with ``U^T = Q R`` [1]_.

    References
    ----------
    .. [1] G. H. Golub and C. F. Van Loan, "Matrix computations", 4th edition, 2013, section 5.2.
    """
    n = len(indices)
    norms = np.zeros((n, n), dtype=model.dtype)
    if n == 1:
        read(model, indices, state=state)
        return norms
    reading = read(model, indices[:-1], state=state)
    U = reading.parameters[reading.architecture.name("U", 0)]
    if U.shape[1] > U.shape[0] and np.isfinite(U).all():
        U = np.asarray(np.linalg.qr(U.T, mode="r")).T
    rows = reading.parameters["V"][indices[1:]]
    for j, _, d_a in _carry_back(reading, rows, np.arange(n - 1)):
        gradients = d_a @ U
        norms[-len(d_a) :, j] = np.sqrt(np.einsum("ij,ij->i", gradients, gradients))
    return norms


@np.errstate(all="ignore")
def gradient_by_lag(
    model: Model,
    indices: NDArray[np.integer],
    *,
    losses: int = 1,
    state: Mapping[str, Array] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return how much the last losses depend on the states 0, 1, 2, ... steps back.

    With ``L_t`` for the loss of the prediction after character t and s for one of the cell's
    states, such as h, the number of lag k is the norm of the gradient ``d L_t / d s_{t-k}``, as in
    backpropagation through time. Where the norms fall, the gradient vanishes; where they grow, it
    explodes [1]_.

    Parameters
    ----------
    model : Model
    indices : ndarray of int, shape (n,)
        The text; n is at least ``losses + 1``. The last character is only predicted.
    losses : int, default 1
        How many of the last predictions to take, at least 1.
    state : mapping of str to ndarray of shape (m,), optional
        The state before the text; None: zero.

    Returns
    -------
    dict of str to ndarray of float64, shape (layers, losses, n - losses)
        The norms by the symbol of the state, layer, loss and lag. It is computed in float64,
        because in float32 the squares of gradients that vanish are 0.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.

    References
    ----------
    .. [1] Y. Bengio, P. Simard and P. Frasconi, "Learning long-term dependencies with gradient
       descent is difficult", IEEE Transactions on Neural Networks 5(2), 1994.
    """
    reading = read(model, indices[:-1], np.float64, state=state)
    T = len(reading.logits)
    # The gradient of L_t with respect to the last layer's h_t is V^T (p_t - y_t).
    o = reading.logits[-losses:]
    p = np.exp(o - o.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(losses), indices[-losses:]] -= 1.0
    ends = np.arange(T - losses, T)
    shape = len(reading.layers), losses, T - losses + 1
    norms = {symbol: np.zeros(shape) for symbol in reading.layers[0].state}
    for j, states, d_a in _carry_back(reading, p @ reading.parameters["V"], ends):
        rows = np.arange(losses - len(d_a), losses)
        lags = ends[rows] - j
        kept = lags < shape[2]
        for layer, gradients in enumerate(states):
            for symbol, of_rows in gradients.items():
                norms[symbol][layer, rows[kept], lags[kept]] = np.linalg.norm(of_rows[kept], axis=1)
    return norms


def _carry_back(
    reading: Reading, rows: Array, ends: NDArray[np.integer]
) -> Iterator[tuple[int, list[dict[str, Array]], Array]]:
    """Carry the gradients of R numbers back through time, one step after the other.

    Parameters
    ----------
    reading : Reading
    rows : ndarray of shape (R, m)
        The gradient of each number with respect to the last layer's h at its own step.
    ends : ndarray of int, shape (R,)
        The step of each number, in ascending order.

    Yields
    ------
    j : int
        The step, from the last to 0.
    states : list of dict of str to ndarray of shape (r, m)
        The gradients of the last r numbers, those whose step is not before j, with respect to the
        states after step j, by layer and symbol.
    d_a : ndarray of shape (r, gates m)
        Their gradients with respect to the products of U and character j.
    """
    layers, parameters = reading.layers, reading.parameters
    U = [parameters[reading.architecture.name("U", number)] for number in range(len(layers))]
    states = [{symbol: np.zeros_like(rows) for symbol in layer.state} for layer in layers]
    for j in range(int(ends[-1]), -1, -1):
        first, after = np.searchsorted(ends, [j, j + 1])
        active = [{symbol: array[first:] for symbol, array in own.items()} for own in states]
        active[-1]["h"][: after - first] = rows[first:after]
        before: list[dict[str, Array]] = [{}] * len(layers)
        d_a = rows
        for number in reversed(range(len(layers))):
            if number + 1 < len(layers):
                active[number]["h"] += d_a @ U[number + 1]
            d_a, before[number] = layers[number].pull_back(j, active[number])
        yield j, active, d_a
        for own, own_before in zip(active, before, strict=True):
            for symbol, gradients in own_before.items():
                own[symbol][:] = gradients
