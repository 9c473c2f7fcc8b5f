"""What is asked of a measured figure, and whether it is so."""

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

__all__ = ["Verdict", "status"]

Asked = Literal["under", "at most", "at least"]

HOLDS: dict[Asked, Callable[[float, float], bool]] = {
    "under": operator.lt,
    "at most": operator.le,
    "at least": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure, and what is asked of it.

    Attributes
    ----------
    name : str
        What was measured, with its unit.
    value : float
        The figure; NaN where nothing could be measured, which is never what is asked.
    asked : str
        How it must stand to `limit`.
    limit : float
        In the same unit.
    """

    name: str
    value: float
    asked: Asked
    limit: float

    @property
    def met(self) -> bool:
        """Whether it is as asked."""
        return not math.isnan(self.value) and HOLDS[self.asked](self.value, self.limit)

    def __str__(self) -> str:
        found = "not measured" if math.isnan(self.value) else f"{self.value:,.4g}"
        word = "met" if self.met else "NOT met"
        return f"{self.name}: {found}, asked {self.asked} {self.limit:,.4g}: {word}."


def status(verdicts: Iterable[Verdict], console: Console) -> int:
    """Print verdicts; return the exit status: 1 where something asked is not met."""
    found = list(verdicts)
    for verdict in found:
        console.print(str(verdict))
    return int(not all(verdict.met for verdict in found))
