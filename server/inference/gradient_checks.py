"""Gradient checks as JSON values; the many errors of single entries have three digits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.concurrency.json_lines import finite
from server.rnn.gradient_check.check import ParameterCheck, check_gradients
from server.rnn.gradient_check.error_curve import error_against_step
from server.rnn.vocabulary import Vocabulary

__all__ = ["check", "compare_step_sizes"]


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Check gradients for a `server.analysis.gradient_check.GradientCheckRequest`."""
    text = request["text"]
    length, streams = request["sequence_length"], request["batch_size"]
    read = None
    if text is not None:
        indices = Vocabulary.from_text(text).encode(text)[: streams * (length + 1)]
        read = indices.reshape(streams, length + 1).T
    result = check_gradients(
        cell=request["cell"],
        hidden_size=request["hidden_size"],
        layers=request["layers"],
        vocabulary_size=request["vocabulary_size"],
        sequence_length=length,
        batch_size=streams,
        seed=request["seed"],
        text=read,
        mistake=request["mistake"],
        step=request["step"],
    )
    thresholds = {
        "complex_step": result.complex_step_threshold,
        "central_difference": result.central_difference_threshold,
    }
    return {
        "passed": result.passed,
        "threshold": result.central_difference_threshold,
        "thresholds": thresholds,
        "dtype": result.dtype,
        "parameters": [
            _parameter(parameter, thresholds, details=request["details"])
            for parameter in result.parameters
        ],
    }


def compare_step_sizes(cell: str) -> dict[str, Any]:
    """Compare the numerical derivatives over a range of step sizes."""
    errors = asdict(error_against_step(cell=cell))
    return {name: [finite(value) for value in values] for name, values in errors.items()}


def _parameter(
    parameter: ParameterCheck, thresholds: dict[str, float], *, details: bool
) -> dict[str, Any]:
    errors = None
    if details:
        errors = {
            "complex_step": _rounded(parameter.complex_step_errors),
            "central_difference": _rounded(parameter.central_difference_errors),
        }
    return {
        "name": parameter.name,
        "shape": list(parameter.shape),
        "complex_step": finite(parameter.complex_step),
        "central_difference": finite(parameter.central_difference),
        "passed": parameter.complex_step < thresholds["complex_step"]
        and parameter.central_difference < thresholds["central_difference"],
        "errors": errors,
    }


def _rounded(errors: NDArray[np.float64]) -> list[list[float | None]]:
    rows = errors.reshape(len(errors), -1).tolist()
    return [[finite(float(f"{error:.2e}")) for error in row] for row in rows]
