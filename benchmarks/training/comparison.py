"""How fast the network learns, beside the textbook loop, PyTorch and JAX."""

import importlib
from functools import cache
from types import ModuleType
from typing import Literal

from rich.table import Table

from benchmarks.training.tasks import Task, indices, text, vocabulary
from benchmarks.training.textbook import TextbookTrainer
from benchmarks.training.timing import Contestant, Timing, measure
from server.rnn.backend.selection import fitting_kernel, load_numba
from server.rnn.training.trainer import Trainer, TrainerSettings

ENGINE = "Hurrah"

TASKS = (
    Task(),
    Task(sequence_length=50, batch_size=50),
    Task(hidden_size=512, sequence_length=50, batch_size=50),
    Task(cell="gru", sequence_length=50, batch_size=50),
    Task(cell="lstm", sequence_length=50, batch_size=50),
)

# Long enough for the medians to stand still to a hundredth or so.
SECONDS = 0.2


class ForgetfulTrainer(Trainer):
    """A trainer that does not keep its best model, to learn what keeping it costs."""

    def _save_best(self) -> None:
        self._best_is_current = False


def settings(task: Task, dtype: Literal["float32", "float64"] = "float32") -> TrainerSettings:
    """Return the settings of a trainer that does `task`."""
    return TrainerSettings(
        cell=task.cell,
        hidden_size=task.hidden_size,
        sequence_length=task.sequence_length,
        batch_size=task.batch_size,
        dtype=dtype,
    )


@cache
def optional(module: str) -> ModuleType | str:
    """Return a module of this package, or why what it imports cannot be."""
    try:
        return importlib.import_module(f"benchmarks.training.{module}")
    except (ImportError, OSError) as error:  # OSError: a library that it is linked with
        return str(error)


def by_numpy(trainer: Trainer) -> Trainer:
    """Return `trainer`, which has not begun, held to NumPy also where Numba is installed."""
    arrays, scalars = trainer.state()
    trainer.restore(arrays, scalars | {"kernel": "numpy"})
    return trainer


def contestants(task: Task) -> dict[str, Contestant]:
    """Return all who can do `task` here, by name."""
    K, own = len(vocabulary()), settings(task)
    found = {ENGINE: Contestant(run=by_numpy(Trainer(indices(), K, own)).update)}
    if fitting_kernel(own) == "numba":
        found["Hurrah, Numba"] = Contestant(run=Trainer(indices(), K, own).update)
    if task == Task():
        found |= {
            "Hurrah, float64": Contestant(
                run=Trainer(indices(), K, settings(task, "float64")).update
            ),
            "Hurrah, no best kept": Contestant(
                run=by_numpy(ForgetfulTrainer(indices(), K, own)).update
            ),
            "textbook, float64": Contestant(run=TextbookTrainer(text()).update),
        }
    if isinstance(pytorch := optional("with_pytorch"), ModuleType):
        found["PyTorch, eager"] = Contestant(run=pytorch.PyTorchTrainer(task).update)
    if isinstance(jax := optional("with_jax"), ModuleType):
        found["JAX, an update"] = Contestant(run=jax.JAXTrainer(task).update)
        found["JAX, a scan"] = Contestant(
            run=jax.JAXTrainer(task).scan, operations=jax.UPDATES_A_SCAN
        )
    return found


def absent() -> list[str]:
    """Return who does not take part, and why."""
    modules = {"PyTorch": optional("with_pytorch"), "JAX": optional("with_jax")}
    if load_numba() is None:
        modules["Numba"] = "it is not installed"
    return [
        f"{name} does not take part: {reason}."
        for name, reason in modules.items()
        if isinstance(reason, str)
    ]


def contest() -> Table:
    """Time every contestant at every task, those of a task taking turns."""
    table = Table(title="One update: float32, AdaGrad, gradients clipped by value")
    for heading in ("cell and sizes", "contestant"):
        table.add_column(heading, no_wrap=True)
    for heading in ("median, µs", "spread", "updates/s", "characters/s", "Hurrah's lead"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task in TASKS:
        timings = measure(contestants(task), SECONDS)
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
