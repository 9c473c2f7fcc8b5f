"""The network around the recurrent layers: output, loss, back-propagation, and AdaGrad.

`cell` is one of the modules beside this one. Arrays may have further axes before those given here,
so that many networks are computed at once.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an ndarray, or what computes like one
Arrays: TypeAlias = dict[str, Any]


def softmax(o: Array) -> Array:
    """Return e^o / sum e^o; less the greatest, no number is too large for e^o."""
    e = np.exp(o - o.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def split_layers(arrays: Arrays) -> dict[str, Arrays]:
    """Group arrays by layer: of U1, W1, U2, W2 and V, "1" gets U and W, and "2" gets U and W."""
    layers: dict[str, Arrays] = {}
    for name, array in arrays.items():
        symbol = name.rstrip("0123456789")
        layers.setdefault(name[len(symbol) :], {})[symbol] = array
    if len(layers) > 1:
        layers.pop("", None)
    return layers


def forward(
    cell: ModuleType, parameters: Arrays, x: Array, state: Arrays, *, masks: Arrays | None = None
) -> tuple[list[Array], Arrays, Arrays]:
    """Read a sequence.

    Parameters
    ----------
    cell : module
    parameters : dict of str to ndarray
        U, W, b, V and c; with several layers U1, W1, b1, U2, ..., V and c.
    x : ndarray of shape (T, K)
        The characters, one-hot.
    state : dict of str to ndarray of shape (m,)
        The state before the sequence: h, or h1, h2, ...; with LSTM cells c, too.
    masks : dict of str to ndarray of shape (T, m), optional
        The factors of the inputs of layers "2", "3", ..., for dropout.

    Returns
    -------
    p : list of ndarray of shape (K,)
        The probabilities of the next character after each step.
    after : dict of str to ndarray of shape (m,)
        The state after the sequence.
    steps : dict
        What each layer's `forward` returned.
    """
    V, c, states = parameters["V"], parameters["c"], split_layers(state)
    T, inputs, after, steps = len(x), x, Arrays(), Arrays()
    for layer, own in split_layers(parameters).items():
        if masks and layer in masks:
            inputs = [mask * h for mask, h in zip(masks[layer], inputs, strict=True)]
        steps[layer] = cell.forward(own, inputs, states[layer])
        inputs = [steps[layer]["h"][t] for t in range(T)]
        after |= {symbol + layer: steps[layer][symbol][T - 1] for symbol in cell.STATES}
    o = [V @ h + c for h in inputs]
    p = [softmax(o_t) for o_t in o]
    return p, after, steps


def losses(p: list[Array], y: Array) -> list[Array]:
    """Return the cross-entropy -log p_t[y_t] of each step, in nats."""
    return [-np.log(p_t @ y_t) for p_t, y_t in zip(p, y, strict=True)]


def backward(
    cell: ModuleType,
    parameters: Arrays,
    steps: Arrays,
    p: list[Array],
    y: Array,
    *,
    masks: Arrays | None = None,
) -> Arrays:
    """Return the gradient of the summed losses with respect to each parameter.

    Parameters
    ----------
    cell, parameters, masks
        As in `forward`.
    steps, p
        What `forward` returned.
    y : ndarray of shape (T, K)
        The character after each of x, one-hot.
    """
    layers, V = split_layers(parameters), parameters["V"]
    h, e, gradients = steps[list(layers)[-1]]["h"], np.zeros((len(y), V.shape[1])), Arrays()
    dV, dc = np.zeros_like(V), np.zeros_like(parameters["c"])
    for t in range(len(y)):
        do = p[t] - y[t]
        dV += np.outer(do, h[t])
        dc += do
        e[t] = V.T @ do
    for layer in reversed(layers):
        own_gradients, e = cell.backward(layers[layer], steps[layer], e)
        gradients |= {symbol + layer: gradient for symbol, gradient in own_gradients.items()}
        if masks and layer in masks:
            e = masks[layer] * e
    gradients |= {"V": dV, "c": dc}
    return {name: gradients[name] for name in parameters}


def loss_and_gradients(
    cell: ModuleType, parameters: Arrays, x: Array, y: Array, state: Arrays
) -> tuple[float, Arrays, Arrays]:
    """Return the loss of a sequence, its gradients, and the state after it."""
    p, after, steps = forward(cell, parameters, x, state)
    return sum(losses(p, y)), backward(cell, parameters, steps, p, y), after


def zero_state(cell: ModuleType, parameters: Arrays) -> Arrays:
    """Return the state at the start of an epoch."""
    return {
        symbol + layer: np.zeros(own["W"].shape[1])
        for layer, own in split_layers(parameters).items()
        for symbol in cell.STATES
    }


def train(
    cell: ModuleType,
    parameters: Arrays,
    text: Array,
    T: int,
    *,
    eta: float = 0.1,
    clip: float = 5.0,
) -> Iterator[tuple[float, Arrays, int]]:
    """Learn from a text with AdaGrad, T characters an update; `parameters` change in place.

    The state is carried to the next update. An epoch ends when fewer than T + 1 characters are
    left; the next one starts with a zero state.

    Yields
    ------
    loss : float
        The loss of the update, before the parameters changed.
    state : dict of str to ndarray of shape (m,)
        The state that the next update starts from.
    position : int
        The index in the text of its first character.
    """
    one_hot, position, state = np.eye(len(parameters["c"])), 0, zero_state(cell, parameters)
    memory = {name: np.zeros_like(parameter) for name, parameter in parameters.items()}
    while True:
        x = one_hot[text[position : position + T]]
        y = one_hot[text[position + 1 : position + T + 1]]
        loss, gradients, state = loss_and_gradients(cell, parameters, x, y, state)
        for name, gradient in gradients.items():
            g = np.clip(gradient, -clip, clip)
            memory[name] += g**2
            parameters[name][...] -= eta * g / np.sqrt(memory[name] + 1e-8)
        position += T
        if len(text) - position < T + 1:
            position, state = 0, zero_state(cell, parameters)
        yield loss, state, position


def sample(
    cell: ModuleType,
    parameters: Arrays,
    state: Arrays,
    first: int,
    *,
    n: int,
    rng: np.random.Generator,
) -> list[int]:
    """Write n characters after the character `first`, which is not among them."""
    one_hot, text = np.eye(len(parameters["c"])), [first]
    for _ in range(n):
        (p,), state, _ = forward(cell, parameters, one_hot[text[-1:]], state)
        text.append(int(rng.choice(len(p), p=p)))
    return text[1:]
