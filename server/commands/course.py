"""`python -m server problem` and `check`: the course without a browser."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from server.checkpoints.npz import Arrays
from server.course.answer import query_in, read_answer
from server.course.problem import QUERY, ProblemQuery
from server.course.recognition import AnswerError

__all__ = ["print_answer", "read_gradients"]

PROBLEM_FILE = "problem.npz"


def read_gradients(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read a student's file, and find which problem it answers.

    Returns
    -------
    arrays : dict of str to ndarray
    query : dict of str to object
        The query in the file itself, or else in "problem.npz" beside it; empty without either.

    Raises
    ------
    AnswerError
        The file is not one of arrays.
    OSError
        It cannot be read.
    """
    arrays = read_answer(path.read_bytes())
    query = query_in(arrays)
    beside = path.with_name(PROBLEM_FILE)
    if not query and beside.is_file() and beside != path:
        query = _query_of_problem(beside)
    return arrays, query


def _query_of_problem(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return query_in({QUERY: archive[QUERY]})
    except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise AnswerError(f"{path.name} beside it is not a problem.") from error


def print_answer(query: ProblemQuery, answer: dict[str, Any], console: Console) -> None:
    """Print the problem, the verdict of each parameter, and the diagnosis."""
    size = f"m = {query.hidden_size}, T = {query.sequence_length}, seed {query.seed}"
    console.print(f"Problem: {query.cell}, layers: {query.layers}, {size}.", highlight=False)
    table = Table("parameter", "array", "shape", "relative error", "verdict")
    for each in answer["parameters"]:
        table.add_row(
            each["name"],
            each["source"][:40] + (" (transposed)" if each["transposed"] else ""),
            " x ".join(map(str, each["shape"])),
            f"{each['relative_error']:.1e}",
            "[green]right[/]" if each["passed"] else "[red]WRONG[/]",
        )
    table.caption = f"to pass: below {answer['threshold']:.0e}, {answer['precision']}"
    console.print(table)
    for sentence in answer["remarks"]:
        console.print(sentence, markup=False)
    if answer["missing"]:
        console.print(f"No gradient of {', '.join(answer['missing'])}.", style="bold red")
    if answer["passed"]:
        console.print("The gradients are right.", style="bold green")
        return
    for found in answer["diagnosis"]:
        console.print(f"\n{' and '.join(found['mistakes'])}", style="bold red", markup=False)
        for mistake in found["details"]:
            label = mistake["label"]
            console.print(f"{label[:1].upper()}{label[1:]}: {mistake['equation']}", markup=False)
            console.print(mistake["look_at"], markup=False)
            for line in mistake["lines"]:
                console.print(f"  right  {line['right']}", markup=False, highlight=False)
                console.print(f"  yours? {line['wrong']}", markup=False, highlight=False)
    for sentence in answer["evidence"]:
        console.print(sentence, markup=False)
