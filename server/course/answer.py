"""The answer to a student's gradients: right or wrong, and what is wrong."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from server.checkpoints.array_files import ArrayFileError, read_array_file, read_json_object
from server.checkpoints.npz import Arrays
from server.course.comparison import (
    ROUNDED,
    SINGLE,
    Gradients,
    Matrix,
    Precision,
    agreement,
    precision_of,
    relative_errors,
)
from server.course.diagnosis import Diagnosis, Search, changed_lines, diagnose
from server.course.evidence import evidence
from server.course.problem import PROBLEM_README, QUERY, Problem, ProblemQuery, make_problem
from server.course.recognition import AnswerError, SentGradients, recognise_gradients

__all__ = ["check_answer", "query_in", "read_answer"]

MAP_SIZE = 32
INCOMPLETE = (
    "The problem is large, so not all pairs of mistakes were tried: a smaller one, of 10 hidden"
    " units and 10 characters, tries them all."
)


@dataclass(frozen=True, slots=True)
class _Judged:
    sent: SentGradients
    errors: Gradients
    precision: Precision
    rounded: bool

    @property
    def right(self) -> set[str]:
        return {n for n, e in self.errors.items() if float(e.max()) < self.precision.threshold}


def read_answer(content: bytes) -> Arrays:
    """Read the arrays of a file that was sent.

    Raises
    ------
    AnswerError
        It is not a file of arrays.
    """
    try:
        return read_array_file(io.BytesIO(content)).arrays
    except ArrayFileError as error:
        if PROBLEM_README in content:
            raise AnswerError(
                "This is the problem, not your gradients: choose the file that your code saved."
            ) from error
        raise AnswerError(str(error)) from error


def query_in(arrays: Arrays) -> dict[str, Any]:
    """Return the problem's query from the array "query" of its file; empty without it."""
    found = read_json_object(arrays.get(QUERY))
    return {f.name: found[f.name] for f in fields(ProblemQuery) if f.name in found}


def check_answer(query: ProblemQuery, arrays: Arrays) -> dict[str, Any]:
    """Compare gradients with a problem's, and say what is wrong with them.

    Parameters
    ----------
    query : ProblemQuery
    arrays : dict of str to ndarray
        All arrays of the file.

    Returns
    -------
    dict
        An Answer as in docs/protocol.md.

    Raises
    ------
    AnswerError
        The arrays cannot be compared.
    """
    problem = make_problem(query)
    judged = _judged(problem, recognise_gradients(arrays, problem))
    missing = [name for name in problem.parameters if name not in judged.errors]
    wrong = len(judged.right) < len(judged.errors)
    search = Search([])
    if wrong:
        search = diagnose(problem, judged.sent.gradients, judged.precision)
        if not search.found and judged.sent.uncertain:
            other = _judged_as(problem, judged.sent.turned(judged.sent.uncertain))
            found = diagnose(problem, other.sent.gradients, other.precision)
            if found.found:
                judged, search = other, found
    diagnosis = search.found
    return {
        "passed": not wrong and not missing,
        "threshold": judged.precision.threshold,
        "precision": judged.precision.dtype,
        "parameters": [_parameter(problem, judged, name) for name in judged.errors],
        "missing": missing,
        "remarks": [*judged.sent.remarks, *_precision_remark(judged)],
        "diagnosis": [_diagnosis(each, problem, len(diagnosis)) for each in diagnosis],
        "evidence": [
            *evidence(
                problem,
                judged.sent,
                judged.errors,
                judged.right,
                judged.precision,
            ),
            *([] if search.complete else [INCOMPLETE]),
        ]
        if wrong
        else [],
    }


