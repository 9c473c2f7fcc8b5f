"""The gradients in a file of a student's own, in whatever names and layout."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from server.checkpoints.given_parameters import ALIASES
from server.checkpoints.npz import Arrays
from server.course.comparison import Gradients
from server.course.problem import QUERY, Problem, initial_name

__all__ = ["AnswerError", "SentGradients", "recognise_gradients"]

# dW, gW, grad_W, dL_dW, W_grad, W.grad, grads.W and so on; the second group is the parameter.
PREFIX = re.compile(
    r"(?:grads?|gradients?|parameters|params)[._/]?(.+)|d[lLJE]_?d_?(.+)|(?:delta|d|g)_?(.+)"
)
SUFFIX = re.compile(r"(.+?)[._]?(?:grads?|gradients?)")
NUMBERED = re.compile(r"([A-Za-z]+?)([1-9]?)")
MAX_NAMED = 12
NAME_CHARACTERS = 40


class AnswerError(ValueError):
    """The file cannot be compared with the problem; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class SentGradients:
    """The gradients in a file.

    Attributes
    ----------
    gradients : dict of str to ndarray of float64
        By the parameters' names and in their shapes; finite. At least one.
    sources : dict of str to str
        The name of each in the file.
    transposed : frozenset of str
        The matrices that the file has transposed.
    uncertain : frozenset of str
        The square matrices whose layout is not known: others are transposed, or all are square.
    loss : float or None
        The loss, if the file has it.
    readings : list of str
        Which arrays have another name, in one sentence; empty if none has.
    """

    gradients: Gradients
    sources: dict[str, str]
    transposed: frozenset[str]
    uncertain: frozenset[str]
    loss: float | None
    readings: list[str]

    def turned(self, names: Collection[str]) -> SentGradients:
        """Return them with these matrices in the other layout."""
        gradients = {n: g.T if n in names else g for n, g in self.gradients.items()}
        return replace(self, gradients=gradients, transposed=self.transposed ^ set(names))

    @property
    def remarks(self) -> list[str]:
        """What was done to the arrays, in sentences."""
        every = [name for name in self.gradients if name in self.transposed]
        if not every:
            return self.readings
        return [
            *self.readings,
            f"{_listed(every)} {'is' if len(every) == 1 else 'are'} transposed.",
        ]


def recognise_gradients(arrays: Arrays, problem: Problem) -> SentGradients:
    """Find the gradient of each parameter of a problem.

    Raises
    ------
    AnswerError
        There is none, or one does not have the shape, or numbers that are not finite.
    """
    sources = _sources(arrays, problem)
    if not sources:
        names = ", ".join(name[:NAME_CHARACTERS] for name in list(arrays)[:MAX_NAMED]) or "none"
        raise AnswerError(
            f"The file has no gradient of {_listed(problem.parameters)}; its arrays are: {names}."
        )
    gradients, transposed, readings = {}, set(), []
    for name in problem.parameters:
        if name not in sources:
            continue
        source, shape = sources[name], problem.parameters[name].shape
        array = _numbers(arrays[source], source, name)
        if array.shape != shape and array.size == max(shape) and len(shape) == 1:
            array = array.reshape(shape)
        elif array.shape != shape and array.shape == shape[::-1]:
            array = array.T
            transposed.add(name)
        if array.shape != shape:
            raise AnswerError(
                f"{source[:NAME_CHARACTERS]} has the shape {_shape(array.shape)}; the gradient of"
                f" {name} has {_shape(shape)}."
            )
        gradients[name] = array
        if source != name:
            readings.append(f"{source[:NAME_CHARACTERS]} as that of {name}")
    matrices = [name for name, gradient in gradients.items() if gradient.ndim > 1]
    square = {name for name in matrices if len(set(gradients[name].shape)) == 1}
    sent = SentGradients(
        gradients,
        sources,
        frozenset(transposed),
        frozenset(square if transposed or 1 < len(square) == len(matrices) else ()),
        _loss(arrays.get("loss")),
        [f"Read as the gradients of the parameters: {_listed(readings)}."] if readings else [],
    )
    # Whoever computes with row vectors has all matrices transposed, also those whose shape does
    # not show it.
    return sent.turned(square) if transposed else sent


def _sources(arrays: Arrays, problem: Problem) -> dict[str, str]:
    """Return the name in the file of each parameter's gradient."""
    not_gradients = {"x", "y", "loss", QUERY, "README.txt", *map(initial_name, problem.state)}
    found: dict[str, str] = {}
    # A file may have the parameters beside their gradients: dW is preferred to W.
    for read in (_as_gradient, _as_parameter):
        for source in arrays:
            name = None if source in not_gradients else read(source, problem)
            if name is not None and source not in found.values():
                found.setdefault(name, source)
    left = [n for n in arrays if n not in found.values() and n not in not_gradients]
    for name, values in problem.parameters.items():
        alike = [n for n in left if arrays[n].shape in {values.shape, values.shape[::-1]}]
        rivals = [
            other
            for other, theirs in problem.parameters.items()
            if other not in found and theirs.shape in {values.shape, values.shape[::-1]}
        ]
        if name not in found and len(alike) == 1 and len(rivals) == 1:
            found[name] = alike[0]
    return found


def _as_parameter(source: str, problem: Problem) -> str | None:
    if source in problem.parameters:
        return source
    match = NUMBERED.fullmatch(source.replace("_", "").replace(".", ""))
    if match is None or match[1] not in ALIASES:
        return None
    name = ALIASES[match[1]] + match[2]
    return name if name in problem.parameters else None


def _as_gradient(source: str, problem: Problem) -> str | None:
    for pattern in (PREFIX, SUFFIX):
        match = pattern.fullmatch(source)
        rest = next(filter(None, match.groups()), None) if match else None
        name = rest and _as_parameter(rest, problem)
        if name:
            return name
    return None


def _numbers(
    array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], source: str, name: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    shown = source[:NAME_CHARACTERS]
    if array.dtype.kind not in "fiu":
        raise AnswerError(f"{shown}, the gradient of {name}, has the type {array.dtype}.")
    numbers = array.astype(np.float64)
    if wrong := int(np.count_nonzero(~np.isfinite(numbers))):
        raise AnswerError(f"{shown} has {wrong:,} numbers that are not finite.")
    return numbers


def _loss(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None) -> float | None:
    if array is None or array.size != 1 or array.dtype.kind not in "fiu":
        return None
    loss = float(array.reshape(-1)[0])
    return loss if np.isfinite(loss) else None


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape) or "of one number"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else str(last)
