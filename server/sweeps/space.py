"""The configurations that a sweep may try."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from server.sweeps.schemas import Scalar

__all__ = ["Choice", "Configuration", "Interval", "SearchSpace", "key_of"]

SIGNIFICANT_DIGITS = 4
"""Of a number that is drawn, so that it can be read and typed."""

Configuration = dict[str, Scalar]
"""A value for each parameter."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter with the values that are listed."""

    values: tuple[Scalar, ...]

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    @property
    def corners(self) -> tuple[Scalar, ...]:
        """The values that decide whether all are possible."""
        return self.values

    def all(self) -> Sequence[Scalar]:
        """Return all values."""
        return self.values

    def at(self, share: float) -> Scalar:
        """Return the value at a share of the list, from 0 and below 1."""
        return self.values[int(share * len(self.values))]


@dataclass(frozen=True, slots=True)
class Interval:
    """A parameter that is a number between two others, both included."""

    low: float
    high: float
    log: bool
    integer: bool

    @property
    def size(self) -> float:
        """How many values there are; infinite for real numbers."""
        return self.high - self.low + 1 if self.integer else math.inf

    @property
    def corners(self) -> tuple[Scalar, ...]:
        """The values that decide whether all are possible."""
        return (self.low, self.high)

    def all(self) -> Sequence[Scalar]:
        """Return all values; they must be integers."""
        return range(int(self.low), int(self.high) + 1)

    def at(self, share: float) -> Scalar:
        """Return the number at a share of the interval, from 0 and below 1.

        Integers have equal probabilities; on a logarithmic scale, those of their logarithms from
        n - 1/2 to n + 1/2.
        """
        margin = 0.5 if self.integer else 0.0
        low, high = self.low - margin, self.high + margin
        if self.log:
            return self.rounded(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
        return self.rounded(low + share * (high - low))

    def rounded(self, value: float) -> Scalar:
        """Return the nearest value that is short to write and in the interval."""
        if self.integer:
            return int(min(max(round(value), self.low), self.high))
        return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """All configurations: the product of the parameters."""

    parameters: Mapping[str, Choice | Interval]

    @property
    def size(self) -> float:
        """How many configurations there are; infinite with an interval of real numbers."""
        return math.prod(parameter.size for parameter in self.parameters.values())

    def corners(self) -> Iterator[Configuration]:
        """Yield the configurations of the ends of the intervals and of all listed values."""
        return self._product([each.corners for each in self.parameters.values()])

    def all(self) -> Iterator[Configuration]:
        """Yield all configurations; there must be no interval of real numbers."""
        return self._product([each.all() for each in self.parameters.values()])

    def _product(self, values: Sequence[Sequence[Scalar]]) -> Iterator[Configuration]:
        for each in itertools.product(*values):
            yield dict(zip(self.parameters, each, strict=True))


def key_of(configuration: Configuration) -> str:
    """Return a text that is the same for equal configurations only."""
    return json.dumps(configuration, sort_keys=True)