def _judged(problem: Problem, sent: SentGradients) -> _Judged:
    """Judge gradients, each square matrix in the layout in which it is right.

    The shape of a square matrix does not show its layout. If only some of the others are
    transposed, such as U, whose columns are looked up, each may be so or not. If all of the others
    are, or if there are none, the layout is the same for all.
    """
    judged = _judged_as(problem, sent)
    if not sent.uncertain or len(judged.right) == len(judged.errors):
        return judged
    other = _judged_as(problem, sent.turned(sent.uncertain))
    plain = {name for name, gradient in sent.gradients.items() if gradient.ndim > 1}
    if sent.transposed and plain - sent.transposed:
        better = other.right - judged.right
        return _judged_as(problem, sent.turned(better)) if better else judged
    if not sent.transposed and len(other.right) > len(judged.right):
        return other
    return judged


def _judged_as(problem: Problem, sent: SentGradients) -> _Judged:
    precision = precision_of(sent.gradients)
    judged = _Judged(sent, _errors(problem, sent, precision), precision, rounded=False)
    if (
        len(judged.right) < len(judged.errors)
        and agreement(sent.gradients, {name: problem.gradients[name] for name in sent.gradients})
        < ROUNDED
    ):
        rounded = _Judged(sent, _errors(problem, sent, SINGLE), SINGLE, rounded=True)
        if len(rounded.right) == len(rounded.errors):
            return rounded
    return judged


def _errors(problem: Problem, sent: SentGradients, precision: Precision) -> Gradients:
    return {
        name: relative_errors(gradient, problem.gradients[name], precision)
        for name, gradient in sent.gradients.items()
    }


def _precision_remark(judged: _Judged) -> list[str]:
    if judged.precision.dtype == "float64":
        return []
    limit = f"so errors below {judged.precision.threshold:g} pass"
    if judged.rounded:
        return [
            (
                "The numbers agree to several digits and are rounded beyond, as sums in float32 or"
                f" numerical derivatives are, {limit}. Compute in float64 for a sharper check."
            )
        ]
    return [
        (
            f"The numbers are float32: seven digits limit the check, {limit}. Compute in float64"
            " for a sharper one."
        )
    ]


def _parameter(problem: Problem, judged: _Judged, name: str) -> dict[str, Any]:
    errors, sent = judged.errors[name], judged.sent
    return {
        "name": name,
        "shape": list(problem.parameters[name].shape),
        "relative_error": float(f"{errors.max():.3e}"),
        "passed": name in judged.right,
        "source": sent.sources[name],
        "transposed": name in sent.transposed,
        "errors": _map(errors),
    }


def _map(errors: Matrix) -> list[list[float]]:
    """Return the greatest error of each of at most 32 x 32 blocks of entries."""
    matrix = errors.reshape(len(errors), -1)
    for axis in (0, 1):
        length = matrix.shape[axis]
        starts = np.unique(np.arange(min(length, MAP_SIZE)) * length // min(length, MAP_SIZE))
        matrix = np.maximum.reduceat(matrix, starts, axis=axis)
    return [[float(f"{error:.2e}") for error in row] for row in matrix.tolist()]


def _diagnosis(found: Diagnosis, problem: Problem, listed: int) -> dict[str, Any]:
    cell = problem.query.cell
    explanation = " And: ".join(f"{m.label}. {m.look_at}" for m in found.mistakes)
    explanation = explanation[:1].upper() + explanation[1:]
    if listed > 1:
        explanation += " On this problem it cannot be told apart from the others listed."
    return {
        "mistakes": list(found.names),
        "agreement": float(f"{found.agreement:.3e}"),
        "explanation": explanation,
        "details": [
            {
                "name": mistake.name,
                "label": mistake.label,
                "equation": mistake.equation,
                "look_at": mistake.look_at,
                "lines": [
                    {"module": module, "right": right, "wrong": wrong}
                    for module, right, wrong in changed_lines(variant, cell)
                ],
            }
            for mistake, variant in zip(found.mistakes, found.variants, strict=True)
        ],
    }


def as_query(values: dict[str, Any]) -> ProblemQuery:
    """Return the query with these values; the rest are the defaults."""
    return ProblemQuery(**asdict(ProblemQuery()) | values)
