"""The speed of training, compared with the reference, PyTorch and JAX."""

import importlib
from functools import cache
from types import ModuleType
from typing import Literal

from rich.table import Table

from benchmarks.training.reference import reference_updates
from benchmarks.training.tasks import Task, indices, vocabulary
from benchmarks.training.timing import Candidate, Timing, measure
from server.rnn.backend.selection import NUMBA, fitting_kernel, load_numba
from server.rnn.training.trainer import Trainer, TrainerSettings

ENGINE = "Hurrah"

TASKS = (
    Task(),
    Task(sequence_length=50, batch_size=50),
    Task(hidden_size=512, sequence_length=50, batch_size=50),
    Task(cell="gru", sequence_length=50, batch_size=50),
    Task(cell="lstm", sequence_length=50, batch_size=50),
)

# Long enough for the medians to vary by only about one percent.
SECONDS = 0.2


class TrainerWithoutBest(Trainer):
    """A trainer that does not save its best model, to measure the cost of saving it."""

    def _save_best(self) -> None:
        self._best_is_current = False


def settings(task: Task, dtype: Literal["float32", "float64"] = "float32") -> TrainerSettings:
    """Return the trainer settings of a task."""
    return TrainerSettings(
        cell=task.cell,
        hidden_size=task.hidden_size,
        sequence_length=task.sequence_length,
        batch_size=task.batch_size,
        dtype=dtype,
    )


@cache
def import_optional(module: str) -> ModuleType | str:
    """Return a module of this package, or the error of an import that is not available."""
    try:
        return importlib.import_module(f"benchmarks.training.{module}")
    except (ImportError, OSError) as error:  # OSError: a library that it is linked with
        return str(error)


def with_numpy(trainer: Trainer) -> Trainer:
    """Make a new trainer use NumPy even if Numba is installed; return it."""
    if fitting_kernel(trainer.settings) != NUMBA:
        return trainer
    arrays, scalars = trainer.state()
    trainer.restore(arrays, scalars | {"kernel": "numpy"})
    return trainer


def candidates(task: Task) -> dict[str, Candidate]:
    """Return all candidates that are installed, by name."""
    K, own = len(vocabulary()), settings(task)
    found = {ENGINE: Candidate(run=with_numpy(Trainer(indices(), K, own)).update)}
    if fitting_kernel(own) == NUMBA:
        found["Hurrah, Numba"] = Candidate(run=Trainer(indices(), K, own).update)
    if task == Task():
        found |= {
            "Hurrah, float64": Candidate(
                run=Trainer(indices(), K, settings(task, "float64")).update
            ),
            "Hurrah, no best stored": Candidate(
                run=with_numpy(TrainerWithoutBest(indices(), K, own)).update
            ),
            "reference, float64": Candidate(run=reference_updates().__next__),
        }
    if isinstance(pytorch := import_optional("with_pytorch"), ModuleType):
        found["PyTorch, eager"] = Candidate(run=pytorch.PyTorchTrainer(task).update)
    if isinstance(jax := import_optional("with_jax"), ModuleType):
        found["JAX, an update"] = Candidate(run=jax.JAXTrainer(task).update)
        found["JAX, a scan"] = Candidate(
            run=jax.JAXTrainer(task).scan, operations=jax.UPDATES_A_SCAN
        )
    return found


def missing_candidates() -> list[str]:
    """Return a sentence for each candidate that is not available."""
    modules = {"PyTorch": import_optional("with_pytorch"), "JAX": import_optional("with_jax")}
    if load_numba() is None:
        modules["Numba"] = "it is not installed"
    return [
        f"{name} does not take part: {reason}."
        for name, reason in modules.items()
        if isinstance(reason, str)
    ]


def comparison() -> Table:
    """Time all candidates for each task, in turns."""
    table = Table(title="One update: float32, AdaGrad, gradients clipped by value")
    for heading in ("cell and sizes", "candidate"):
        table.add_column(heading, no_wrap=True)
    for heading in ("median, µs", "spread", "updates/s", "characters/s", "Hurrah's lead"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task in TASKS:
        timings = measure(candidates(task), SECONDS)
        for name, timing in timings.items():
            label = str(task) if name == ENGINE else ""
            table.add_row(label, name, *_figures(timing, task, timings[ENGINE]))
        table.add_section()
    return table


def _figures(timing: Timing, task: Task, engine: Timing) -> tuple[str, ...]:
    low, high = min(timing.seconds) * 1e6, max(timing.seconds) * 1e6
    return (
        f"{timing.median * 1e6:,.0f}",
        f"{low:,.0f} - {high:,.0f}",
        f"{1 / timing.median:,.0f}",
        f"{task.characters / timing.median:,.0f}",
        f"{engine.times_faster_than(timing):.2f}",
    )
