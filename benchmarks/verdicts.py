"""Targets of measured figures, and whether they are met."""

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

__all__ = ["Verdict", "status"]

Comparison = Literal["under", "at most", "at least"]

COMPARISONS: dict[Comparison, Callable[[float, float], bool]] = {
    "under": operator.lt,
    "at most": operator.le,
    "at least": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measured figure and its target.

    Attributes
    ----------
    name : str
        The name of the figure, with its unit.
    value : float
        The figure; NaN if it could not be measured, which never meets the target.
    comparison : str
        The required relation of `value` to `limit`.
    limit : float
        In the same unit.
    """

    name: str
    value: float
    comparison: Comparison
    limit: float

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return not math.isnan(self.value) and COMPARISONS[self.comparison](self.value, self.limit)

    def __str__(self) -> str:
        found = "not measured" if math.isnan(self.value) else f"{self.value:,.4g}"
        word = "met" if self.met else "NOT met"
        return f"{self.name}: {found}, target {self.comparison} {self.limit:,.4g}: {word}."


def status(verdicts: Iterable[Verdict], console: Console) -> int:
    """Print verdicts; return the exit status: 1 if a target is not met."""
    found = list(verdicts)
    for verdict in found:
        console.print(str(verdict))
    return int(not all(verdict.met for verdict in found))
