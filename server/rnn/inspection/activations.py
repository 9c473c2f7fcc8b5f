"""The activations of all units, and the logits, while a model reads texts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells.stack import make_layers
from server.rnn.model import Model
from server.rnn.parameters import Array, Parameters

STEPS_AT_ONCE = 128
"""T of the network that reads; longer texts are read in parts, which bounds its memory."""


@dataclass(frozen=True, slots=True)
class Activations:
    """The activations of a model that read texts in parallel.

    Attributes
    ----------
    hidden : ndarray of shape (layers, B, n, m)
        ``h_t`` of each layer after each character.
    logits : ndarray of shape (B, n, K) or None
        ``o_t = V h_t + c``, of the character that follows each character; None if not wanted.
    """

    hidden: Array
    logits: Array | None


@np.errstate(all="ignore")
def read_activations(
    model: Model, texts: NDArray[np.integer], *, carried: bool = True, logits: bool = True
) -> Activations:
    """Read texts, and return all activations. There is no dropout.

    Parameters
    ----------
    model : Model
        Of any cell. Its parameters may have diverged; then the results are not finite.
    texts : ndarray of int, shape (B, n)
        Each index in ``range(K)``.
    carried : bool, default True
        Whether every text starts from the model's own state; otherwise from a zero state. In
        training a zero state occurs only at the start of an epoch, so after one the activations
        may be unusual for thousands of characters.
    logits : bool, default True
        Whether to compute the logits, which take ``B n K`` numbers.

    Raises
    ------
    ValueError
        If `texts` has no character, or an index is not in ``range(K)``.
    """
    K, (streams, length) = model.vocabulary_size, texts.shape
    if not texts.size or not 0 <= int(texts.min()) <= int(texts.max()) < K:
        raise ValueError("The text is empty, or has an index that is not in the vocabulary.")
    sizes = model.architecture
    parameters = Parameters(sizes.parameter_shapes, model.dtype)
    for name, view in parameters.items():
        view[...] = model.parameters[name]
    T = min(length, STEPS_AT_ONCE)
    characters, layers = make_layers(sizes, parameters, parameters.like(), T, streams)
    for number, layer in enumerate(layers):
        layer.refresh()
        for symbol, view in layer.state.items():
            view[:] = model.state[sizes.name(symbol, number)] if carried else 0.0
    m = sizes.hidden_size
    hidden = np.empty((sizes.layers, streams, length, m), dtype=model.dtype)
    o = np.empty((streams, length, K), dtype=model.dtype) if logits else None
    Vc_T = parameters.stack("V", "c")
    x = characters.x.reshape(T, streams)
    for start in range(0, length, T):
        # The last part may be shorter. What follows it is not used.
        n = min(T, length - start)
        x[:n] = texts[:, start : start + n].T
        for number, layer in enumerate(layers):
            layer.forward()
            hidden[number, :, start : start + n] = layer.hidden[1 : n + 1, :, :m].transpose(1, 0, 2)
        if o is not None:
            outputs = layers[-1].outputs[: n * streams] @ Vc_T
            o[:, start : start + n] = outputs.reshape(n, streams, K).transpose(1, 0, 2)
        for layer in layers:
            for symbol, view in layer.state.items():
                view[:] = layer.last_state[symbol]
    return Activations(hidden, o)
