"""The time of an update compared with the time of its necessary arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.training.comparison import ENGINE, TASKS, settings, with_numpy
from benchmarks.training.tasks import CLIP, LEARNING_RATE, Task, indices, vocabulary
from benchmarks.training.timing import Candidate, measure
from server.rnn.optimizers import make_optimizer
from server.rnn.optimizers.clipping import clip_by_value
from server.rnn.training.trainer import Trainer

SECONDS = 0.03

# Timing the parts evicts the update's data from the cache, so several updates follow each other.
UPDATES_A_TURN = 5

Array: TypeAlias = NDArray[np.float32]

# The number of executions of each part in an update, and the part itself, by name.
Parts: TypeAlias = dict[str, tuple[int, Callable[[], object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The element-wise work in a cell's equations, in passes over arrays of B x m numbers.

    Attributes
    ----------
    gates : int
        The number of gates, all computed by one product.
    tanhs : int
        tanh per step; a sigmoid is a tanh and two passes.
    passes, passes_back : int
        Element-wise sums and products per step, forward and backward.
    slopes : int
        Passes over the whole sequence at once: the factors in the derivatives that do not depend
        on the following step.
    """

    gates: int
    tanhs: int
    passes: int
    passes_back: int
    slopes: int


RECURRENCES = {
    "rnn": Recurrence(gates=1, tanhs=1, passes=0, passes_back=2, slopes=2),
    # Two sigmoids (4); r * recurrent + input (2); n + z * (h - n) (3).
    "gru": Recurrence(gates=3, tanhs=3, passes=9, passes_back=7, slopes=8),
    # Three sigmoids (6); f * c + i * g (3); o * tanh(c) (1).
    "lstm": Recurrence(gates=4, tanhs=5, passes=10, passes_back=8, slopes=10),
}


def lower_bound() -> Table:
    """Compare the update of each task with the sum of its parts, each timed alone."""
    table = Table(title="An update beside its lower bound: its products and passes, each alone")
    for heading in ("cell and sizes", "update, µs", "lower bound, µs", "ratio"):
        table.add_column(heading, justify="left" if heading.startswith("cell") else "right")
    for task in TASKS:
        parts = parts_of_update(task)
        trainer = with_numpy(Trainer(indices(), len(vocabulary()), settings(task)))
        engine = Candidate(run=partial(_several, trainer), operations=UPDATES_A_TURN)
        alone = {name: Candidate(run=part) for name, (_, part) in parts.items()}
        timings = measure({ENGINE: engine, **alone}, SECONDS)
        least = sum(times * timings[name].median for name, (times, _) in parts.items())
        update = timings[ENGINE].median
        table.add_row(
            str(task), f"{update * 1e6:,.0f}", f"{least * 1e6:,.0f}", f"{update / least:.2f}"
        )
    return table


def _several(trainer: Trainer) -> None:
    for _ in range(UPDATES_A_TURN):
        trainer.update()


def parts_of_update(task: Task) -> Parts:
    """Return the parts of an update of a task.

    Each part has its own arrays in the best layout. Every step has different arrays, because the
    backward pass of an update needs those of all steps.
    """
    m, T, B, K = task.hidden_size, task.sequence_length, task.batch_size, len(vocabulary())
    cell, R = RECURRENCES[task.cell], T * B
    states, gates = _random(T, B, m), _random(R, cell.gates * m)
    rows, tanhs = states.reshape(R, m), _random(T, B, cell.tanhs * m)
    # Factors of 1, because a repeated pass must not change the magnitude of the numbers.
    steps, ones = states.reshape(T, B * m), np.ones((T, B * m), np.float32)
    return {
        "input rows": (
            1,
            partial(_random(K, cell.gates * m).take, _characters(R), 0, gates, "clip"),
        ),
        "recurrent products": _recurrent(states, cell.gates),
        "tanhs": (1, _each_step(np.tanh, tanhs, tanhs)),
        "passes": (cell.passes + cell.passes_back, _each_step(np.multiply, steps, ones, steps)),
        "slopes": (cell.slopes, partial(np.multiply, steps, ones, steps)),
        "recurrent products back": _recurrent(states, cell.gates),
        "gradient of W": (1, _product(rows.T, gates)),
        # Each row is added to the sum of its character.
        "gradient of U": (1, partial(np.maximum, gates, gates, out=gates)),
        **_output(rows, K),
        **_optimizer(cell.gates * m * (K + m + 1) + K * m + K),
    }


def _output(states: Array, K: int) -> Parts:
    """Return the parts between the states and the loss, forward and backward."""
    R, m = states.shape
    o, p, column, ones = _random(R, K), _random(R, K), _random(R, 1), np.ones(K, np.float32)
    row = np.empty(R, np.float32)
    picked = np.arange(R) * K
    return {
        "logits": (1, _product(states, _random(m, K))),
        "greatest logits": (1, partial(o.argmax, 1, np.empty(R, np.intp))),
        "shift": (1, partial(np.subtract, o, column, p)),
        "exp": (1, partial(np.exp, o, p)),
        "sums": (1, partial(np.dot, o, ones, row)),
        "picked logits": (1, partial(o.take, picked, None, row, "clip")),
        "log": (1, partial(np.log, _random(R), row)),
        "division": (1, partial(np.divide, o, column, p)),
        "gradient of V": (1, _product(states.T, o)),
        "gradient of the states": (1, _product(o, _random(K, m))),
    }


def _optimizer(size: int) -> Parts:
    parameters, gradients = _random(size), _random(size)
    optimizer = make_optimizer("adagrad", parameters, gradients)
    return {
        "clipping": (1, partial(clip_by_value, gradients, CLIP)),
        "AdaGrad": (1, partial(optimizer.step, LEARNING_RATE)),
    }


def _characters(n: int) -> NDArray[np.intp]:
    return np.resize(indices(), n).astype(np.intp)


def _random(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(0.1, 1.0, shape).astype(np.float32)


def _product(a: Array, b: Array) -> Callable[[], object]:
    return partial(a.dot, b, np.empty((a.shape[0], b.shape[1]), np.float32))


def _recurrent(states: Array, gates: int) -> tuple[int, Callable[[], object]]:
    """Return the products of each step: a vector by all gates' weights, or rows by each gate's."""
    _, B, m = states.shape
    if B == 1:
        vectors = states[:, 0]
        return 1, _each_step(_random(m, gates * m).T.dot, vectors, _random(len(states), gates * m))
    weights = _random(m, m)
    return gates, _each_step(lambda a, out: a.dot(weights, out), states, np.empty_like(states))


def _each_step(function: Callable[..., object], *arrays: Array) -> Callable[[], object]:
    steps = list(zip(*arrays, strict=True))

    def run() -> None:
        for views in steps:
            function(*views)

    return run
