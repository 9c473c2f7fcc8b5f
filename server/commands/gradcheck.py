"""`python -m server gradcheck`: its options, and the result as a table."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from server.analysis.course import ProblemRequest
from server.analysis.gradient_check import NumberField, number_fields
from server.commands.options.spec_options import Command, with_options
from server.rnn.gradient_check.check import GradientCheck

__all__ = ["print_gradient_check", "with_check_options", "with_problem_options"]


def with_check_options(command: Command) -> Command:
    """Give a command whose last parameter is `**options` an option for each number of a check."""
    return with_options(command, map(_parameter, number_fields()))


def with_problem_options(command: Command) -> Command:
    """Give a command whose last parameter is `**options` an option for each number of a problem."""
    return with_options(command, map(_parameter, number_fields(ProblemRequest)))


def _parameter(field: NumberField) -> inspect.Parameter:
    option = typer.Option(min=field.minimum, max=field.maximum, help=field.description)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[int, option],
    )


def print_gradient_check(check: GradientCheck, console: Console) -> None:
    """Print the greatest relative errors of each parameter, and the verdict."""
    table = Table("parameter", "shape", "complex step", "central difference", "verdict")
    for parameter in check.parameters:
        passed = (
            parameter.complex_step < check.complex_step_threshold
            and parameter.central_difference < check.central_difference_threshold
        )
        table.add_row(
            parameter.name,
            " x ".join(map(str, parameter.shape)),
            f"{parameter.complex_step:.1e}",
            f"{parameter.central_difference:.1e}",
            "[green]pass[/]" if passed else "[red]FAIL[/]",
        )
    table.caption = (
        f"greatest relative error |a - n| / max(1e-6, |a| + |n|) over all entries, {check.dtype};"
        f" to pass: below {check.complex_step_threshold:.0e} and"
        f" {check.central_difference_threshold:.0e}"
    )
    console.print(table)
    verdict = "The gradients are right." if check.passed else "The gradients are WRONG."
    console.print(verdict, style="bold green" if check.passed else "bold red")
