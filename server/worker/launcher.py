"""How a run's worker process is started, and where: the interface, and the one for this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from server.concurrency.child_process import JsonChildProcess, OnEvent, OnExit
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command
from server.errors import ConflictError
from server.files.durable import clear_unfinished
from server.spec.schemas import SERVER_MACHINE, Machine
from server.worker.messages import Start

__all__ = [
    "Cluster",
    "Launcher",
    "LocalLauncher",
    "MachineLostError",
    "MachineUnavailableError",
    "WorkerConnection",
]


class MachineUnavailableError(ConflictError):
    """No machine can train the run now; the message is a sentence."""


class MachineLostError(MachineUnavailableError):
    """The machine that was to train the run was lost before the worker had loaded it."""


class WorkerConnection(Protocol):
    """The server's end of the connection to a worker process.

    Messages are handled in order. When `request` returns, every event that the worker sent before
    its reply has been handled. The errors are those of `JsonChildProcess`.

    Attributes
    ----------
    machine : str
        The name of the machine on which the process runs.
    remote : bool
        Whether that may be another machine, so that a run whose worker is lost continues elsewhere.
    """

    @property
    def machine(self) -> str: ...  # noqa: D102 - see Attributes

    @property
    def remote(self) -> bool: ...  # noqa: D102 - see Attributes

    @property
    def alive(self) -> bool:
        """Whether the process is running, as far as the server knows."""
        ...

    async def request(self, command: Command) -> Message:
        """Send a command and return its reply."""
        ...

    def notify(self, command: Command) -> None:
        """Send a command that is not answered."""

    def set_interval(self, seconds: float) -> None:
        """Set the shortest time between two reports, in seconds."""

    async def terminate(self) -> None:
        """Wait until a process that was told to shut down has ended; kill it if need be."""

    def kill(self) -> None:
        """Kill the process."""


class Launcher(Protocol):
    """Starts the worker processes of one run."""

    async def launch(self, start: Start, on_event: OnEvent, on_exit: OnExit) -> WorkerConnection:
        """Start a worker process, to which the caller sends `start` next.

        Parameters
        ----------
        start : Start
            The first command.
        on_event : callable
            Awaited with each event, as its JSON object.
        on_exit : callable
            Awaited once with a clause that says how the process ended.

        Raises
        ------
        MachineUnavailableError
            There is no machine for it now.
        """
        ...


class Cluster(Protocol):
    """Machines on which runs train instead of this one."""

    def launcher(self, run: str, directory: Path) -> Launcher:
        """Return the launcher of a run, whose files are in a directory of this machine."""
        ...

    async def adopt(
        self,
        run: str,
        directory: Path,
        spec: Message,
        *,
        on_event: OnEvent,
        on_exit: OnExit,
    ) -> WorkerConnection | None:
        """Return the worker that an earlier server left training; None if there is none."""
        ...

    def obstacle(self, slots: int, starting: Mapping[str, int]) -> str | None:
        """Return why no machine has so many slots free, in a sentence; None if one has.

        Parameters
        ----------
        slots : int
            How many slots a run needs.
        starting : mapping of str to int
            The slots of the runs that start, by their ids. They are taken too, even if a run has no
            machine yet.
        """
        ...

    def machine_of(self, run: str) -> str | None:
        """Return the name of the machine that a run has, or None."""
        ...

    def machines(self) -> list[Machine]:
        """Return the machines, with the runs whose workers are there."""
        ...

    async def detach(self) -> None:
        """Leave the workers training, because the server ends."""


class LocalWorker(JsonChildProcess):
    """A worker process on the server's machine."""

    machine = SERVER_MACHINE
    remote = False

    def set_interval(self, seconds: float) -> None:
        """Change nothing: on a pipe, the 20 reports a second of the worker cost little."""


class LocalLauncher:
    """Starts worker processes on the server's machine."""

    async def launch(self, start: Start, on_event: OnEvent, on_exit: OnExit) -> WorkerConnection:
        """Start a worker process; see `Launcher`."""
        directory = Path(start.directory).parent

        async def clear_and_exit(how: str) -> None:
            # An unfinished file may be as large as everything else that the run stores.
            try:
                await asyncio.to_thread(clear_unfinished, directory, worker.pid)
            finally:
                await on_exit(how)

        worker = await LocalWorker.start("server.worker", on_event, clear_and_exit)
        return worker
