"""The surprisal of a text: the probability that a model gave to each of its characters."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.sampling.inference import Stepper

Floats: TypeAlias = NDArray[np.float64]

MAX_LOGITS = 1 << 20


@dataclass(frozen=True, slots=True)
class Surprisal:
    """The surprisal of texts that a model read in parallel.

    Attributes
    ----------
    nats : ndarray of float64, shape (B, n - 1)
        ``-log p_t[y_t]`` of each character but the first of each text. It may be infinite or not
        a number if the parameters have diverged.
    top : ndarray of intp, shape (B, n - 1, k)
        The k characters that were most likely instead, the likeliest first.
    top_probabilities : ndarray of float64, shape (B, n - 1, k)
        Their probabilities.
    """

    nats: Floats
    top: NDArray[np.intp]
    top_probabilities: Floats


@np.errstate(all="ignore")
def surprisal(
    model: Model, texts: NDArray[np.integer], top: int = 3, *, carried: bool = False
) -> Surprisal:
    """Read texts, and return the surprisal of each character.

    As in training, the network reads the actual next character after each prediction ("teacher
    forcing"); there is no dropout. With p for the predicted probabilities and y for the next
    character, its surprisal is ``-log p[y]``, which is its term of the loss.

    Parameters
    ----------
    model : Model
    texts : ndarray of int, shape (B, n)
        Each index in ``range(K)``.
    top : int, default 3
        k, at least 0; cut to K.
    carried : bool, default False
        Whether to start from the model's own state, carried from its first stream; otherwise from a
        zero state, as at the start of an epoch.

    Raises
    ------
    ValueError
        If an index is not in ``range(K)``.

    Notes
    -----
    In the middle of a text, start some characters earlier from the model's own state. In training a
    zero state occurs only before the first character of an epoch; after one, the predictions may be
    poor for thousands of characters.
    """
    K = model.vocabulary_size
    if texts.size and not 0 <= int(texts.min()) <= int(texts.max()) < K:
        raise ValueError("The text contains an index that is not in the vocabulary.")
    streams, steps = texts.shape[0], max(texts.shape[1] - 1, 0)
    k = min(top, K)
    nats = np.empty((streams, steps))
    top_indices = np.empty((streams, steps, k), dtype=np.intp)
    probabilities = np.empty((streams, steps, k))
    stepper = Stepper(model, streams)
    if not carried:
        stepper.clear_state()
    # The logits of many steps are processed at once, in bounded memory.
    chunk = max(1, min(steps, MAX_LOGITS // (streams * K)))
    logits = np.empty((streams, chunk, K))
    for start in range(0, steps, chunk):
        end = min(start + chunk, steps)
        for t in range(start, end):
            logits[:, t - start] = stepper.step(texts[:, t])
        log_p = log_softmax(logits[:, : end - start])
        targets = texts[:, start + 1 : end + 1, None]
        nats[:, start:end] = -np.take_along_axis(log_p, targets, axis=2)[..., 0]
        best = likeliest(log_p, k)
        top_indices[:, start:end] = best
        probabilities[:, start:end] = np.exp(np.take_along_axis(log_p, best, axis=2))
    return Surprisal(nats, top_indices, probabilities)


def log_softmax(logits: Floats) -> Floats:
    """Return log p over the last axis.

    Subtracting the greatest logit prevents overflow.

    Parameters
    ----------
    logits : ndarray of float64, shape (..., K)
    """
    o = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(o - np.log(np.exp(o).sum(axis=-1, keepdims=True)))


def likeliest(log_p: Floats, k: int) -> NDArray[np.intp]:
    """Return the indices of the k greatest, the greatest first; of equals, the lower first.

    Parameters
    ----------
    log_p : ndarray of float64, shape (..., K)
        Logits have the same order.
    k : int
        At most K.

    Returns
    -------
    ndarray of intp, shape (..., k)
    """
    if k == 0:
        return np.empty((*log_p.shape[:-1], 0), dtype=np.intp)
    # With thousands of characters, sorting all would take longer than the network.
    candidates = np.sort(np.argpartition(-log_p, k - 1, axis=-1)[..., :k], axis=-1)
    order = np.argsort(-np.take_along_axis(log_p, candidates, axis=-1), axis=-1, kind="stable")
    return np.asarray(np.take_along_axis(candidates, order, axis=-1))
