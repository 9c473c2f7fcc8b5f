"""Which mistakes give the gradients that were sent.

Every known mistake, and then every pair, is made on the same problem. A mistake is named when its
gradients agree with those sent in as many digits as they have. Rules of the ranking:

1. One mistake comes before two: pairs are tried only if no single one agrees.
2. The better agreement comes first; of one mistake, only the best variant counts.
3. All that agree are listed, because on this problem they cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from server.course.comparison import Gradients, Precision, agreement
from server.course.mistakes import (
    NETWORK,
    ConflictingMistakesError,
    Mistake,
    Variant,
    mistakes_of,
    patched,
)
from server.course.problem import Problem

__all__ = ["Diagnosis", "diagnose"]

MAX_NAMED = 6
# The greatest error of a candidate, times the precision's threshold.
LIMIT = 1.0
# A mistake that changes no parameter by more than this has no effect on the problem.
NO_EFFECT = 1e-9

# The order in which a student's own code would change right gradients: clipping comes last.
LAST = ("gate_order", "mean_instead_of_sum", "biases_doubled", "scaled", "clipped")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Mistakes that give the gradients that were sent.

    Attributes
    ----------
    mistakes : tuple of Mistake
        One, or two made together.
    variants : tuple of Variant
        How each of them was made.
    agreement : float
        The relative error of the gradients with these mistakes.
    """

    mistakes: tuple[Mistake, ...]
    variants: tuple[Variant, ...]
    agreement: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the mistakes."""
        return tuple(mistake.name for mistake in self.mistakes)


@np.errstate(all="ignore")
def diagnose(problem: Problem, sent: Gradients, precision: Precision) -> list[Diagnosis]:
    """Return the mistakes that agree with the gradients sent, the likeliest first.

    Parameters
    ----------
    problem : Problem
    sent : dict of str to ndarray of float64
        Some or all of the parameters' gradients, in their shapes, finite, and not all right.
    precision : Precision
        Theirs.
    """
    runs = _Runs(problem)
    mistakes = mistakes_of(problem.query.cell)
    for count in (1, 2):
        best: dict[tuple[str, ...], Diagnosis] = {}
        for made in combinations(mistakes, count):
            for found in _tried(runs, made, sent):
                if found.agreement < LIMIT * precision.threshold:
                    known = best.get(found.names)
                    if known is None or found.agreement < known.agreement:
                        best[found.names] = found
        if best:
            return sorted(best.values(), key=lambda found: found.agreement)[:MAX_NAMED]
    return []


def _tried(runs: _Runs, made: Sequence[Mistake], sent: Gradients) -> Iterator[Diagnosis]:
    for variants in _choices(made, runs.problem.query.cell):
        if len(variants) > 1 and not all(runs.has_effect(v) for v in variants):
            continue
        gradients = runs.gradients(variants, made, sent)
        if gradients is not None:
            yield Diagnosis(tuple(made), variants, agreement(sent, gradients))


def _choices(made: Sequence[Mistake], cell: str) -> Iterator[tuple[Variant, ...]]:
    first, *rest = (mistake.variants_for(cell) for mistake in made)
    if not rest:
        yield from ((variant,) for variant in first)
        return
    (second,) = rest
    for one in first:
        yield from ((one, other) for other in second)


class _Runs:
    """The gradients of a problem with mistakes."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._found: dict[tuple[int, ...], Gradients | None] = {}
        self._effects: dict[int, bool] = {}

    def has_effect(self, variant: Variant) -> bool:
        """Whether a mistake alone changes the gradients; those found from the data always may."""
        if variant.transform is not None:
            return True
        known = self._effects.get(id(variant))
        if known is None:
            found = self._run([variant])
            known = found is not None and agreement(self.problem.gradients, found) > NO_EFFECT
            self._effects[id(variant)] = known
        return known

    def gradients(
        self, variants: Sequence[Variant], made: Sequence[Mistake], sent: Gradients
    ) -> Gradients | None:
        """Return the gradients with mistakes; None if they cannot be made together."""
        found = self._run([v for v in variants if v.transform is None])
        transforms = [
            (LAST.index(mistake.name), variant.transform)
            for mistake, variant in zip(made, variants, strict=True)
            if variant.transform is not None
        ]
        for _, transform in sorted(transforms, key=lambda each: each[0]):
            if found is not None:
                found = transform(found, sent, self.problem)
        return found

    def _run(self, variants: Sequence[Variant]) -> Gradients | None:
        key = tuple(sorted(id(variant) for variant in variants))
        if key not in self._found:
            self._found[key] = self._computed(variants)
        return self._found[key]

    def _computed(self, variants: Sequence[Variant]) -> Gradients | None:
        problem = self.problem
        if not variants:
            return problem.gradients
        try:
            reference = patched(problem.query.cell, variants)
        except ConflictingMistakesError:
            return None
        _, gradients, _ = reference.network.loss_and_gradients(
            reference.cell, problem.parameters, *problem.one_hot, problem.state
        )
        return {name: np.asarray(gradient) for name, gradient in gradients.items()}


def changed_lines(variant: Variant, cell: str) -> list[tuple[str, str, str]]:
    """Return the module, the right line and the wrong line of each replacement."""
    return [
        (module, right, wrong)
        for module in (cell, NETWORK)
        for right, wrong in variant.lines.get(module, ())
    ]
