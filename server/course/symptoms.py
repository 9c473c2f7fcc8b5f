"""How each mistake shows from the outside, by figures from trainings.

``python -m benchmarks mistakes`` trains networks with each mistake, and without one, and writes the
figures to `FILE`. The sentences are made of them. Rules, with the mean and the standard deviation
of the right networks' last smooth losses, over their seeds:

1. A mean smooth loss with the mistake differs if it is more than three standard deviations away.
   The difference of two single runs has 1.4 times the standard deviation of one.
2. If it does not differ, the loss curve does not show the mistake.
3. If it differs, but the loss has fallen by at least 80% and at most 120% of what the right one
   has, the curve looks right, and shows the mistake only beside the right one.
4. Otherwise the curve shows it.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["FILE", "Figures", "Symptom", "Verdict", "figures", "symptom_of", "symptoms"]

FILE = Path(__file__).with_name("symptoms.json")

Verdict = Literal["hidden", "beside", "visible"]

DEVIATIONS = 3.0
LEAST_FALL, GREATEST_FALL = 0.8, 1.2
# Float64 has sixteen digits; a right gradient agrees in more than ten.
RIGHT_BELOW = 1e-6


@dataclass(frozen=True, slots=True)
class Figures:
    """The right networks of one cell and size.

    Attributes
    ----------
    cell : str
    layers, hidden_size, sequence_length : int
        As in a run's spec.
    updates : int
        How many were made.
    checked_at : int
        The update after which the gradients with each mistake were compared.
    seeds : int
        How many networks.
    first_loss : float
        T ln K: that of equal probabilities.
    mean, deviation : float
        Mean and standard deviation of the smooth losses after all updates.
    """

    cell: str
    layers: int
    hidden_size: int
    sequence_length: int
    updates: int
    checked_at: int
    seeds: int
    first_loss: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Symptom:
    """How a mistake shows.

    Attributes
    ----------
    name : str
        The mistake.
    right : Figures
        The right networks of the same cell and size.
    seeds : int
        How many networks were trained with the mistake.
    smooth_loss : float or None
        The mean after all updates; None if a loss was not finite.
    not_finite_at : int or None
        The first update whose loss was not finite in one of the networks.
    gradient_errors : dict of str to float
        By parameter, as `server.course.training.gradient_errors`, averaged over the seeds.
    """

    name: str
    right: Figures
    seeds: int
    smooth_loss: float | None
    not_finite_at: int | None
    gradient_errors: dict[str, float]

    @property
    def verdict(self) -> Verdict:
        """Whether the loss curve shows the mistake."""
        if self.smooth_loss is None:
            return "visible"
        right = self.right
        if abs(self.smooth_loss - right.mean) <= DEVIATIONS * right.deviation:
            return "hidden"
        fall = (right.first_loss - self.smooth_loss) / (right.first_loss - right.mean)
        return "beside" if LEAST_FALL <= fall <= GREATEST_FALL else "visible"

    @property
    def worst_gradient(self) -> tuple[str, float] | None:
        """The parameter whose gradient is the furthest off, and its error; None if all agree."""
        name = max(self.gradient_errors, key=self.gradient_errors.__getitem__)
        error = self.gradient_errors[name]
        return None if error < RIGHT_BELOW else (name, error)

    @property
    def measured(self) -> str:
        """With which networks the figures were found."""
        right = self.right
        layers = f"{right.layers} layers, " if right.layers > 1 else ""
        return (
            f"{right.cell}, {layers}m = {right.hidden_size}, T = {right.sequence_length};"
            f" means of {self.seeds} networks with the mistake and {right.seeds} without, whose"
            f" standard deviation is {right.deviation:.1f}"
        )

    @property
    def sentence(self) -> str:
        """How the mistake can be told from the outside, or that it cannot."""
        if self.smooth_loss is None:
            return (
                f"The loss curve shows it: from update {self.not_finite_at:,} on, the loss is not"
                f" finite. {self._check('So does a gradient check')}"
            )
        right = self.right
        against = f"{self.smooth_loss:.1f} against {right.mean:.1f} at update {right.updates:,}"
        if self.verdict == "hidden" and self.worst_gradient is None:
            return (
                f"Neither the loss curve nor a gradient check shows it: {against}. Only reading"
                " the code does."
            )
        if self.verdict == "hidden":
            check = self._check("Only a gradient check does")
            return f"The loss curve does not show it: {against}. {check}"
        if self.verdict == "visible":
            check = self._check("So does a gradient check")
            return f"The loss curve shows it, because it {self._looks()}: {against}. {check}"
        check = self._check("A gradient check needs no right network")
        if self.smooth_loss < right.mean:
            return f"The loss curve looks even better than the right one: {against}. {check}"
        return f"The loss curve looks right until the right one is beside it: {against}. {check}"

    def _looks(self) -> str:
        """What the curve of a visible mistake does."""
        loss = self.smooth_loss or 0.0
        if loss < self.right.mean:
            return "is too low to be true"
        return "rises" if loss > self.right.first_loss else "falls too little"

    def _check(self, clause: str) -> str:
        """Return what a gradient check finds, after a clause if it finds something."""
        worst = self.worst_gradient
        if worst is None:
            return "A gradient check does not show it."
        name, error = worst
        return f"{clause}: the relative error of {name} is {_digits(error)}."


def _digits(error: float) -> str:
    return f"{error:.2f}" if error >= 0.095 else f"{error:.1g}"


@cache
def symptoms() -> dict[tuple[str, str], Symptom]:
    """Return the symptoms by cell and mistake, as measured."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    found: dict[tuple[str, str], Symptom] = {}
    for network in content["networks"]:
        right = _figures(network, content["distinct"])
        for name, trained in network["mistakes"].items():
            found[right.cell, name] = _symptom(name, right, network, trained)
    return found


def figures() -> list[Figures]:
    """Return the figures of the right networks, one for each cell and size."""
    found: list[Figures] = []
    for symptom in symptoms().values():
        if symptom.right not in found:
            found.append(symptom.right)
    return found


def symptom_of(cell: str, name: str) -> Symptom | None:
    """Return the symptom of a mistake: measured with this cell, or else with the vanilla one."""
    return symptoms().get((cell, name)) or symptoms().get(("rnn", name))


def _figures(network: dict[str, Any], distinct: int) -> Figures:
    losses = [each["smooth_loss"] for each in network["right"]]
    return Figures(
        **{
            name: network[name]
            for name in (
                "cell",
                "layers",
                "hidden_size",
                "sequence_length",
                "updates",
                "checked_at",
            )
        },
        seeds=len(losses),
        first_loss=network["sequence_length"] * math.log(distinct),
        mean=statistics.fmean(losses),
        deviation=statistics.stdev(losses),
    )


def _symptom(
    name: str, right: Figures, network: dict[str, Any], trained: list[dict[str, Any]]
) -> Symptom:
    losses = [each["smooth_loss"] for each in trained]
    ends = [each["not_finite_at"] for each in trained if "not_finite_at" in each]
    compared = [each["gradient_errors"] for each in network["right"] if each["gradient_errors"]]
    errors = [each[name] for each in compared if name in each]
    return Symptom(
        name=name,
        right=right,
        seeds=len(trained),
        smooth_loss=None if ends else statistics.fmean(losses),
        not_finite_at=min(ends, default=None),
        gradient_errors={
            parameter: statistics.fmean(each[parameter] for each in errors)
            for parameter in errors[0]
        },
    )
