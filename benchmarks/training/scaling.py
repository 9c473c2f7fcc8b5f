"""The growth of an update's time with each size of the network."""

from dataclasses import replace
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.training.comparison import settings, with_numpy
from benchmarks.training.tasks import Task, vocabulary
from benchmarks.training.timing import Candidate, measure
from server.rnn.training.trainer import Trainer

TEXT_LENGTH = 200_000
SECONDS = 0.03

# One size grows while the others stay constant.
AXES: dict[str, tuple[Task, tuple[int, ...]]] = {
    "hidden_size": (Task(), (50, 100, 200, 400, 800)),
    "sequence_length": (Task(), (12, 25, 50, 100, 200)),
    "vocabulary_size": (Task(), (38, 76, 152, 304, 608)),
    "batch_size": (Task(sequence_length=50, batch_size=50), (12, 25, 50, 100, 200)),
}


def scaling() -> Table:
    """Fit the exponent of an update's time as a power of each size."""
    table = Table(title="The growth of an update's time with one size, the others constant")
    for heading in ("size", "values", "median, µs", "exponent"):
        table.add_column(heading, justify="right" if heading == "exponent" else "left")
    for axis, (task, sizes) in AXES.items():
        timings = measure({str(n): _contestant(axis, task, n) for n in sizes}, SECONDS)
        medians = np.array([timings[str(n)].median for n in sizes])
        exponent, _ = np.polyfit(np.log(sizes), np.log(medians), 1)
        table.add_row(
            axis.replace("_", " "),
            ", ".join(map(str, sizes)),
            ", ".join(f"{median * 1e6:,.0f}" for median in medians),
            f"{exponent:.2f}",
        )
    return table


def _contestant(axis: str, task: Task, size: int) -> Candidate:
    sizes: dict[str, Any] = {"vocabulary_size": len(vocabulary()), axis: size}
    K = sizes.pop("vocabulary_size")
    text = np.random.default_rng(0).integers(0, K, TEXT_LENGTH)
    return Candidate(run=with_numpy(Trainer(text, K, settings(replace(task, **sizes)))).update)
