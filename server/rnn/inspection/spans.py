"""Where units fire: the units that are active in a stretch of text, and other places like it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.parameters import Array

Booleans = NDArray[np.bool_]

PART = 4096
"""Characters whose runs are computed at a time, which bounds the memory."""


def active_throughout(
    h: Array, start: int, end: int, threshold: float, *, edges: bool = False
) -> NDArray[np.int8]:
    """Return the units that are active at every character of a stretch.

    A unit is active where ``h`` is greater than the threshold, or where it is less than minus the
    threshold: the sign of a unit has no meaning of its own. It must have the same sign throughout.

    Parameters
    ----------
    h : ndarray of shape (n, m)
        The activations of the units while the network reads a text.
    start, end : int
        The stretch: the characters ``start``, ..., ``end - 1``, at least one.
    threshold : float
        At least 0.
    edges : bool, default False
        Whether a unit must not be active, with this sign, just before and just after the stretch.
        Where the text begins or ends there, nothing is required.

    Returns
    -------
    ndarray of int8, shape (m,)
        1 or -1, the sign of each unit that is active throughout; 0 for the others.
    """
    signs = np.zeros(h.shape[1], dtype=np.int8)
    for sign in (1, -1):
        active = sign * h > threshold
        chosen = active[start:end].all(axis=0)
        if edges:
            for outside in (start - 1, end):
                if 0 <= outside < len(h):
                    chosen &= ~active[outside]
        signs[chosen] = sign
    return signs


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text in which the same units are active throughout.

    Attributes
    ----------
    start, end : int
        The characters ``start``, ..., ``end - 1``.
    units : tuple of int
        The units, as columns of the matrix that was searched.
    """

    start: int
    end: int
    units: tuple[int, ...]


def find_spans(active: Booleans, limit: int, least: int = 1) -> list[Span]:
    """Return the spans in which most units are active, those with most units first.

    The span of a character is the longest stretch around it throughout which all units are active
    that are active at the character itself. Spans with the same number of units are in the order of
    their lengths, the longest first, then of their positions. A span that overlaps with one before
    it is left out.

    Parameters
    ----------
    active : ndarray of bool, shape (n, k)
        Whether each unit is active at each character; n is at least 1.
    limit : int
        How many spans to return, at most.
    least : int, default 1
        The units that a span must have, at least 1.
    """
    counts = np.count_nonzero(active, axis=1)
    starts, ends = _extents(active)
    candidates = np.flatnonzero(counts >= max(least, 1))
    # One character of each span; others of the same span have the same extent and number of units.
    keys = np.stack([-counts, starts - ends, starts])[:, candidates]
    _, first = np.unique(keys, axis=1, return_index=True)
    spans: list[Span] = []
    taken = np.zeros(len(active), dtype=bool)
    for t in candidates[first].tolist():
        if len(spans) == limit:
            break
        start, end = int(starts[t]), int(ends[t])
        if not taken[start:end].any():
            taken[start:end] = True
            spans.append(Span(start, end, tuple(np.flatnonzero(active[t]).tolist())))
    return spans


def _extents(active: Booleans) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the start and the end of the span of each character."""
    starts = np.concatenate(list(_starts(active)))
    # Backwards, a span starts where it ends.
    ends = len(active) - np.concatenate(list(_starts(active[::-1])))[::-1]
    return starts, ends


def _starts(active: Booleans) -> Iterator[NDArray[np.intp]]:
    """Yield, part by part, the first character of the span of each character."""
    n, k = active.shape
    run_starts = np.zeros(k, dtype=np.intp)
    for begin in range(0, n, PART):
        part = active[begin : begin + PART]
        characters = np.arange(begin, begin + len(part))[:, None]
        # Where a unit is not active, its next run starts one character later at the earliest.
        each = np.where(part, 0, characters + 1)
        each[0] = np.maximum(each[0], run_starts)
        np.maximum.accumulate(each, axis=0, out=each)
        run_starts = each[-1]
        yield np.where(part, each, 0).max(axis=1, initial=0)
