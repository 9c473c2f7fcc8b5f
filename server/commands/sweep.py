"""`python -m server sweep`: run a sweep in a data directory, without a browser."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from server.commands.console import TrainingConsole
from server.commands.options.sweep_request import option_error
from server.corpora.decoding import NotTextError, decode_text
from server.corpora.library import CorpusLibrary, CorpusTooShortError
from server.corpora.visible_text import without_controls
from server.errors import ConflictError
from server.files.directory_lock import DirectoryInUseError, lock_directory
from server.files.disk_errors import StorageError
from server.files.durable import make_directory
from server.installation import CORPORA
from server.runs.supervisor import DATABASE, Supervisor
from server.settings import Settings
from server.spec.limits import Limits
from server.spec.live_messages import LiveMessage
from server.spec.run_spec import SpecError
from server.store.migrations import MigrationError, NewerDatabaseError, check_version
from server.sweeps.run_events import RunEvents
from server.sweeps.schemas import (
    Sweep,
    SweepRun,
    SweepSpec,
    SweepState,
    settings_text,
    value_text,
)
from server.sweeps.service import SweepService

__all__ = ["SweepError", "print_best", "run_sweep"]

LOCK_TIMEOUT_S = 0.0
DISPLAY_EVERY_S = 0.2
MAX_CONFIGURATIONS_SHOWN = 10


EXPLAINED = (
    *(ConflictError, StorageError, MigrationError, NewerDatabaseError),
    *(NotTextError, CorpusTooShortError),
)
"""Errors whose messages are sentences."""


class SweepError(RuntimeError):
    """The command failed; the message is one sentence."""


class _NoViewers:
    """A `Publisher` without viewers."""

    def publish(self, run: str, message: LiveMessage) -> None:
        """Do nothing."""

    def is_watched(self, _run: str) -> bool:
        """Return False."""
        return False

    def restart(self, run: str) -> None:
        """Do nothing."""

    def close(self, run: str) -> None:
        """Do nothing."""


def run_sweep(
    settings: Settings, text: Path | None, spec: SweepSpec | None, console: TrainingConsole
) -> Sweep:
    """Run a sweep until it has ended or a stop is requested.

    Its runs are in the data directory afterwards, where a server shows them.

    Parameters
    ----------
    settings : Settings
        The data directory and the limits.
    text : pathlib.Path or None
        The file to learn from; None: the shipped text, or that of the sweep's spec.
    spec : SweepSpec or None
        The sweep; None: the newest one in the data directory that has not ended.
    console : TrainingConsole
        Shows the progress, and requests the stop.

    Returns
    -------
    Sweep
        The sweep as it is then.

    Raises
    ------
    SweepOptionError
        A field of the sweep is not valid, or a run would not be possible.
    SweepError
        A server uses the data directory, the file cannot be learned from, there is no sweep to
        continue, or a limit is reached.
    """
    # As in `serve`: other users of the machine must not read what is stored.
    os.umask(0o077)
    data_dir = settings.data_dir
    try:
        make_directory(data_dir)
        with lock_directory(data_dir, LOCK_TIMEOUT_S):
            check_version(data_dir / DATABASE)
            return asyncio.run(_run(settings, text, spec, console))
    except DirectoryInUseError as error:
        raise SweepError(
            f"A server uses {data_dir}: start the sweep on its page, or stop the server first."
        ) from error
    except SpecError as error:
        raise option_error(error) from error
    except EXPLAINED as error:
        raise SweepError(f"{str(error).rstrip('.')}.") from error
    except OSError as error:
        raise SweepError(f"{error.filename or data_dir}: {error.strerror}.") from error


async def _run(
    settings: Settings, text: Path | None, spec: SweepSpec | None, console: TrainingConsole
) -> Sweep:
    library = CorpusLibrary(CORPORA, settings.data_dir)
    async with _open_sweeps(settings, library) as sweeps:
        if spec is None:
            sweep = await _continue(sweeps, settings.data_dir)
        else:
            sweep = await sweeps.create(_with_text(spec, text, library))
        return await _follow(sweeps, sweep, console)


@contextlib.asynccontextmanager
async def _open_sweeps(settings: Settings, library: CorpusLibrary) -> AsyncIterator[SweepService]:
    """Open the sweeps of a data directory; at the end, every run that trains is checkpointed."""
    limits = Limits(
        settings.max_training_runs,
        settings.max_network_bytes,
        settings.max_runs,
        settings.max_stored_bytes,
    )
    events = RunEvents(_NoViewers())
    supervisor = await Supervisor.open(settings.data_dir, library, events, limits)
    try:
        sweeps = await SweepService.open(supervisor, events)
        try:
            yield sweeps
        finally:
            await sweeps.close()
    finally:
        await supervisor.close()


def _with_text(spec: SweepSpec, text: Path | None, library: CorpusLibrary) -> SweepSpec:
    """Return a sweep on a text, which is added to the others unless it is one of them."""
    if text is None:
        return spec
    content = text.read_bytes()
    decoded = decode_text(content).text
    known = (
        corpus.id
        for corpus in library.list()
        if corpus.characters == len(decoded) and library.text(corpus.id) == decoded
    )
    corpus = next(known, None) or library.add(content, text.stem).id
    return spec.model_copy(update={"spec": spec.spec | {"corpus": corpus}})


async def _continue(sweeps: SweepService, data_dir: Path) -> Sweep:
    """Resume the newest sweep that has not ended, with all its paused runs, and return it."""
    for sweep in sweeps.sweeps():
        if sweep.state in {SweepState.RUNNING, SweepState.PAUSED}:
            # One that runs would wait for a run that a person has paused on its page.
            return await sweeps.resume(sweep.id)
    raise ConflictError(f"{data_dir} has no sweep to continue.")


async def _follow(sweeps: SweepService, sweep: Sweep, console: TrainingConsole) -> Sweep:
    """Show the progress of a sweep until it has ended, is paused, or a stop is requested."""
    printed = {number for number, run in enumerate(sweep.runs) if run.ended}
    columns = (
        BarColumn(),
        TextColumn("{task.fields[runs]}"),
        TextColumn("{task.fields[best]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console.console, transient=True) as progress:
        task = progress.add_task("", total=None, runs="", best="")
        while True:
            for number, run in enumerate(sweep.runs):
                if run.ended and number not in printed:
                    printed.add(number)
                    _print(console.console, _sentence(run, sweep.spec.seeds))
            best = "" if sweep.best is None else f"best {sweep.best.value:.4g}"
            runs = f"{sweep.ended:,} of {sweep.planned:,} runs"
            progress.update(task, total=sweep.planned, completed=sweep.ended, runs=runs, best=best)
            if sweep.state is not SweepState.RUNNING or console.should_stop:
                return sweep
            await asyncio.sleep(DISPLAY_EVERY_S)
            sweep = sweeps.get(sweep.id).describe()


def _sentence(run: SweepRun, seeds: int) -> str:
    settings = settings_text(run.parameters | ({"seed": run.seed} if seeds > 1 else {}))
    if run.error is not None:
        return f"{settings}: {run.error}"
    value = "stopped" if run.value is None else f"{run.value:.4g}"
    early = f", stopped early at update {run.update:,}" if run.stopped_early else ""
    return f"{settings}: {value}{early}"


def _print(console: Console, sentence: str) -> None:
    # It may quote a file, which must not control the terminal.
    console.print(without_controls(sentence), markup=False, highlight=False)


def print_best(sweep: Sweep, console: Console) -> None:
    """Print a table of the configurations with the lowest losses."""
    complete: dict[int, list[SweepRun]] = {}
    for run in sweep.runs:
        if run.value is not None and run.state == "finished":
            complete.setdefault(run.configuration, []).append(run)
    means = {
        number: sum(run.value or 0.0 for run in runs) / len(runs)
        for number, runs in complete.items()
        if len(runs) == sweep.spec.seeds
    }
    goal = sweep.spec.goal.replace("_", " ")
    table = Table(title=f"{sweep.name}: {goal}, {sweep.unit}")
    for column in (goal, *sweep.spec.parameters, "run"):
        table.add_column(column.replace("_", " "), justify="right")
    for number in sorted(means, key=lambda number: means[number])[:MAX_CONFIGURATIONS_SHOWN]:
        runs = complete[number]
        values = (runs[0].parameters[name] for name in sweep.spec.parameters)
        ids = ", ".join(run.run for run in runs if run.run is not None)
        table.add_row(f"{means[number]:.4f}", *map(value_text, values), ids)
    console.print(table)
    if sweep.importance is not None:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in sweep.importance.items())
        _print(console, f"Importance: {shares}.")
    _print(console, f"A server on this data directory shows the sweep at /sweeps?sweep={sweep.id}.")
