"""Gradients compared with the right ones, entry by entry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDED", "SINGLE", "Precision", "agreement", "precision_of", "relative_errors"]

Matrix = NDArray[np.float64]
Gradients = dict[str, Matrix]


@dataclass(frozen=True, slots=True)
class Precision:
    """What can be asked of gradients computed with so many digits.

    Attributes
    ----------
    dtype : str
        float64 or float32.
    threshold : float
        Upper limit of the greatest relative error of a right gradient.
    floor : float
        The error of an entry is relative to at least this fraction of the greatest entry of its
        parameter, because the terms of a small entry may cancel.
    """

    dtype: Literal["float64", "float32"]
    threshold: float
    floor: float


DOUBLE = Precision("float64", 1e-6, 1e-5)
SINGLE = Precision("float32", 1e-3, 2e-2)
# Gradients that are rounded on the way, as by sums in float32, in a file of six digits or in a
# numerical derivative, agree with the right ones to this. No known mistake has so small an effect.
ROUNDED = 1e-4


def precision_of(sent: Gradients) -> Precision:
    """Return the precision of gradients; float32 if every number is one of float32."""
    with np.errstate(over="ignore"):
        single = all(np.array_equal(g, g.astype(np.float32)) for g in sent.values())
    return SINGLE if single else DOUBLE


def relative_errors(sent: Matrix, right: Matrix, precision: Precision) -> Matrix:
    """Return ``|a - b| / max(|a| + |b|, floor)`` of each entry, in the parameter's shape."""
    floor = max(precision.floor * float(np.abs(right).max()), 1e-12)
    return np.asarray(np.abs(sent - right) / np.maximum(np.abs(sent) + np.abs(right), floor))


def agreement(sent: Gradients, found: Gradients) -> float:
    """Return the greatest relative error over the parameters, each as one vector.

    It is ``|a - b| / max(|a|, |b|)`` with Euclidean norms, and 0 where both are 0.
    """
    worst = 0.0
    for name, a in sent.items():
        b = found[name]
        size = max(_norm(a), _norm(b))
        if size > 0.0:
            worst = max(worst, _norm(a - b) / size)
    return worst


def _norm(a: Matrix) -> float:
    """Return the Euclidean norm; for small matrices `np.linalg.norm` takes three times as long."""
    return math.sqrt(np.vdot(a, a))
