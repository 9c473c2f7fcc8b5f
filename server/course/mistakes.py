"""The known mistakes: each replaces lines of the reference's own source.

So the reference stays the only definition: a mistake's gradients are computed by running its source
with these lines in place of the right ones, two mistakes together are both replacements, and the
wrong line can be shown beside the right one. Mistakes in what is done with right gradients are
functions of them instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from server.course.problem import Problem
from server.rnn.cells import CELLS
from server.rnn.reference import network

__all__ = [
    "MISTAKES",
    "ConflictingMistakesError",
    "Mistake",
    "Reference",
    "Variant",
    "load_mistake",
    "mistakes_of",
]

Gradients = dict[str, NDArray[np.float64]]
# The right line and the wrong one; both without their indent.
Replacement = tuple[str, str]
# The result that a mistake makes of the right gradients, and of those that a student sent, from
# which unknown constants are found. None: these cannot be it.
Transform = Callable[[Gradients, Gradients, Problem], Gradients | None]

NETWORK = "network"


class ConflictingMistakesError(ValueError):
    """Two mistakes replace the same line."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make a mistake.

    Attributes
    ----------
    lines : mapping of str to sequence of Replacement
        By module of the reference: a cell's name, or "network".
    transform : callable or None
        What is done to the gradients afterwards.
    """

    lines: Mapping[str, Sequence[Replacement]] = field(default_factory=dict)
    transform: Transform | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A known mistake.

    Attributes
    ----------
    name : str
        The name in the protocol.
    label : str
        What it is, in a few words.
    equation : str
        The line of the equations that it concerns.
    look_at : str
        What to look at in one's own code, as a sentence.
    variants : tuple of Variant
        The ways to make it. Without any for a cell, the cell does not have this mistake.
    """

    name: str
    label: str
    equation: str
    look_at: str
    variants: tuple[Variant, ...]

    def variants_for(self, cell: str) -> tuple[Variant, ...]:
        """Return the variants that a network of this cell can have."""
        return tuple(v for v in self.variants if v.transform or cell in v.lines or _whole(v))


def _whole(variant: Variant) -> bool:
    return set(variant.lines) == {NETWORK}


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference, or a copy of it with mistakes.

    ``network.train(cell, parameters, text, T)`` trains it.
    """

    cell: ModuleType
    network: ModuleType


def _lines(**modules: Sequence[Replacement]) -> Variant:
    return Variant(modules)


def _every(right: str, wrong: str, *cells: str) -> Variant:
    return Variant({cell: [(right, wrong)] for cell in cells or ("rnn", "gru", "lstm")})


def _of_network(*replacements: Replacement) -> Variant:
    return Variant({NETWORK: replacements})


def _mean(right: Gradients, _sent: Gradients, problem: Problem) -> Gradients:
    return {name: gradient / len(problem.x) for name, gradient in right.items()}


def _clipped(right: Gradients, sent: Gradients, _problem: Problem) -> Gradients | None:
    limit = max(float(np.abs(gradient).max()) for gradient in sent.values())
    if limit == 0.0 or limit >= max(float(np.abs(right[n]).max()) for n in sent) * (1 - 1e-6):
        return None
    return {name: np.clip(gradient, -limit, limit) for name, gradient in right.items()}


def _scaled(right: Gradients, sent: Gradients, problem: Problem) -> Gradients | None:
    size = sum(float(np.vdot(right[name], right[name])) for name in sent)
    if size == 0.0:
        return None
    factor = sum(float(np.vdot(right[name], sent[name])) for name in sent) / size
    mean = 1.0 / len(problem.x)
    known = (0.0, 1.0, -1.0, mean, -mean)
    if any(abs(factor - value) < 1e-3 * max(abs(value), 1e-3) for value in known):
        return None
    return {name: factor * gradient for name, gradient in right.items()}


def _doubled(*symbols: str) -> Transform:
    def double(right: Gradients, _sent: Gradients, _problem: Problem) -> Gradients:
        return {
            name: 2 * gradient if name.rstrip("0123456789") in symbols else gradient
            for name, gradient in right.items()
        }

    return double


def _rows(*order: int) -> Transform:
    """Return the gradients with the blocks of the gates in another order."""

    def reorder(right: Gradients, _sent: Gradients, problem: Problem) -> Gradients | None:
        if CELLS[problem.query.cell].gates != len(order):
            return None
        return {
            name: gradient.reshape(len(order), -1)[list(order)].reshape(gradient.shape)
            if name.rstrip("0123456789") in {"U", "W", "b"}
            else gradient
            for name, gradient in right.items()
        }

    return reorder


def _lstm_order(order: str) -> Variant:
    """Return the LSTM whose parameters have the gates' rows in another order."""
    targets, parts = (", ".join(f"{prefix}_{k}" for k in order) for prefix in ("a", "da"))
    return _lines(
        lstm=[
            (
                "a_g, a_i, a_f, a_o = np.split(W @ h[t - 1] + U @ x[t] + b, 4, axis=-1)",
                f"{targets} = np.split(W @ h[t - 1] + U @ x[t] + b, 4, axis=-1)",
            ),
            ("da = np.concatenate([da_g, da_i, da_f, da_o])", f"da = np.concatenate([{parts}])"),
        ]
    )


