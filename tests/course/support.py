"""Gradients with mistakes, as a student would send them."""

import io

import numpy as np

from server.course.comparison import agreement, precision_of
from server.course.diagnosis import _Runs, diagnose
from server.course.problem import ProblemQuery

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


def made(problem, made_mistakes, variants):
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


def named(problem, sent):
    return [found.names for found in diagnose(problem, sent, precision_of(sent))]
