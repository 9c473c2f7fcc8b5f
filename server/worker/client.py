"""The server's end of a worker process, which is started when it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.concurrency.child_process import ChildExitedError, ChildRefusedError, OnEvent, OnExit
from server.concurrency.json_lines import Message
from server.concurrency.typed_messages import Command
from server.errors import ConflictError
from server.files.disk_errors import as_storage_error
from server.worker.launcher import (
    Launcher,
    MachineLostError,
    MachineUnavailableError,
    WorkerConnection,
)
from server.worker.messages import Report, Shutdown, Start, parse_event

__all__ = ["FindWorker", "WorkerClient"]

GIVEN_UP = "The run was paused, stopped or deleted before its machine had started it."

FindWorker = Callable[[OnEvent, OnExit], Awaitable[WorkerConnection | None]]


class WorkerClient:
    """A run's worker process, which may or may not exist.

    Parameters
    ----------
    launcher : Launcher
        Starts the process.
    prepare : callable
        Awaited before a worker starts; takes whether it is to train, and returns its first command.
    on_report : callable
        Awaited with each report.
    on_exit : callable
        Awaited with a clause that says how a worker ended which had not been stopped.

    Attributes
    ----------
    stopping : bool
        Whether the worker was last told to stop, or killed.
    """

    def __init__(
        self,
        launcher: Launcher,
        prepare: Callable[[bool], Awaitable[Start]],
        on_report: Callable[[Report], Awaitable[None]],
        on_exit: OnExit,
    ) -> None:
        self._launcher = launcher
        self._prepare = prepare
        self._on_report = on_report
        self._on_exit = on_exit
        self._process: WorkerConnection | None = None
        # Held while a worker starts or stops.
        self._transition = asyncio.Lock()
        self._killed = False
        # How many callers start a worker; the one that is loading the run; and how often the starts
        # in progress were given up.
        self._starting = 0
        self._loading: WorkerConnection | None = None
        self._starts_given_up = 0
        self.stopping = False

    @property
    def process(self) -> WorkerConnection | None:
        """The process, which identifies the worker; None without a worker."""
        return self._process

    @property
    def alive(self) -> bool:
        """Whether there is a process, which has the run's network in memory."""
        return self._process is not None and self._process.alive

    @property
    def machine(self) -> str | None:
        """The machine on which the process is; None without one."""
        return self._process.machine if self._process is not None and self._process.alive else None

    @property
    def killed(self) -> bool:
        """Whether `kill` was called: no worker will start any more."""
        return self._killed

    async def request(self, command: Command) -> Message:
        """Start a worker if there is none, send it a command, and return its reply.

        Raises
        ------
        MachineLostError
            Its machine was lost before it replied.
        ConflictError
            It refused the command, or ended before it replied.
        StorageError
            It could not write a file.
        """
        process = await self.start_if_needed()
        try:
            return await process.request(command)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError as error:
            if process.remote:
                raise MachineLostError(
                    f"Machine {process.machine} was lost before it completed the command."
                ) from error
            raise ConflictError(
                "The run's process ended before it completed the command."
            ) from error

    async def request_if_alive(self, command: Command) -> Message | None:
        """Send a command if there is a worker; return None if there is none, or if it ends first.

        Raises
        ------
        ConflictError, StorageError
            As for `request`.
        """
        async with self._transition:
            process = self._process
        if process is None:
            return None
        try:
            return await process.request(command)
        except ChildRefusedError as error:
            raise _refusal(error) from error
        except ChildExitedError:
            return None

    def notify(self, command: Command) -> None:
        """Send a command that is not answered, if there is a worker."""
        if self._process is not None:
            self._process.notify(command)

    def set_interval(self, seconds: float) -> None:
        """Set the shortest time between two reports, in seconds, if there is a worker."""
        if self._process is not None:
            self._process.set_interval(seconds)

    async def start_if_needed(self, *, training: bool = False) -> WorkerConnection:
        """Return the worker's process; a worker that is started now trains if `training` is true.

        Raises
        ------
        MachineUnavailableError
            No machine is free, or the one that was to train the run was lost.
        ConflictError
            The run was deleted, or the worker could not start.
        """
        given_up = self._starts_given_up
        self._starting += 1
        try:
            async with self._transition:
                if self._killed:
                    raise ConflictError("The run was deleted.")
                if self._process is not None and self._process.alive:
                    return self._process
                return await self._start(training, given_up)
        finally:
            self._starting -= 1

    async def _start(self, training: bool, given_up: int) -> WorkerConnection:
        """Start a worker, unless more than `given_up` starts have been given up."""
        if self._starts_given_up > given_up:
            raise MachineUnavailableError(GIVEN_UP)
        start = await self._prepare(training)
        self.stopping = False
        loaded = False

        async def on_exit(how: str) -> None:
            # A machine that is lost before the worker has loaded the run is reported below.
            if not self.stopping and (loaded or not process.remote):
                await self._on_exit(how)

        process = await self._launcher.launch(start, self._on_event, on_exit)
        self._process = self._loading = process
        if self._starts_given_up > given_up and process.remote:
            process.kill()
        try:
            await process.request(start)
        except (ChildExitedError, ChildRefusedError) as error:
            process.kill()
            if self._starts_given_up > given_up and process.remote:
                raise MachineUnavailableError(GIVEN_UP) from error
            if process.remote:
                text = f"Machine {process.machine} could not train the run: {error}."
                raise MachineLostError(text) from error
            raise ConflictError("The run's process could not start.") from error
        except Exception:
            # It waits for a first command that does not come.
            process.kill()
            raise
        finally:
            self._loading = None
        loaded = True
        return process

    def give_up_start(self) -> bool:
        """End a worker on another machine that is just starting: the machine may be frozen.

        Returns
        -------
        bool
            Whether a worker is starting. One on this machine is not ended.
        """
        self._starts_given_up += 1
        if self._loading is not None and self._loading.remote:
            self._loading.kill()
        return self._starting > 0

    async def adopt(self, find: FindWorker) -> bool:
        """Take over a worker that an earlier server left training; return whether there is one."""

        async def on_exit(how: str) -> None:
            if not self.stopping:
                await self._on_exit(how)

        async with self._transition:
            self._process = await find(self._on_event, on_exit)
        return self._process is not None

    async def stop(self, unless: Callable[[], bool] = lambda: False) -> bool:
        """End the worker, if there is one, once it has carried out the commands before this.

        Parameters
        ----------
        unless : callable
            Called when no other worker can start any more; if it returns True, the worker stays.

        Returns
        -------
        bool
            Whether there is no worker now.
        """
        async with self._transition:
            if unless():
                return False
            self.stopping = True
            process, self._process = self._process, None
            if process is not None:
                process.notify(Shutdown())
                await process.terminate()
        return True

    async def kill(self) -> None:
        """Kill the worker, if there is one; no other will start."""
        self._killed = True
        self.give_up_start()
        # The lock waits for a worker that is just starting, so that it is killed too.
        async with self._transition:
            self.stopping = True
            if self._process is not None:
                self._process.kill()
                await self._process.terminate()

    async def _on_event(self, message: Message) -> None:
        await self._on_report(parse_event(message))


def _refusal(error: ChildRefusedError) -> Exception:
    storage_error = as_storage_error(OSError(error.errno, ""))
    return storage_error or ConflictError(f"The command failed: {error}.")
