"""What right and wrong gradients say about the place of an unknown mistake."""

from __future__ import annotations

import numpy as np

from server.course.comparison import Gradients, Precision
from server.course.problem import Problem
from server.course.recognition import SentGradients
from server.rnn.cells import CELLS

__all__ = ["evidence"]

GATES = {"gru": ("r", "z", "n"), "lstm": ("g", "i", "f", "o")}
# A loss that agrees to this relative error shows that the forward pass is right.
LOSS_ERROR = 1e-5


def evidence(
    problem: Problem,
    sent: SentGradients,
    errors: Gradients,
    right: set[str],
    precision: Precision,
) -> list[str]:
    """Return what is known about the mistake, in sentences.

    Parameters
    ----------
    problem : Problem
    sent : SentGradients
        The gradients that were sent, and the loss, if it was.
    errors : dict of str to ndarray
        The relative error of every entry of the gradients that were sent.
    right : set of str
        The parameters whose gradients are right; not all.
    precision : Precision
        That of the gradients.
    """
    loss = sent.loss
    wrong = [name for name in errors if name not in right]
    good = [name for name in errors if name in right]
    said = (
        [f"{_listed(good)} {_are(good)} right; {_listed(wrong)} {_are(wrong)} not."]
        if good
        else ["No gradient is right."]
    )
    agrees = False
    if loss is not None:
        agrees = abs(loss - problem.loss) < LOSS_ERROR * abs(problem.loss)
        said.append(
            "Your loss is right, so the forward pass is too: the error is on the way back."
            if agrees
            else f"Your loss is {loss:.6f} and should be {problem.loss:.6f}: look at the forward"
            " pass first."
        )
    said.append(_place(problem, set(wrong), set(errors), forward_is_right=agrees))
    said.extend(_gates(problem, errors, right))
    said.extend(_multiples(problem, sent.gradients, wrong, precision))
    return said


def _place(problem: Problem, wrong: set[str], sent: set[str], *, forward_is_right: bool) -> str:
    if wrong == {"c"} and len(sent) > 1:
        return "Only c is wrong, so p - y is right: the error is in how it is added up for c."
    if "c" in wrong:
        where = (
            "p - y, or in what is done with all gradients"
            if forward_is_right
            else "the forward pass, the softmax, the targets"
        )
        return (
            "c is wrong, and its gradient is only the sum of p - y: the error is in"
            f" {where}, or in how steps are added up."
        )
    if "V" in wrong and len(wrong) > 1:
        return (
            "c is right, so the sum of p - y is too; V is wrong, and so is what goes back: look at"
            " whether each p - y has the target and the state h of its own step."
        )
    if "V" in wrong:
        return (
            "c is right, so p - y is too; V is wrong: the error is in its product with the state"
            " h of the same step."
        )
    layers = list(range(problem.query.layers, 0, -1))
    for number in layers:
        suffix = "" if problem.query.layers == 1 else str(number)
        own = {name for name in sent if name[1:] == suffix and name not in {"V", "c"}}
        here = own & wrong
        if here:
            above = (
                f" Layer {number + 1} is right, so look also at what it passes down, U^T da."
                if number < problem.query.layers
                else ""
            )
            return _in_layer(suffix, here, own) + above
    return "The outputs are right."


def _in_layer(suffix: str, wrong: set[str], own: set[str]) -> str:
    U, W, b = (f"{symbol}{suffix}" for symbol in "UWb")  # noqa: N806 - the course's symbols
    if wrong == {W}:
        return (
            f"Only {W} is wrong, so da is right: the error is in its product with the state"
            " before the step, h_{t-1}."
        )
    if wrong == {U}:
        return f"Only {U} is wrong, so da is right: the error is in its product with the input."
    if wrong == {b}:
        return f"Only {b} is wrong: the error is in how da is added up for it."
    if wrong == {f"d{suffix}"}:
        return f"Only d{suffix} is wrong: the error is in how dq is added up for it."
    if wrong == own:
        return f"{_listed(sorted(wrong))} are wrong: the error is in what goes back through h."
    return (
        f"{_listed(sorted(wrong))} {_are(sorted(wrong))} wrong: look at what they have in common."
    )


def _gates(problem: Problem, errors: Gradients, right: set[str]) -> list[str]:
    """Say in which gates' rows of the biases the error is, if it is not in all of them."""
    names, gates = GATES.get(problem.query.cell, ()), CELLS[problem.query.cell].gates
    said = []
    for name, found in errors.items():
        if not names or name in right or name.rstrip("0123456789") != "b":
            continue
        greatest = [float(part.max()) for part in np.split(found, gates)]
        limit = 1e-3 * max(greatest)
        bad = [gate for gate, error in zip(names, greatest, strict=True) if error > limit]
        if len(bad) < gates:
            said.append(f"In {name} only the rows of {_listed(bad)} are wrong.")
    return said


def _multiples(
    problem: Problem, sent: Gradients, wrong: list[str], precision: Precision
) -> list[str]:
    """Say which wrong gradients are zero, or the right ones times a number."""
    zero = [name for name in wrong if not sent[name].any()]
    said = []
    if zero:
        said.append(f"{_listed(zero)} {_are(zero)} all zeros: not computed, or not what was saved.")
    factors = {}
    for name in wrong:
        right, own = problem.gradients[name], sent[name]
        factor = float(np.vdot(right, own) / np.vdot(right, right))
        size = float(np.linalg.norm(own))
        if size and float(np.linalg.norm(own - factor * right)) < precision.threshold * size:
            factors[name] = factor
    if factors:
        each = _listed([f"{name}, times {factor:.6g}" for name, factor in factors.items()])
        said.append(f"These are the right gradients times a number: {each}.")
    return said


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
