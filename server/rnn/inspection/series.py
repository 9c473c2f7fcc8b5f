"""The activations of all units while a model reads a long text."""

import numpy as np
from numpy.typing import NDArray

from server.rnn.inspection.activations import read_activations
from server.rnn.model import Model
from server.rnn.parameters import Array

STREAMS, MIN_PART = 64, 200
"""A text is read in at most so many parts at once, each of at least so many characters."""


def read_series(model: Model, indices: NDArray[np.integer], warm_up: int) -> Array:
    """Return the activations of all units while a model reads a long text.

    The text is cut into parts, which are read in parallel. Before each part the network reads the
    characters that precede it, so that its state no longer depends on where the part begins.

    Parameters
    ----------
    model : Model
        Of any cell.
    indices : ndarray of int, shape (warm_up + n,)
        The text, n at least 1.
    warm_up : int
        How many characters are read before each part, without a result.

    Returns
    -------
    ndarray of shape (layers m, n)
        ``h_t`` of each unit after each character, the units of the first layer first.
    """
    n = len(indices) - warm_up
    streams = max(1, min(STREAMS, n // MIN_PART))
    length = -(-n // streams)
    steps = np.arange(streams)[:, None] * length + np.arange(warm_up + length)
    # What is read beyond the end is cut off below.
    texts = indices[np.minimum(steps, len(indices) - 1)]
    hidden = read_activations(model, texts, logits=False).hidden[:, :, warm_up:]
    layers, _, _, m = hidden.shape
    return hidden.transpose(0, 3, 1, 2).reshape(layers * m, streams * length)[:, :n]
