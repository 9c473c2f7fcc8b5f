"""The smooth losses of networks trained with each known mistake, beside the right one's.

``python -m benchmarks mistakes [CELL ...]`` trains the reference on the shipped novel and writes
the file that the page "Mistakes" and docs/course.md take their figures from. It keeps what the file
has, so that an interrupted run goes on; delete the file to begin again.
"""

import json
import math
import time
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from benchmarks.training.tasks import indices, vocabulary
from server.course.symptoms import FILE
from server.course.training import (
    Learner,
    gradient_errors,
    initial_parameters,
    right_reference,
    training_mistakes,
    wrong_reference,
)

SEQUENCE_LENGTH = 25
RIGHT = "right"


@dataclass(frozen=True)
class Plan:
    """Networks to train with every mistake.

    Attributes
    ----------
    hidden_size : int
        m.
    updates : int
        How many updates are made.
    seeds, right_seeds : int
        How many networks are trained with each mistake, and without one.
    only : tuple of str
        The mistakes; empty for all.
    """

    hidden_size: int
    updates: int
    seeds: int
    right_seeds: int
    layers: int = 1
    only: tuple[str, ...] = ()

    @property
    def checked_at(self) -> int:
        """The update of the right network after which the gradients are compared."""
        return self.updates // 10


# Mistakes that every cell can have are measured with the vanilla network.
OF_EVERY_CELL = {mistake.name for mistake in training_mistakes("rnn")}


def _own(cell: str) -> tuple[str, ...]:
    names = (mistake.name for mistake in training_mistakes(cell))
    return tuple(name for name in names if name not in OF_EVERY_CELL)


PLANS = {
    "rnn": [
        Plan(50, 10_000, 2, 6),
        Plan(50, 5_000, 2, 3, layers=2, only=("no_gradient_to_lower_layer",)),
    ],
    "gru": [Plan(30, 3_000, 2, 4, only=_own("gru"))],
    "lstm": [Plan(30, 3_000, 2, 4, only=_own("lstm"))],
}


def mistakes(arguments: list[str], console: Console) -> None:
    """Train the networks of the cells named, by default of all."""
    start_s = time.process_time()
    for cell in arguments or list(PLANS):
        for plan in PLANS[cell]:
            _carry_out(cell, plan, console)
    console.print(f"Processor time: {time.process_time() - start_s:.0f} s.")


def _carry_out(cell: str, plan: Plan, console: Console) -> None:
    names = plan.only or tuple(each.name for each in training_mistakes(cell, plan.layers))
    for seed in range(plan.right_seeds):
        for name in (RIGHT, *names) if seed < plan.seeds else (RIGHT,):
            networks = _read()
            found = _entry(networks, cell, plan)
            trainings = found["right"] if name == RIGHT else found["mistakes"].setdefault(name, [])
            if any(each["seed"] == seed for each in trainings):
                continue
            result = _train(cell, plan, name, seed)
            if name == RIGHT:
                errors = _compare_gradients(cell, plan, names, seed) if seed < plan.seeds else {}
                result["gradient_errors"] = errors
            trainings.append(result)
            _write(networks)
            console.print(f"{cell} {name} seed {seed}: {result['smooth_loss']}")


def _learner(cell: str, plan: Plan, name: str, seed: int) -> Learner:
    start = initial_parameters(
        cell=cell,
        layers=plan.layers,
        hidden_size=plan.hidden_size,
        vocabulary_size=len(vocabulary()),
        seed=seed,
    )
    reference = right_reference(cell) if name == RIGHT else wrong_reference(cell, name)
    return Learner(reference, start, indices(), SEQUENCE_LENGTH)


def _train(cell: str, plan: Plan, name: str, seed: int) -> dict[str, object]:
    learner = _learner(cell, plan, name, seed)
    smooth = []
    while learner.update < plan.updates:
        learner.train()
        smooth.append(learner.smooth_loss)
        if not math.isfinite(learner.smooth_loss):
            return {"seed": seed, "smooth_loss": None, "not_finite_at": learner.update}
    return {"seed": seed, "smooth_loss": round(smooth[-1], 3)}


def _compare_gradients(
    cell: str, plan: Plan, names: tuple[str, ...], seed: int
) -> dict[str, dict[str, float]]:
    """Return the errors of each mistake's gradients at the parameters of the right network."""
    right = _learner(cell, plan, RIGHT, seed)
    while right.update < plan.checked_at:
        right.train()
    return {
        name: {
            parameter: round(error, 6)
            for parameter, error in gradient_errors(right, wrong_reference(cell, name)).items()
        }
        for name in names
    }


def _read() -> list[dict]:  # type: ignore[type-arg]
    return json.loads(FILE.read_text(encoding="utf-8"))["networks"] if FILE.exists() else []


def _entry(networks: list[dict], cell: str, plan: Plan) -> dict:  # type: ignore[type-arg]
    sizes = {
        "cell": cell,
        "layers": plan.layers,
        "hidden_size": plan.hidden_size,
        "sequence_length": SEQUENCE_LENGTH,
        "updates": plan.updates,
        "checked_at": plan.checked_at,
    }
    for each in networks:
        if sizes.items() <= each.items():
            return each
    networks.append(sizes | {"right": [], "mistakes": {}})
    return networks[-1]


def _write(networks: list[dict]) -> None:  # type: ignore[type-arg]
    content = {
        "text": "the-lamps-of-saltmere",
        "distinct": len(vocabulary()),
        "numpy": np.__version__,
        "networks": networks,
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