_DX = "dx[t] = U.T @ {}"
_BACK = "for t in reversed(range(len(x))):"
_OUTPUT_LOOP = "for t in range(len(y)):"
_GRU_CELL = "h[t] = (1 - z[t]) * n[t] + z[t] * h[t - 1]"
_DA_N = "da_n = dh * (1 - z[t]) * (1 - n[t] ** 2)"
_DA_Z = "da_z = dh * (h[t - 1] - n[t]) * z[t] * (1 - z[t])"
_DA_R = "da_r = da_n * q[t] * r[t] * (1 - r[t])"
_GRU_NEXT = "dh_next = W.T @ dw + z[t] * dh"
_LSTM_DC = "dc = dh * o[t] * (1 - np.tanh(c[t]) ** 2) + dc_next"
_DA_G = "da_g = dc * i[t] * (1 - g[t] ** 2)"
_DA_O = "da_o = dh * np.tanh(c[t]) * o[t] * (1 - o[t])"
_LSTM_START = 'h, c, g, i, f, o = {-1: state["h"]}, {-1: state["c"]}, {}, {}, {}, {}'
_GRU_START = 'h, r, z, n, q = {-1: state["h"]}, {}, {}, {}, {}'

_OF_ALL = (
    Mistake(
        "no_recurrent_gradient",
        "no gradient from the next step",
        "dh_t = e_t + W^T da_{t+1}",
        "Add the gradient that comes back from step t + 1 to dh before you use it.",
        (_every("dh = e[t] + dh_next", "dh = e[t]"),),
    ),
    Mistake(
        "next_gradient_accumulated",
        "the gradients of all later steps added up",
        "dh_t = e_t + W^T da_{t+1}",
        "Replace the gradient from the next step at each step; do not add to it.",
        (
            _every("dh_next = W.T @ da", "dh_next = dh_next + W.T @ da", "rnn", "lstm"),
            _every(_GRU_NEXT, "dh_next = dh_next + W.T @ dw + z[t] * dh", "gru"),
        ),
    ),
    Mistake(
        "no_activation_derivative",
        "no derivative of tanh",
        "da_t = dh_t * (1 - h_t^2)",
        "Multiply by the derivative of tanh, 1 minus its square.",
        (
            _lines(
                rnn=[("da = dh * (1 - h[t] ** 2)", "da = dh")],
                gru=[(_DA_N, "da_n = dh * (1 - z[t])")],
                lstm=[(_DA_G, "da_g = dc * i[t]")],
            ),
        ),
    ),
    Mistake(
        "tanh_applied_twice",
        "tanh applied again in its derivative",
        "da_t = dh_t * (1 - h_t^2)",
        "h is already tanh(a): its derivative is 1 - h^2, not 1 - tanh(h)^2.",
        (
            _lines(
                rnn=[("da = dh * (1 - h[t] ** 2)", "da = dh * (1 - np.tanh(h[t]) ** 2)")],
                gru=[(_DA_N, "da_n = dh * (1 - z[t]) * (1 - np.tanh(n[t]) ** 2)")],
                lstm=[(_DA_G, "da_g = dc * i[t] * (1 - np.tanh(g[t]) ** 2)")],
            ),
        ),
    ),
    Mistake(
        "activation_derivative_not_squared",
        "1 - h for 1 - h^2",
        "da_t = dh_t * (1 - h_t^2)",
        "Square the state in the derivative of tanh.",
        (
            _lines(
                rnn=[("da = dh * (1 - h[t] ** 2)", "da = dh * (1 - h[t])")],
                gru=[(_DA_N, "da_n = dh * (1 - z[t]) * (1 - n[t])")],
                lstm=[(_DA_G, "da_g = dc * i[t] * (1 - g[t])")],
            ),
        ),
    ),
    Mistake(
        "derivative_at_previous_state",
        "the derivative of tanh at the previous state",
        "da_t = dh_t * (1 - h_t^2)",
        "Use the state of the same step in the derivative of tanh.",
        (_lines(rnn=[("da = dh * (1 - h[t] ** 2)", "da = dh * (1 - h[t - 1] ** 2)")]),),
    ),
    Mistake(
        "recurrent_not_transposed",
        "W for its transpose",
        "dh_{t-1} = e_{t-1} + W^T da_t",
        "Multiply by the transpose of W on the way back.",
        (
            _lines(
                rnn=[("dh_next = W.T @ da", "dh_next = W @ da")],
                gru=[
                    (
                        _GRU_NEXT,
                        (
                            "dh_next = z[t] * dh + sum("
                            "W_k @ d for W_k, d in zip(np.split(W, 3), np.split(dw, 3)))"
                        ),
                    )
                ],
                lstm=[
                    (
                        "dh_next = W.T @ da",
                        "dh_next = sum(W_k @ d for W_k, d in zip(np.split(W, 4), np.split(da, 4)))",
                    )
                ],
            ),
        ),
    ),
    Mistake(
        "activation_skipped_on_the_way_back",
        "dh for da on the way back",
        "dh_{t-1} = e_{t-1} + W^T da_t",
        "Multiply W^T by da, the gradient before tanh, not by dh.",
        (_lines(rnn=[("dh_next = W.T @ da", "dh_next = W.T @ dh")]),),
    ),
    Mistake(
        "current_state_in_recurrent_gradient",
        "the gradient of W from h_t instead of h_{t-1}",
        "dW = sum_t da_t h_{t-1}^T",
        "Multiply da_t by the state before step t.",
        (
            _every("dW += np.outer(da, h[t - 1])", "dW += np.outer(da, h[t])", "rnn", "lstm"),
            _every("dW += np.outer(dw, h[t - 1])", "dW += np.outer(dw, h[t])", "gru"),
        ),
    ),
    Mistake(
        "recurrent_gradient_transposed",
        "the gradient of W with its factors exchanged",
        "dW = sum_t da_t h_{t-1}^T",
        "The gradient of the pre-activations is the column, the state the row.",
        (_lines(rnn=[("dW += np.outer(da, h[t - 1])", "dW += np.outer(h[t - 1], da)")]),),
    ),
    Mistake(
        "initial_state_ignored",
        "the state before the sequence taken as zero",
        "h_t = tanh(W h_{t-1} + U x_t + b), t = 1",
        "Start from h0 of the problem. A state that is not carried from one sequence to the next"
        " looks the same.",
        (
            _lines(
                rnn=[('h = {-1: state["h"]}', 'h = {-1: 0 * state["h"]}')],
                gru=[(_GRU_START, _GRU_START.replace('state["h"]', '0 * state["h"]'))],
                lstm=[(_LSTM_START, _LSTM_START.replace("state", "0 * state"))],
            ),
            _lines(lstm=[(_LSTM_START, _LSTM_START.replace('state["h"]', '0 * state["h"]'))]),
        ),
    ),
    Mistake(
        "initial_state_ignored_in_gradient",
        "the first step left out of the gradient of W",
        "dW = sum_t da_t h_{t-1}^T",
        "At the first step, multiply by h0, which is not zero.",
        (
            _every(
                "dW += np.outer(da, h[t - 1])",
                "dW += np.outer(da, h[t - 1]) * (t > 0)",
                "rnn",
                "lstm",
            ),
            _every("dW += np.outer(dw, h[t - 1])", "dW += np.outer(dw, h[t - 1]) * (t > 0)", "gru"),
        ),
    ),
    Mistake(
        "state_not_carried",
        "the state not carried to the next sequence",
        "h_0 of an update = h_T of the one before",
        "Keep the last state of a sequence as the first state of the next. One problem has a single"
        " sequence, so this shows only in training.",
        (
            _of_network(
                (
                    "loss, gradients, state = loss_and_gradients(cell, parameters, x, y, state)",
                    "loss, gradients, _ = loss_and_gradients(cell, parameters, x, y, state)",
                )
            ),
        ),
    ),
    Mistake(
        "targets_not_shifted",
        "the characters themselves as targets",
        "loss = -sum_t log p_t[x_{t+1}]",
        "The target of step t is the next character, y_t = x_{t+1}.",
        (
            _of_network(
                (
                    "return sum(losses(p, y)), backward(cell, parameters, steps, p, y), after",
                    "return sum(losses(p, x)), backward(cell, parameters, steps, p, x), after",
                )
            ),
        ),
    ),
    Mistake(
        "target_not_subtracted",
        "p_t for p_t - y_t",
        "do_t = p_t - y_t",
        "Subtract 1 from the probability of the target.",
        (_of_network(("do = p[t] - y[t]", "do = p[t]")),),
    ),
    Mistake(
        "sign_flipped",
        "the sign of all gradients",
        "do_t = p_t - y_t",
        "The gradient of the loss with respect to o is p - y. Subtract the gradient in the update.",
        (_of_network(("do = p[t] - y[t]", "do = y[t] - p[t]")),),
    ),
    Mistake(
        "softmax_derivative_twice",
        "the derivative of softmax applied again",
        "do_t = p_t - y_t",
        "p - y is already the gradient with respect to o: softmax and logarithm are in it.",
        (_of_network(("do = p[t] - y[t]", "do = (p[t] - y[t]) * p[t] * (1 - p[t])")),),
    ),
    Mistake(
        "softmax_over_time",
        "softmax over the wrong axis",
        "p_t = softmax(o_t)",
        "The probabilities of each step add up to 1, over the characters.",
        (_of_network(("p = [softmax(o_t) for o_t in o]", "p = list(softmax(np.array(o).T).T)")),),
    ),
    Mistake(
        "output_bias_missing",
        "no c in the output",
        "o_t = V h_t + c",
        "Add c to the output.",
        (_of_network(("o = [V @ h + c for h in inputs]", "o = [V @ h for h in inputs]")),),
    ),
    Mistake(
        "hidden_bias_missing",
        "no b in the pre-activations",
        "a_t = W h_{t-1} + U x_t + b",
        "Add b to the pre-activations.",
        (
            _lines(
                rnn=[
                    (
                        "h[t] = np.tanh(W @ h[t - 1] + U @ x[t] + b)",
                        "h[t] = np.tanh(W @ h[t - 1] + U @ x[t])",
                    )
                ],
                gru=[
                    (
                        "u_r, u_z, u_n = np.split(U @ x[t] + b, 3, axis=-1)",
                        "u_r, u_z, u_n = np.split(U @ x[t], 3, axis=-1)",
                    )
                ],
                lstm=[
                    (
                        "a_g, a_i, a_f, a_o = np.split(W @ h[t - 1] + U @ x[t] + b, 4, axis=-1)",
                        "a_g, a_i, a_f, a_o = np.split(W @ h[t - 1] + U @ x[t], 4, axis=-1)",
                    )
                ],
            ),
        ),
    ),
    Mistake(
        "previous_state_in_output_gradient",
        "the gradient of V from h_{t-1} instead of h_t",
        "dV = sum_t do_t h_t^T",
        "Multiply do_t by the state of the same step.",
        (_of_network(("dV += np.outer(do, h[t])", "dV += np.outer(do, h[t - 1])")),),
    ),
    Mistake(
        "previous_input_in_input_gradient",
        "the gradient of U from x_{t-1} instead of x_t",
        "dU = sum_t da_t x_t^T",
        "Multiply da_t by the input of the same step.",
        (
            _every("dU += np.outer(da, x[t])", "dU += np.outer(da, x[t - 1])", "rnn", "lstm"),
            _every("dU += np.outer(du, x[t])", "dU += np.outer(du, x[t - 1])", "gru"),
        ),
    ),
    Mistake(
        "not_summed_over_steps",
        "the gradients of one step instead of their sum",
        "dW = sum_t da_t h_{t-1}^T",
        "Add to the gradients at each step (+=).",
        (
            Variant(
                {
                    NETWORK: [
                        ("dV += np.outer(do, h[t])", "dV = np.outer(do, h[t])"),
                        ("dc += do", "dc = do"),
                    ],
                    "rnn": [
                        ("dU += np.outer(da, x[t])", "dU = np.outer(da, x[t])"),
                        ("dW += np.outer(da, h[t - 1])", "dW = np.outer(da, h[t - 1])"),
                        ("db += da", "db = da"),
                    ],
                    "gru": [
                        ("dU += np.outer(du, x[t])", "dU = np.outer(du, x[t])"),
                        ("dW += np.outer(dw, h[t - 1])", "dW = np.outer(dw, h[t - 1])"),
                        ("db += du", "db = du"),
                        ("dd += dq", "dd = dq"),
                    ],
                    "lstm": [
                        ("dU += np.outer(da, x[t])", "dU = np.outer(da, x[t])"),
                        ("dW += np.outer(da, h[t - 1])", "dW = np.outer(da, h[t - 1])"),
                        ("db += da", "db = da"),
                    ],
                }
            ),
        ),
    ),
    Mistake(
        "first_step_dropped",
        "the first step left out on the way back",
        "sum over t = 1, ..., T",
        "Let the backward loop include the first step.",
        (
            Variant(
                {NETWORK: [(_OUTPUT_LOOP, "for t in range(1, len(y)):")]}
                | {c: [(_BACK, "for t in reversed(range(1, len(x))):")] for c in CELLS}
            ),
            _every(_BACK, "for t in reversed(range(1, len(x))):"),
        ),
    ),
    Mistake(
        "last_step_dropped",
        "the last step left out on the way back",
        "sum over t = 1, ..., T",
        "Let the backward loop include the last step.",
        (
            Variant(
                {NETWORK: [(_OUTPUT_LOOP, "for t in range(len(y) - 1):")]}
                | {c: [(_BACK, "for t in reversed(range(len(x) - 1)):")] for c in CELLS}
            ),
            _every(_BACK, "for t in reversed(range(len(x) - 1)):"),
        ),
    ),
    Mistake(
        "no_gradient_to_lower_layer",
        "no gradient to the layer below",
        "dx_t = U^T da_t",
        "Pass the gradient of a layer's inputs to the layer below.",
        (
            _every(_DX.format("da"), "dx[t] = 0", "rnn", "lstm"),
            _every(_DX.format("du"), "dx[t] = 0", "gru"),
        ),
    ),
    Mistake(
        "mean_instead_of_sum",
        "the mean over the steps instead of the sum",
        "loss = -sum_t log p_t[y_t]",
        "The loss is summed over the sequence: do not divide by T.",
        (Variant(transform=_mean),),
    ),
    Mistake(
        "biases_doubled",
        "the gradients of the biases twice",
        "db = sum_t da_t",
        "Add each step to the gradients of the biases once.",
        tuple(Variant(transform=_doubled(*symbols)) for symbols in ("bdc", "bd", "b", "c")),
    ),
    Mistake(
        "scaled",
        "every gradient multiplied by one number",
        "loss = -sum_t log p_t[y_t]",
        "Do not divide by a number of characters, and do not clip by the norm before comparing.",
        (Variant(transform=_scaled),),
    ),
    Mistake(
        "clipped",
        "clipped before comparing",
        "g = clip(g, -limit, limit)",
        "Compare first and clip afterwards: a clipped gradient is not the gradient of the loss.",
        (Variant(transform=_clipped),),
    ),
)

