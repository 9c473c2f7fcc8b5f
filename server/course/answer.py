"""The answer to a student's gradients: right or wrong, and what is wrong."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from server.checkpoints.array_files import ArrayFileError, read_array_file
from server.checkpoints.npz import Arrays
from server.course.comparison import (
    Gradients,
    Matrix,
    Precision,
    precision_of,
    relative_errors,
)
from server.course.diagnosis import Diagnosis, changed_lines, diagnose
from server.course.evidence import evidence
from server.course.problem import QUERY, Problem, ProblemQuery, make_problem
from server.course.recognition import AnswerError, SentGradients, recognise_gradients

__all__ = ["check_answer", "query_in", "read_answer"]

MAP_SIZE = 32


@dataclass(frozen=True, slots=True)
class _Judged:
    sent: SentGradients
    errors: Gradients
    precision: Precision

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
        raise AnswerError(str(error)) from error


def query_in(arrays: Arrays) -> dict[str, Any]:
    """Return the problem's query from the array "query" of its file; empty without it."""
    array = arrays.get(QUERY)
    if array is None or array.dtype.kind != "U" or array.ndim:
        return {}
    try:
        found = json.loads(str(array))
    except (ValueError, RecursionError):
        return {}
    names = {field.name for field in fields(ProblemQuery)}
    return {n: found[n] for n in names if n in found} if isinstance(found, dict) else {}


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
    diagnosis: list[Diagnosis] = []
    if wrong:
        diagnosis = diagnose(problem, judged.sent.gradients, judged.precision)
        if not diagnosis and judged.sent.transposed and judged.sent.square:
            other = _judged(problem, _untransposed(judged.sent))
            if found := diagnose(problem, other.sent.gradients, other.precision):
                judged, diagnosis = other, found
    return {
        "passed": not wrong and not missing,
        "threshold": judged.precision.threshold,
        "precision": judged.precision.dtype,
        "parameters": [_parameter(problem, judged, name) for name in judged.errors],
        "missing": missing,
        "remarks": [*judged.sent.remarks, *_precision_remark(judged.precision)],
        "diagnosis": [_diagnosis(each, problem, len(diagnosis)) for each in diagnosis],
        "evidence": evidence(problem, judged.errors, judged.right, judged.sent.loss)
        if wrong
        else [],
    }


def _judged(problem: Problem, sent: SentGradients) -> _Judged:
    precision = precision_of(sent.gradients)
    errors = {
        name: relative_errors(gradient, problem.gradients[name], precision)
        for name, gradient in sent.gradients.items()
    }
    return _Judged(sent, errors, precision)


def _untransposed(sent: SentGradients) -> SentGradients:
    """Return the square matrices as they are in the file."""
    gradients = sent.gradients | {name: sent.gradients[name].T for name in sent.square}
    return replace(
        sent, gradients=gradients, transposed=sent.transposed - set(sent.square), square=()
    )


def _precision_remark(precision: Precision) -> list[str]:
    if precision.dtype == "float64":
        return []
    return [
        (
            "The numbers are float32: seven digits limit the check, so errors below"
            f" {precision.threshold:g} pass. Compute in float64 for a sharper one."
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
