"""Files of gradients for the problem on the page."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from playwright.sync_api import FilePayload, Page

from server.course.mistakes import load_mistake
from server.course.problem import Problem, ProblemQuery, make_problem

Arrays = dict[str, Any]


def problem_of(page: Page) -> Problem:
    """The problem in the URL of the page."""
    query = dict(parse_qsl(urlsplit(page.url).query))
    cell = query.pop("cell")
    return make_problem(ProblemQuery(cell=cell, **{name: int(n) for name, n in query.items()}))


def npz(arrays: Arrays) -> FilePayload:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return {"name": "mine.npz", "mimeType": "application/zip", "buffer": file.getvalue()}


def reference_gradients(page: Page, *mistakes: str) -> tuple[float, Arrays]:
    """The loss and the gradients of the problem, with mistakes."""
    problem = problem_of(page)
    reference = load_mistake(problem.query.cell, mistakes)
    loss, gradients, _ = reference.network.loss_and_gradients(
        reference.cell, problem.parameters, *problem.one_hot, problem.state
    )
    return float(loss), gradients


def answer_with(page: Page, *mistakes: str) -> None:
    """Choose a file with gradients in which mistakes are made."""
    _, gradients = reference_gradients(page, *mistakes)
    page.locator("#answer-file").set_input_files(npz(gradients))
