"""How surprising a text is to a model: what it expected, and what came."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.sampling.inference import Stepper

Floats: TypeAlias = NDArray[np.float64]

PIECE_NUMBERS = 1 << 20


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

    nats: Floats
    top: NDArray[np.intp]
    top_probabilities: Floats


@np.errstate(all="ignore")
def surprisal(
    model: Model, texts: NDArray[np.integer], top: int = 3, *, carried: bool = False
) -> Surprisal:
    """Read texts, and return how surprising each character was.

    The network is told what came after each guess, as in training ("teacher forcing"), and nothing
    is dropped between layers. With p for the probabilities after a character and y for the one
    that follows, the surprisal is ``-log p[y]``: the term of the loss that belongs to it.

    Parameters
    ----------
    model : Model
        As it stood.
    texts : ndarray of int, shape (B, n)
        Each index in ``range(K)``.
    top : int, default 3
        k, at least 0; cut to K.
    carried : bool, default False
        Whether to begin from the model's own state, which it carried to the next sequence of its
        first stream; otherwise from a zero state, as an epoch does.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.

    Notes
    -----
    In the middle of a text, begin from the model's own state, some characters before: training
    clears the state at nothing but the first character, and of a network that has hardly ever seen
    a zero state, what comes after one need not be of any sense for thousands of characters.
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
    if not carried:
        stepper.clear_state()
    # What a step's logits tell is worked out for many steps at once, in bounded memory.
    piece = max(1, min(steps, PIECE_NUMBERS // (streams * K)))
    logits = np.empty((streams, piece, K))
    for start in range(0, steps, piece):
        end = min(start + piece, steps)
        for t in range(start, end):
            logits[:, t - start] = stepper.step(texts[:, t])
        log_p = _log_softmax(logits[:, : end - start])
        came = texts[:, start + 1 : end + 1, None]
        nats[:, start:end] = -np.take_along_axis(log_p, came, axis=2)[..., 0]
        best = _likeliest(log_p, k)
        likeliest[:, start:end] = best
        probabilities[:, start:end] = np.exp(np.take_along_axis(log_p, best, axis=2))
    return Surprisal(nats, likeliest, probabilities)


def _log_softmax(logits: Floats) -> Floats:
    """Return log p over the last axis; shifted by their greatest, the logits cannot overflow."""
    o = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(o - np.log(np.exp(o).sum(axis=-1, keepdims=True)))


def _likeliest(log_p: Floats, k: int) -> NDArray[np.intp]:
    """Return the k greatest of the last axis, the greatest first; of equals, the lower index."""
    if k == 0:
        return np.empty((*log_p.shape[:-1], 0), dtype=np.intp)
    # Of a script with thousands of characters, sorting all would take longer than the network.
    found = np.sort(np.argpartition(-log_p, k - 1, axis=-1)[..., :k], axis=-1)
    order = np.argsort(-np.take_along_axis(log_p, found, axis=-1), axis=-1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, axis=-1))
