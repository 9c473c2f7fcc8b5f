"""The speed of training with two threads, compared with one and with PyTorch."""

import time
from dataclasses import replace
from types import ModuleType

from rich.table import Table

from benchmarks.training.comparison import import_optional, settings
from benchmarks.training.tasks import Task, indices, vocabulary
from benchmarks.training.timing import Candidate, measure
from server.rnn.training.trainer import Trainer

THREADS = (1, 2)

TASKS = tuple(
    Task(cell=cell, hidden_size=m, sequence_length=50, batch_size=50)
    for cell, m in (("rnn", 512), ("gru", 512), ("lstm", 512), ("lstm", 256), ("lstm", 100))
)

SECONDS = 0.5


def threads() -> Table:
    """Time updates with one and two threads, in turns."""
    table = Table(title="One update with several threads, wall-clock time on an idle machine")
    for heading in ("cell and sizes", "threads"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Hurrah, ms", "gain", "PyTorch, eager, ms", "gain", "Hurrah's lead"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task in TASKS:
        timings = measure(_candidates(task), SECONDS, time.perf_counter)
        for number in THREADS:
            own, row = timings[f"Hurrah {number}"], [f"{number}"]
            row += [f"{own.median * 1e3:.1f}", f"{own.times_faster_than(timings['Hurrah 1']):.2f}"]
            if (other := timings.get(f"PyTorch {number}")) is not None:
                gain = other.times_faster_than(timings["PyTorch 1"])
                row += [f"{other.median * 1e3:.1f}", f"{gain:.2f}"]
                row.append(f"{own.times_faster_than(other):.2f}")
            table.add_row(str(task) if number == THREADS[0] else "", *row)
        table.add_section()
    return table


def _candidates(task: Task) -> dict[str, Candidate]:
    own, K = settings(task), len(vocabulary())
    found = {
        f"Hurrah {number}": Candidate(
            run=Trainer(indices(), K, replace(own, threads=number)).update
        )
        for number in THREADS
    }
    if isinstance(pytorch := import_optional("with_pytorch"), ModuleType):
        found |= {
            f"PyTorch {number}": Candidate(run=pytorch.PyTorchTrainer(task, number).update)
            for number in THREADS
        }
    return found
