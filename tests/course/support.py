"""Gradients with mistakes, as a student would send them."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from server.course.comparison import Gradients, agreement, precision_of
from server.course.diagnosis import _Runs, diagnose
from server.course.mistakes import Mistake, Variant
from server.course.problem import Problem, ProblemQuery
from server.rnn.cells import CELLS
from server.rnn.reference import network

# Every cell, layer counts 1 to 3, and sizes from small to the default.
QUERIES = [
    ProblemQuery(cell=cell, hidden_size=m, sequence_length=T, layers=layers, seed=seed)
    for cell in ("rnn", "gru", "lstm")
    for m, T, layers, seed in ((20, 10, 1, 0), (6, 5, 2, 1), (5, 7, 3, 2))
]


def npz(arrays, save=np.savez):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def made(
    problem: Problem, made_mistakes: Sequence[Mistake], variants: Sequence[Variant]
) -> Gradients | None:
    """The gradients with mistakes, or None if they conflict or nothing is to be seen of one.

    The unknown constants of a transform have usual values: clipped at half of the greatest entry,
    and scaled by 0.37.
    """
    runs, right = _Runs(problem), problem.gradients
    plain = [v for v in variants if v.transform is None]
    found = runs._run(plain)
    if found is None:
        return None
    order = ("gate_order", "mean_instead_of_sum", "biases_doubled", "scaled", "clipped")
    transforms = {
        mistake.name: variant.transform
        for mistake, variant in zip(made_mistakes, variants, strict=True)
        if variant.transform is not None
    }
    for name in order:
        if name not in transforms:
            continue
        if name == "scaled":
            found = {n: 0.37 * g for n, g in found.items()}
        elif name == "clipped":
            limit = 0.5 * max(np.abs(g).max() for g in found.values())
            found = {n: np.clip(g, -limit, limit) for n, g in found.items()}
        else:
            found = transforms[name](found, found, problem)
            if found is None:
                return None
    return found if agreement(right, found) > 1e-9 else None


def named(problem: Problem, sent: Gradients) -> list[tuple[str, ...]]:
    return [found.names for found in diagnose(problem, sent, precision_of(sent)).found]


def in_another_order(problem: Problem) -> Gradients:
    """From the units in another order, so that every sum over them has another order."""
    order = np.random.default_rng(0).permutation(problem.query.hidden_size)
    parameters = _reordered(problem, problem.parameters, order)
    state = {name: values[order] for name, values in problem.state.items()}
    cell = CELLS[problem.query.cell].reference
    _, gradients, _ = network.loss_and_gradients(cell, parameters, *problem.one_hot, state)
    return _reordered(problem, gradients, np.argsort(order))


def _reordered(problem: Problem, arrays: Gradients, order: NDArray[np.intp]) -> Gradients:
    gates = CELLS[problem.query.cell].gates
    rows = np.concatenate([order + k * len(order) for k in range(gates)])

    def moved(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        symbol = name.rstrip("0123456789")
        by_row = {"U": rows, "W": rows, "b": rows, "d": order}.get(symbol)
        values = values if by_row is None else values[by_row]
        by_column = symbol in {"W", "V"} or name in {"U2", "U3"}
        return values[:, order] if by_column else values

    return {name: moved(name, values) for name, values in arrays.items()}


def in_float32(problem: Problem) -> Gradients:
    narrow = {n: a.astype(np.float32) for n, a in problem.parameters.items()}
    state = {n: a.astype(np.float32) for n, a in problem.state.items()}
    x, y = (rows.astype(np.float32) for rows in problem.one_hot)
    cell = CELLS[problem.query.cell].reference
    _, gradients, _ = network.loss_and_gradients(cell, narrow, x, y, state)
    return {name: gradient.astype(np.float32) for name, gradient in gradients.items()}
