"""Entropy of the characters of a text."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_TABLE_SIZE = 1 << 21
"""Maximum number of possible pairs of characters that are counted in one table."""

BLOCK_CHARACTERS = 1 << 20
"""Size of the parts in which a text is counted, which bounds the memory."""


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
    counts = np.zeros(sys.maxunicode + 1, dtype=np.int64)
    for code_points in _blocks(text):
        found = np.bincount(code_points)
        counts[: len(found)] += found
    present = np.flatnonzero(counts)
    index_of = np.zeros(len(counts), dtype=np.int64)
    index_of[present] = np.arange(len(present))
    pairs = _count_pairs(text, index_of, len(present))
    unigram = _entropy(counts)
    # All but the last character are followed by another one.
    counts[ord(text[-1])] -= 1
    # Rounding may make an entropy of 0 slightly negative.
    bigram = max(0.0, _entropy(pairs) - _entropy(counts))
    return Entropy(float(np.log(len(present))), unigram, bigram)


def _blocks(text: str, overlap: int = 0) -> Iterator[npt.NDArray[np.uint32]]:
    """Yield the code points of a text in parts; each has so many characters of the next one."""
    for start in range(0, len(text), BLOCK_CHARACTERS):
        part = text[start : start + BLOCK_CHARACTERS + overlap]
        yield np.frombuffer(part.encode("utf-32-le"), dtype="<u4")


def _count_pairs(text: str, index_of: npt.NDArray[np.int64], distinct: int) -> npt.NDArray[Any]:
    """Count how often each pair of adjacent characters occurs, in the order of their indices."""
    possible = distinct**2
    blocks = (index_of[code_points] for code_points in _blocks(text, overlap=1))
    pairs = (indices[:-1] * distinct + indices[1:] for indices in blocks)
    if possible <= MAX_TABLE_SIZE:
        counts = np.zeros(possible, dtype=np.int64)
        for block in pairs:
            counts += np.bincount(block, minlength=possible)
        return counts
    found = np.empty(len(text) - 1, dtype=np.min_scalar_type(possible - 1))
    start = 0
    for block in pairs:
        found[start : start + len(block)] = block
        start += len(block)
    found.sort()
    ends = np.flatnonzero(found[1:] != found[:-1])
    return np.diff(ends, prepend=-1, append=len(found) - 1)


def _entropy(counts: npt.NDArray[Any]) -> float:
    """Return -sum p ln p of the distribution with these counts, 0 if there are none."""
    counts = counts[counts > 0]
    if not len(counts):
        return 0.0
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())