_OF_GATES = (
    Mistake(
        "gate_order",
        "the gates' rows in another order",
        "the rows of U, W and b: r, z, n (GRU); g, i, f, o (LSTM)",
        "Compare the order of the gates with the problem's README; libraries have other orders.",
        (
            _lines(
                gru=[
                    (
                        "u_r, u_z, u_n = np.split(U @ x[t] + b, 3, axis=-1)",
                        "u_z, u_r, u_n = np.split(U @ x[t] + b, 3, axis=-1)",
                    ),
                    (
                        "w_r, w_z, w_n = np.split(W @ h[t - 1], 3, axis=-1)",
                        "w_z, w_r, w_n = np.split(W @ h[t - 1], 3, axis=-1)",
                    ),
                    (
                        "du = np.concatenate([da_r, da_z, da_n])",
                        "du = np.concatenate([da_z, da_r, da_n])",
                    ),
                    (
                        "dw = np.concatenate([da_r, da_z, dq])",
                        "dw = np.concatenate([da_z, da_r, dq])",
                    ),
                ]
            ),
            *(_lstm_order(order) for order in ("ifgo", "ifog", "figo", "fiog")),
            Variant(transform=_rows(1, 0, 2)),
            Variant(transform=_rows(1, 2, 0, 3)),
            Variant(transform=_rows(1, 2, 3, 0)),
            Variant(transform=_rows(2, 1, 0, 3)),
            Variant(transform=_rows(2, 1, 3, 0)),
        ),
    ),
    Mistake(
        "update_gate_derivative_missing",
        "no derivative of the update gate",
        "da_z = dh_t * (h_{t-1} - n) * z * (1 - z)",
        "Multiply by the derivative of the logistic function, z (1 - z).",
        (_lines(gru=[(_DA_Z, "da_z = dh * (h[t - 1] - n[t])")]),),
    ),
    Mistake(
        "update_gate_sign",
        "the sign of the update gate's gradient",
        "da_z = dh_t * (h_{t-1} - n) * z * (1 - z)",
        "h_t = (1 - z) n + z h_{t-1}, so its derivative by z is h_{t-1} - n.",
        (_lines(gru=[(_DA_Z, "da_z = dh * (n[t] - h[t - 1]) * z[t] * (1 - z[t])")]),),
    ),
    Mistake(
        "update_gate_exchanged",
        "z and 1 - z exchanged",
        "h_t = (1 - z) n + z h_{t-1}",
        "Here z keeps the old state. In the first paper on GRUs it lets the new one in.",
        (
            _lines(
                gru=[
                    (_GRU_CELL, "h[t] = z[t] * n[t] + (1 - z[t]) * h[t - 1]"),
                    (_DA_N, "da_n = dh * z[t] * (1 - n[t] ** 2)"),
                    (_DA_Z, "da_z = dh * (n[t] - h[t - 1]) * z[t] * (1 - z[t])"),
                    (_GRU_NEXT, "dh_next = W.T @ dw + (1 - z[t]) * dh"),
                ]
            ),
        ),
    ),
    Mistake(
        "reset_gate_derivative_missing",
        "no derivative of the reset gate",
        "da_r = da_n * q * r * (1 - r)",
        "Multiply by the derivative of the logistic function, r (1 - r).",
        (_lines(gru=[(_DA_R, "da_r = da_n * q[t]")]),),
    ),
    Mistake(
        "reset_gate_missing_in_gradient",
        "no reset gate on the way back",
        "dq = da_n * r",
        "r multiplies q in the forward pass, so it multiplies the gradient of q.",
        (_lines(gru=[("dq = da_n * r[t]", "dq = da_n")]),),
    ),
    Mistake(
        "candidate_bias_ignored",
        "no second bias in the candidate",
        "q = W_n h_{t-1} + d",
        "The candidate has two biases: d is inside the product with r.",
        (_lines(gru=[("q[t] = w_n + d", "q[t] = w_n")]),),
    ),
    Mistake(
        "reset_before_product",
        "the reset gate applied to the state, before the product with W_n",
        "n = tanh(U_n x_t + b_n + r * (W_n h_{t-1} + d))",
        "Here r multiplies the product, as in PyTorch and Keras. In the first paper on GRUs it"
        " multiplies the state.",
        (
            _lines(
                gru=[
                    ("q[t] = w_n + d", "q[t] = np.split(W, 3)[2] @ (r[t] * h[t - 1]) + d"),
                    ("n[t] = np.tanh(u_n + r[t] * q[t])", "n[t] = np.tanh(u_n + q[t])"),
                    ("dq = da_n * r[t]", "dq = da_n"),
                    (
                        _DA_R,
                        "da_r = np.split(W, 3)[2].T @ da_n * h[t - 1] * r[t] * (1 - r[t])",
                    ),
                    (
                        "dW += np.outer(dw, h[t - 1])",
                        (
                            "dW += np.concatenate([np.outer(dw[: -len(dq)], h[t - 1]),"
                            " np.outer(dq, r[t] * h[t - 1])])"
                        ),
                    ),
                    (
                        _GRU_NEXT,
                        (
                            "dh_next = W.T @ np.concatenate([da_r, da_z, 0 * dq])"
                            " + r[t] * (np.split(W, 3)[2].T @ dq) + z[t] * dh"
                        ),
                    ),
                ]
            ),
        ),
    ),
    Mistake(
        "direct_path_missing",
        "no gradient through z * h_{t-1}",
        "dh_{t-1} = e_{t-1} + z * dh_t + W^T [da_r; da_z; dq]",
        "h_{t-1} is also copied into h_t, weighted by z: add z * dh.",
        (_lines(gru=[(_GRU_NEXT, "dh_next = W.T @ dw")]),),
    ),
    Mistake(
        "no_cell_state_gradient",
        "no gradient from the next cell state",
        "dc_t = dh_t * o * (1 - tanh(c_t)^2) + dc_{t+1} * f_{t+1}",
        "The cell state is carried to the next step: add the gradient that comes back from it.",
        (_lines(lstm=[(_LSTM_DC, "dc = dh * o[t] * (1 - np.tanh(c[t]) ** 2)")]),),
    ),
    Mistake(
        "forget_gate_missing_in_gradient",
        "no forget gate on the way back",
        "dc_{t-1} = dc_t * f_t + ...",
        "f multiplies c_{t-1} in the forward pass, so it multiplies the gradient that goes back.",
        (_lines(lstm=[("dc_next = dc * f[t]", "dc_next = dc")]),),
    ),
    Mistake(
        "cell_state_derivative_missing",
        "no derivative of tanh(c)",
        "dc_t = dh_t * o * (1 - tanh(c_t)^2) + dc_{t+1} * f_{t+1}",
        "h = o tanh(c): multiply by 1 - tanh(c)^2.",
        (
            _lines(lstm=[(_LSTM_DC, "dc = dh * o[t] + dc_next")]),
            _lines(lstm=[(_LSTM_DC, "dc = dh * o[t] * (1 - c[t] ** 2) + dc_next")]),
        ),
    ),
    Mistake(
        "cell_state_not_squashed",
        "h = o c for h = o tanh(c)",
        "h_t = o * tanh(c_t)",
        "Apply tanh to the cell state before the output gate.",
        (
            _lines(
                lstm=[
                    ("h[t] = o[t] * np.tanh(c[t])", "h[t] = o[t] * c[t]"),
                    (_LSTM_DC, "dc = dh * o[t] + dc_next"),
                    (_DA_O, "da_o = dh * c[t] * o[t] * (1 - o[t])"),
                ]
            ),
        ),
    ),
    *(
        Mistake(
            f"{name}_gate_derivative_missing",
            f"no derivative of the {name} gate",
            equation,
            f"Multiply by the derivative of the logistic function, {gate} (1 - {gate}).",
            (_lines(lstm=[(right, wrong)]),),
        )
        for name, gate, equation, right, wrong in (
            (
                "input",
                "i",
                "da_i = dc_t * g * i * (1 - i)",
                "da_i = dc * g[t] * i[t] * (1 - i[t])",
                "da_i = dc * g[t]",
            ),
            (
                "forget",
                "f",
                "da_f = dc_t * c_{t-1} * f * (1 - f)",
                "da_f = dc * c[t - 1] * f[t] * (1 - f[t])",
                "da_f = dc * c[t - 1]",
            ),
            (
                "output",
                "o",
                "da_o = dh_t * tanh(c_t) * o * (1 - o)",
                _DA_O,
                "da_o = dh * np.tanh(c[t])",
            ),
        )
    ),
    Mistake(
        "current_cell_in_forget_gradient",
        "the gradient of the forget gate from c_t instead of c_{t-1}",
        "da_f = dc_t * c_{t-1} * f * (1 - f)",
        "The forget gate multiplies the cell state before the step.",
        (
            _lines(
                lstm=[
                    (
                        "da_f = dc * c[t - 1] * f[t] * (1 - f[t])",
                        "da_f = dc * c[t] * f[t] * (1 - f[t])",
                    )
                ]
            ),
        ),
    ),
    Mistake(
        "initial_cell_state_ignored",
        "the cell state before the sequence taken as zero",
        "c_t = f * c_{t-1} + i * g, t = 1",
        "Start from c0 of the problem as well as from h0.",
        (_lines(lstm=[(_LSTM_START, _LSTM_START.replace('state["c"]', '0 * state["c"]'))]),),
    ),
)

