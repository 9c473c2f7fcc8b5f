"""The Dask cluster on which runs train: which machines there are, and where each run is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.cluster.node.task import Assignment
from server.cluster.remote_worker import MAX_HOW_CHARACTERS, RemoteWorker
from server.cluster.scheduler import ClusterSettings, DaskWorker, Scheduler, SchedulerLostError
from server.concurrency.child_process import OnEvent, OnExit
from server.concurrency.json_lines import Message
from server.spec.schemas import Machine
from server.store import placements
from server.store.executor import StoreExecutor
from server.store.placements import Placement
from server.worker.launcher import Launcher, MachineUnavailableError, WorkerConnection
from server.worker.messages import Start

__all__ = ["DaskCluster"]

log = logging.getLogger(__name__)

POLL_EVERY_S = 1.0
RETRY_EVERY_S = 2.0
NO_FREE_SLOTS = "No machine of the cluster has enough free slots."
# Of the 10 s in which the server must end.
DETACH_TIMEOUT_S = 0.5


@dataclass(slots=True)
class Placed:
    """A run that has a placement."""

    placement: Placement
    number: int
    token: str
    worker: RemoteWorker
    task: asyncio.Task[None] | None = None


class DaskCluster:
    """The cluster, from the server's side.

    Parameters
    ----------
    settings : ClusterSettings
        The addresses.
    store : StoreExecutor
        The database, for the placements.
    on_change : callable
        Called when machines or their free slots have changed.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        store: StoreExecutor,
        on_change: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._on_change = on_change
        self._ca = None if settings.ca is None else settings.ca.read_text(encoding="ascii")
        self._scheduler = Scheduler(settings)
        # Of the scheduler that is connected, "" if none is.
        self._identity = ""
        self._machines: dict[str, DaskWorker] = {}
        self._placed: dict[str, Placed] = {}
        self._lost_on: dict[str, str] = {}
        self._first_contact = asyncio.Event()
        self._polling = asyncio.create_task(self._poll())

    # -- the scheduler ----------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Keep the connection to the scheduler, and the list of machines."""
        while True:
            try:
                await self._update()
                self._first_contact.set()
                await asyncio.sleep(POLL_EVERY_S)
            except (OSError, TimeoutError, ValueError) as error:
                if self._identity:
                    log.warning("The scheduler cannot be reached: %s", error)
                await self._disconnect()
                self._first_contact.set()
                await asyncio.sleep(RETRY_EVERY_S)

    async def wait_for_scheduler(self) -> None:
        """Wait until it is known which machines there are, or that the scheduler is away."""
        await self._first_contact.wait()

    async def _update(self) -> None:
        identity, machines = await self._scheduler.read()
        changed = (identity, machines) != (self._identity, self._machines)
        self._identity, self._machines = identity, machines
        for placed in list(self._placed.values()):
            where = placed.placement
            # Another scheduler does not know it; the agent itself is connected, or will be.
            if where.scheduler == identity and where.address not in machines:
                placed.worker.lose("it has left the cluster")
        if changed:
            self._on_change()

    async def _disconnect(self) -> None:
        changed, self._identity, self._machines = bool(self._identity), "", {}
        await self._scheduler.close()
        if changed:
            self._on_change()

    # -- machines ---------------------------------------------------------------------------------

    def machines(self) -> list[Machine]:
        """Return the machines, with the runs whose workers are there."""
        known = [
            Machine(
                name=machine.name,
                address=machine.address,
                slots=machine.slots,
                used=self._used(machine.address),
                state=machine.state,
                runs=self._runs_at(machine.address),
            )
            for machine in self._machines.values()
        ]
        # Runs go on without the scheduler, or on a machine that it knows no more.
        gone = {
            placed.placement.address: placed.placement
            for placed in self._placed.values()
            if placed.placement.address not in self._machines
        }
        return known + [
            Machine(
                name=placement.machine,
                address=address,
                slots=self._used(address),
                used=self._used(address),
                state="unreachable",
                runs=self._runs_at(address),
            )
            for address, placement in gone.items()
        ]

    def _runs_at(self, address: str) -> list[str]:
        return [run for run, placed in self._placed.items() if placed.placement.address == address]

    def _used(self, address: str) -> int:
        return sum(
            placed.placement.slots
            for placed in self._placed.values()
            if placed.placement.address == address
        )

    def machine_of(self, run: str) -> str | None:
        """Return the name of the machine that a run has, or None."""
        placed = self._placed.get(run)
        return None if placed is None else placed.placement.machine

    def obstacle(self, slots: int, starting: Mapping[str, int]) -> str | None:
        """Return why no machine has so many slots free; see `Cluster.obstacle`."""
        if not self._identity:
            return f"The cluster's scheduler at {self._settings.scheduler} cannot be reached."
        if not self._machines:
            return "The cluster has no machine at present."
        unplaced = [taken for run, taken in starting.items() if run not in self._placed]
        if not self._with_free_slots(slots, unplaced):
            return NO_FREE_SLOTS
        return None

    def _with_free_slots(self, slots: int, unplaced: Sequence[int] = ()) -> list[DaskWorker]:
        """Return the machines for so many slots, the one with the most free slots first.

        A run that needs more slots than any machine has trains alone on a largest one. `unplaced`
        are the slots of runs that will have a machine before this one.
        """
        most = max(machine.slots for machine in self._machines.values())
        free = {
            machine: machine.slots - self._used(machine.address)
            for machine in self._machines.values()
            if machine.state == "ready"
        }
        for taken in unplaced:
            largest = max(free, key=free.__getitem__, default=None)
            if largest is not None:
                free[largest] -= min(taken, most)
        fitting = [machine for machine, left in free.items() if left >= min(slots, most)]
        return sorted(fitting, key=lambda machine: -free[machine])

    def _choose(self, run: str, slots: int) -> DaskWorker:
        if (obstacle := self.obstacle(slots, {})) is not None:
            advice = " Stop another run, or add a machine." if obstacle == NO_FREE_SLOTS else ""
            raise MachineUnavailableError(obstacle + advice)
        fitting = self._with_free_slots(slots)
        others = [machine for machine in fitting if machine.name != self._lost_on.get(run)]
        return (others or fitting)[0]

    # -- placements -------------------------------------------------------------------------------

    def launcher(self, run: str, directory: Path) -> Launcher:
        """Return the launcher of a run, whose files are in a directory of this machine."""
        return DaskLauncher(self, run, directory)

    async def launch(
        self, run: str, directory: Path, slots: int, *, on_event: OnEvent, on_exit: OnExit
    ) -> RemoteWorker:
        """Place a run; see `Launcher.launch`."""
        machine = self._choose(run, slots)
        token = secrets.token_urlsafe(32)
        placement = Placement(
            machine.name, machine.address, self._identity, min(slots, machine.slots)
        )
        placed = self._add(
            run, directory, placement, token_hash(token), on_event=on_event, on_exit=on_exit
        )
        try:
            placed.number = await self._store(placements.begin, run, placed.token, placement)
        except BaseException:
            self._placed.pop(run, None)
            raise
        placed.worker.await_connection()
        placed.task = asyncio.create_task(self._run_task(run, placed, token))
        self._on_change()
        return placed.worker

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
        for record in await self._store(placements.live):
            if record.run == run:
                placed = self._add(
                    run,
                    directory,
                    record.placement,
                    record.token,
                    on_event=on_event,
                    on_exit=on_exit,
                    spec=spec,
                )
                placed.number = record.number
                return placed.worker
        return None

    def await_agents(self) -> None:
        """Begin to wait for the agents of adopted workers: this server is about to listen."""
        for placed in self._placed.values():
            if placed.worker.adopted:
                placed.worker.await_connection()

    def _add(
        self,
        run: str,
        directory: Path,
        placement: Placement,
        token: str,
        *,
        on_event: OnEvent,
        on_exit: OnExit,
        spec: Message | None = None,
    ) -> Placed:
        async def end_placement(*, lost: bool) -> None:
            if self._placed.get(run) is placed:
                del self._placed[run]
            if placed.task is not None:
                placed.task.cancel()
            if lost:
                self._lost_on[run] = placement.machine
            await self._store(placements.end, run, placed.number)
            self._on_change()

        worker = RemoteWorker(
            placement.machine,
            directory,
            on_event,
            on_exit,
            end_placement,
            spec=spec,
        )
        placed = self._placed[run] = Placed(placement, 0, token, worker)
        return placed

    async def _run_task(self, run: str, placed: Placed, token: str) -> None:
        """Submit the task of a placement, and wait for its end."""
        assignment = Assignment(
            url=f"{self._settings.url}/ws/workers/{run}", token=token, ca=self._ca
        )
        key = f"hurrah-{run}-{placed.number}"
        try:
            await self._scheduler.train(assignment, key, placed.placement.address)
        except SchedulerLostError:
            # An agent that was started is connected, or will be again. Otherwise it is unknown
            # whether the task has reached its machine, and the run does not wait for that.
            if not placed.worker.has_connected:
                await self._disconnect()
                placed.worker.lose("the scheduler was lost before its agent connected")
        except Exception as error:  # noqa: BLE001 - the task's
            log.warning("the task of run %s failed: %s", run, error)
            text = " ".join(str(error).split())[:MAX_HOW_CHARACTERS].rstrip(".")
            placed.worker.lose(f"its agent failed: {text}")
        else:
            placed.worker.lose("its agent has ended")

    def find(self, run: str, token: str) -> RemoteWorker | None:
        """Return the worker of the run's placement, if this is its token."""
        found = token_hash(token)
        placed = self._placed.get(run)
        if placed is not None and hmac.compare_digest(found, placed.token):
            return placed.worker
        return None

    async def detach(self) -> None:
        """Leave the workers training, because the server ends."""
        self._polling.cancel()
        await asyncio.gather(*(placed.worker.detach() for placed in self._placed.values()))
        await self._scheduler.close(DETACH_TIMEOUT_S)


class DaskLauncher:
    """Starts the workers of one run in the cluster.

    Parameters
    ----------
    cluster : DaskCluster
        The cluster.
    run : str
        Id of the run.
    directory : pathlib.Path
        The run's directory.
    """

    def __init__(self, cluster: DaskCluster, run: str, directory: Path) -> None:
        self._cluster = cluster
        self._run = run
        self._directory = directory

    async def launch(self, start: Start, on_event: OnEvent, on_exit: OnExit) -> WorkerConnection:
        """Start a worker process; see `Launcher`."""
        slots = min(start.spec["threads"], start.spec["batch_size"])
        return await self._cluster.launch(
            self._run, self._directory, slots, on_event=on_event, on_exit=on_exit
        )


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
