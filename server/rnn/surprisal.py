"""How surprising a text is to a model: what it expected, and what came."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.parameters import Array
from server.rnn.stepping import Stepper


@dataclass(frozen=True, slots=True)
class Surprisal:
    """What a model made of texts that it read side by side.

    Attributes
    ----------
    nats : ndarray of float64, shape (B, n - 1)
        ``-log p_t[y_t]`` of each character but the first of each text. It may be infinite or not
        a number, when the parameters have run away.
    top : ndarray of intp, shape (B, n - 1, k)
        The k characters that were likeliest in its place, the likeliest first.
    top_probabilities : ndarray of float64, shape (B, n - 1, k)
        How likely.
    """

    nats: NDArray[np.float64]
    top: NDArray[np.intp]
    top_probabilities: NDArray[np.float64]


@np.errstate(all="ignore")
def surprisal(model: Model, texts: NDArray[np.integer], top: int = 3) -> Surprisal:
    """Read texts from a zero state, and return how surprising each character was.

    The network is told what came after each guess, as in training ("teacher forcing"), and nothing
    is dropped between layers. With p for the probabilities after a character and y for the one
    that follows, the surprisal is ``-log p[y]``: the term of the loss that belongs to it.

    Parameters
    ----------
    model : Model
        Its own state is left out of account.
    texts : ndarray of int, shape (B, n)
        Each index in ``range(K)``.
    top : int, default 3
        k, at least 0; cut to K.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.
    """
    K = model.vocabulary_size
    if texts.size and not 0 <= int(texts.min()) <= int(texts.max()) < K:
        raise ValueError("The text holds an index that is not in the vocabulary.")
    streams, steps = texts.shape[0], max(texts.shape[1] - 1, 0)
    k = min(top, K)
    nats = np.empty((streams, steps))
    likeliest = np.empty((streams, steps, k), dtype=np.intp)
    probabilities = np.empty((streams, steps, k))
    stepper = Stepper(model, streams)
    stepper.clear_state()
    rows = np.arange(streams)
    for t in range(steps):
        log_p = _log_softmax(stepper.step(texts[:, t]))
        nats[:, t] = -log_p[rows, texts[:, t + 1]]
        best = _likeliest(log_p, k)
        likeliest[:, t] = best
        probabilities[:, t] = np.exp(np.take_along_axis(log_p, best, axis=1))
    return Surprisal(nats, likeliest, probabilities)


def _log_softmax(logits: Array) -> NDArray[np.float64]:
    """Return log p of each row; shifted by their greatest, the logits cannot overflow."""
    o = logits.astype(np.float64)
    o -= o.max(axis=1, keepdims=True)
    return np.asarray(o - np.log(np.exp(o).sum(axis=1, keepdims=True)))


def _likeliest(log_p: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the k greatest of each row, the greatest first; of equals, the lower index first."""
    if k == 0:
        return np.empty((len(log_p), 0), dtype=np.intp)
    # Of a script with thousands of characters, sorting all would take longer than the network.
    found = np.sort(np.argpartition(-log_p, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(log_p, found, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, axis=1))
