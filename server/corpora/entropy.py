"""Entropy of the characters of a text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_TABLE_SIZE = 1 << 24
"""Maximum number of possible pairs of characters that are counted in one table."""


@dataclass(frozen=True, slots=True)
class Entropy:
    """Entropy of a text's characters, in nats per character.

    These are the losses of three baselines: guessing uniformly, knowing the
    character frequencies, and also knowing the previous character. A recurrent
    network should get below all three.

    Attributes
    ----------
    uniform : float
        ln K: all K characters are equally likely.
    unigram : float
        H(x), from the frequency of each character.
    bigram : float
        H(x_t | x_{t-1}), given the previous character.
    """

    uniform: float
    unigram: float
    bigram: float


def measure_entropy(text: str) -> Entropy:
    """Measure the entropy of a text's characters.

    The bigram entropy is H(x_{t-1}, x_t) - H(x_{t-1}) over all adjacent pairs.

    Parameters
    ----------
    text : str
        At least one character, no surrogates.

    Returns
    -------
    Entropy
        In nats per character.

    References
    ----------
    C. E. Shannon, "Prediction and Entropy of Printed English", Bell System
    Technical Journal 30 (1951).
    """
    code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    counts = np.bincount(code_points)
    present = np.flatnonzero(counts)
    index_of = np.zeros(len(counts), dtype=np.int64)
    index_of[present] = np.arange(len(present))
    indices = index_of[code_points]
    pairs = _count(indices[:-1] * len(present) + indices[1:], len(present) ** 2)
    # Rounding may make an entropy of 0 slightly negative.
    bigram = max(0.0, _entropy(pairs) - _entropy(np.bincount(indices[:-1])))
    return Entropy(float(np.log(len(present))), _entropy(counts), bigram)


def _count(values: npt.NDArray[np.int64], possible: int) -> npt.NDArray[Any]:
    """Count how often each value below `possible` occurs."""
    if possible <= MAX_TABLE_SIZE:
        return np.bincount(values)
    return np.unique(values, return_counts=True)[1]


def _entropy(counts: npt.NDArray[Any]) -> float:
    """Return -sum p ln p of the distribution with these counts, 0 if there are none."""
    counts = counts[counts > 0]
    if not len(counts):
        return 0.0
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())
