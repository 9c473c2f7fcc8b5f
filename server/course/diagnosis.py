"""Which mistakes give the gradients that were sent.

Every known mistake, and then every pair, is made on the same problem. A mistake is named when its
gradients agree with those sent in as many digits as they have. Rules of the ranking:

1. One mistake comes before two: pairs are tried only if no single one agrees.
2. The better agreement comes first; of one mistake, only the best variant counts.
3. All that agree are listed, because on this problem they cannot be told apart.
4. What agrees no better than the right gradients is not named.

The work on pairs is limited, so that an unknown mistake in the largest problem takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
from server.course.problem import Problem, ProblemQuery, make_problem

__all__ = ["Diagnosis", "diagnose"]

MAX_NAMED = 6
# A mistake that changes no parameter by more than this has no effect on the problem.
NO_EFFECT = 1e-9
# A mistake agrees better than the right gradients if its error is less than this part of theirs.
BETTER = 0.1
# Steps of a cell that may be computed for the pairs of one answer. It is a number of steps, not a
# time, so that the same file gets the same answer on every machine.
MAX_PAIR_STEPS = 40_000
MAX_KEPT_BYTES = 32_000_000

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


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, and how far it was searched.

    Attributes
    ----------
    found : list of Diagnosis
        The likeliest first.
    complete : bool
        Whether all pairs were tried that could be tried.
    """

    found: list[Diagnosis]
    complete: bool = True


@np.errstate(all="ignore")
def diagnose(problem: Problem, sent: Gradients, precision: Precision) -> Search:
    """Find the mistakes that agree with the gradients sent.

    Parameters
    ----------
    problem : Problem
    sent : dict of str to ndarray of float64
        Some or all of the parameters' gradients, in their shapes, finite, and not all right.
    precision : Precision
        Theirs.
    """
    runs = _runs_of(problem.query)
    mistakes = mistakes_of(problem.query.cell)
    right = {
        name
        for name, gradient in sent.items()
        if agreement({name: gradient}, problem.gradients) < precision.threshold
    }
    limit = min(precision.threshold, BETTER * agreement(sent, problem.gradients))
    for count in (1, 2):
        best: dict[tuple[str, ...], Diagnosis] = {}
        complete = True
        runs.steps = 0
        for made in combinations(mistakes, count):
            if count > 1 and runs.steps > MAX_PAIR_STEPS:
                complete = False
                break
            for found in _tried(runs, made, sent, right):
                if found.agreement < limit:
                    known = best.get(found.names)
                    if known is None or found.agreement < known.agreement:
                        best[found.names] = found
        if best:
            ranked = sorted(best.values(), key=lambda found: found.agreement)
            return Search(ranked[:MAX_NAMED], complete)
    return Search([], complete)


def _tried(
    runs: _Runs, made: Sequence[Mistake], sent: Gradients, right: set[str]
) -> Iterator[Diagnosis]:
    wrong = set(sent) - right
    for variants in _choices(made, runs.problem.query.cell):
        if len(variants) > 1 and not runs.may_be_a_pair(variants, right, wrong):
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
    """The gradients of a problem with mistakes, kept up to a number of bytes."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        size_bytes = sum(gradient.nbytes for gradient in problem.gradients.values())
        self._kept = MAX_KEPT_BYTES // size_bytes
        self._found: dict[tuple[int, ...], Gradients | None] = {}
        self._changed: dict[int, set[str]] = {}
        # The steps of a cell that this answer needs, also those that were kept from another.
        self.steps = 0

    def may_be_a_pair(self, variants: Sequence[Variant], right: set[str], wrong: set[str]) -> bool:
        """Whether two mistakes together can change the gradients that are wrong, and only those.

        Each must have an effect. If one changes a right gradient, the other would have to undo
        exactly that; if neither changes a wrong one, both together do not. What a transform
        changes depends on the data, so it may be any of them.
        """
        changes = [self._changes(v) for v in variants if v.transform is None]
        if any(not changed or changed & right for changed in changes):
            return False
        return len(changes) < len(variants) or wrong <= set().union(*changes)

    def _changes(self, variant: Variant) -> set[str]:
        """Return the parameters whose gradients a mistake changes."""
        changed = self._changed.get(id(variant))
        if changed is None:
            found, of_problem = self._run([variant]), self.problem.gradients
            changed = (
                set()
                if found is None
                else {
                    name
                    for name, gradient in found.items()
                    if agreement({name: gradient}, of_problem) > NO_EFFECT
                }
            )
            self._changed[id(variant)] = changed
        return changed

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
        if key in self._found:
            found = self._found[key]
        else:
            found = self._computed(variants)
            if found is None or len(self._found) < self._kept:
                self._found[key] = found
        if found is not None and len(key) > 1:
            self.steps += self.problem.query.sequence_length * self.problem.query.layers
        return found

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


@lru_cache(maxsize=2)
def _runs_of(query: ProblemQuery) -> _Runs:
    """Return the runs of a problem, which a whole class may be asking for."""
    return _Runs(make_problem(query))


def changed_lines(variant: Variant, cell: str) -> list[tuple[str, str, str]]:
    """Return the module, the right line and the wrong line of each replacement."""
    return [
        (module, right, wrong)
        for module in (cell, NETWORK)
        for right, wrong in variant.lines.get(module, ())
    ]
