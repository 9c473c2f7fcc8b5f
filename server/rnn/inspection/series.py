"""The activations of all units while a model reads a long text."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.rnn.inspection.activations import read_activations
from server.rnn.model import Model

__all__ = ["cut_parts", "read_parts", "read_series"]

Floats: TypeAlias = NDArray[np.floating]
Indices: TypeAlias = NDArray[np.integer]

STREAMS, MIN_PART = 64, 200
"""A text is read in at most so many parts, each of at least so many characters."""

READ_AT_ONCE = 32
"""The parts that are read in parallel; their states are in memory twice."""


def cut_parts(indices: Indices, warm_up: int) -> Indices:
    """Cut a long text into parts of equal length that can be read in parallel.

    Parameters
    ----------
    indices : ndarray of int, shape (warm_up + n,)
        The text, n at least 1.
    warm_up : int
        How many of the preceding characters each part begins with. Most networks then no longer
        depend on where the part begins. One that oscillates whatever it reads keeps the phase that
        it happened to start with; it may differ from part to part.

    Returns
    -------
    ndarray of int, shape (parts, warm_up + length)
        ``parts * length`` is at least n: the last character is repeated as often as needed.
    """
    n = len(indices) - warm_up
    parts = max(1, min(STREAMS, n // MIN_PART))
    length = -(-n // parts)
    steps = np.arange(parts)[:, None] * length + np.arange(warm_up + length)
    return np.asarray(indices[np.minimum(steps, len(indices) - 1)])


def read_parts(model: Model, parts: Indices, warm_up: int) -> Floats:
    """Return the hidden states of all units while a model reads the parts of a text.

    Parameters
    ----------
    model : Model
        Of any cell.
    parts : ndarray of int, shape (parts, warm_up + length)
        From `cut_parts`, or some of these.
    warm_up : int
        How many characters of each part are read without a result.

    Returns
    -------
    ndarray of shape (layers m, parts length)
        ``h_t`` of each unit after each character, one part after the other; the units of the first
        layer first.
    """
    sizes, length = model.architecture, parts.shape[1] - warm_up
    shape = sizes.layers, sizes.hidden_size, len(parts), length
    series = np.empty(shape, dtype=model.dtype)
    for start in range(0, len(parts), READ_AT_ONCE):
        some = slice(start, start + READ_AT_ONCE)
        hidden = read_activations(model, parts[some], logits=False).hidden[:, :, warm_up:]
        series[:, :, some] = hidden.transpose(0, 3, 1, 2)
        del hidden
    return series.reshape(sizes.layers * sizes.hidden_size, -1)


def read_series(model: Model, indices: Indices, warm_up: int) -> Floats:
    """Return the hidden states of all units while a model reads a long text.

    Parameters
    ----------
    model : Model
        Of any cell.
    indices : ndarray of int, shape (warm_up + n,)
        The text, n at least 1.
    warm_up : int
        How many characters at its beginning are read without a result.

    Returns
    -------
    ndarray of shape (layers m, n)
        As for `read_parts`.
    """
    n = len(indices) - warm_up
    return read_parts(model, cut_parts(indices, warm_up), warm_up)[:, :n]