MISTAKES: dict[str, Mistake] = {mistake.name: mistake for mistake in (*_OF_ALL, *_OF_GATES)}


def mistakes_of(cell: str) -> list[Mistake]:
    """Return the mistakes that a network of this cell can have."""
    return [mistake for mistake in MISTAKES.values() if mistake.variants_for(cell)]


def load_mistake(cell: str, names: Sequence[str]) -> Reference:
    """Return the reference with mistakes, each in its first variant for the cell.

    Parameters
    ----------
    cell : str
        The name of a cell in `CELLS`.
    names : sequence of str
        Names in `MISTAKES` that replace lines; those that only change the result have none.

    Raises
    ------
    ConflictingMistakesError
        Two of them replace the same line.
    KeyError
        There is no such mistake.
    """
    return patched(cell, [MISTAKES[name].variants_for(cell)[0] for name in names])


def patched(cell: str, variants: Sequence[Variant]) -> Reference:
    """Return the reference with the lines of all variants replaced."""
    return Reference(
        cell=_compiled(CELLS[cell].reference, _replacements(cell, variants)),
        network=_compiled(network, _replacements(NETWORK, variants)),
    )


def _replacements(module: str, variants: Sequence[Variant]) -> tuple[Replacement, ...]:
    return tuple(pair for variant in variants for pair in variant.lines.get(module, ()))


@cache
def _source(module: ModuleType) -> tuple[str, ...]:
    return tuple(inspect.getsource(module).splitlines())


@cache
def _compiled(module: ModuleType, replacements: tuple[Replacement, ...]) -> ModuleType:
    if not replacements:
        return module
    lines = list(_source(module))
    for right, wrong in replacements:
        places = [number for number, line in enumerate(lines) if line.strip() == right]
        if len(places) != 1:
            raise ConflictingMistakesError(f"{len(places)} lines are {right!r}.")
        (place,) = places
        line = lines[place]
        lines[place] = line[: len(line) - len(line.lstrip())] + wrong
    copy = ModuleType(module.__name__)
    # The program's own source, with lines of this module.
    exec(compile("\n".join(lines), module.__file__ or "", "exec"), copy.__dict__)  # noqa: S102
    return copy
