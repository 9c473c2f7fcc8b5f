"""All sweeps of a data directory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from datetime import UTC, datetime

from pydantic import ValidationError

from server.concurrency.background_tasks import run_to_end
from server.concurrency.capacity import CapacityLimit
from server.errors import UnknownSweepError
from server.files.disk_errors import StorageError
from server.runs.supervisor import Supervisor
from server.spec.run_draft import random_name
from server.store import sweeps
from server.sweeps.results import StoredSweep
from server.sweeps.run_events import RunEvents
from server.sweeps.samplers.sampler import make_sampler
from server.sweeps.schemas import Sweep, SweepSpec
from server.sweeps.sweep_controller import SweepController
from server.sweeps.trials import StoredRun
from server.sweeps.validation import check_parameters, check_sweep, search_space

__all__ = ["SweepService"]

log = logging.getLogger(__name__)

MAX_SWEEPS = 500
CLOSE_TIMEOUT_S = 2.0
CHECK_EVERY_S = 1.0
"""How often an active sweep is looked after if nothing happens."""


class SweepService:
    """All sweeps.

    Opened by `SweepService.open`, ended by `close` before the supervisor is closed. The first
    active sweep takes the free slots; the next one has those that it leaves.

    Parameters
    ----------
    supervisor : Supervisor
        All runs.
    events : RunEvents
        What happens to them.
    """

    def __init__(self, supervisor: Supervisor, events: RunEvents) -> None:
        self._supervisor = supervisor
        self._events = events
        self._controllers: dict[str, SweepController] = {}
        refusal = f"The limit is {MAX_SWEEPS:,} sweeps: delete one to create another."
        self._capacity = CapacityLimit(MAX_SWEEPS, lambda: len(self._controllers), refusal)
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, supervisor: Supervisor, events: RunEvents) -> SweepService:
        """Load all sweeps, and continue those that have not ended."""
        service = cls(supervisor, events)
        for text in await supervisor.store(sweeps.list_sweeps):
            try:
                stored = StoredSweep.model_validate_json(text)
                runs = [
                    StoredRun.model_validate_json(run)
                    for run in await supervisor.store(sweeps.list_runs, stored.id)
                ]
                controller = service._make_controller(stored, runs)
            except (ValidationError, ValueError) as error:
                log.warning("a sweep is left out, it cannot be read: %s", error)
                continue
            if not controller.deleted:
                service._controllers[stored.id] = controller
                continue
            try:
                await controller.finish_deletion()
            except Exception:
                log.exception("sweep %s will be deleted at the next start", stored.id)
        service._task = asyncio.create_task(service._advance_all())
        return service

    async def close(self) -> None:
        """Start no more runs; those that train are left to the supervisor."""
        self._closing = True
        self._events.happened.set()
        if self._task is not None:
            # Not cancelled: a run that is being created must be complete.
            await asyncio.wait({self._task}, timeout=CLOSE_TIMEOUT_S)

    def _make_controller(self, stored: StoredSweep, runs: list[StoredRun]) -> SweepController:
        return SweepController(stored, runs, self._supervisor, self._events.happened.set)

    # -- actions ----------------------------------------------------------------------------------

    async def create(self, spec: SweepSpec) -> Sweep:
        """Create a sweep; its first runs start at once if slots are free.

        Raises
        ------
        SpecError
            A field is not valid, or a run would not be possible.
        LimitReachedError
            There are too many sweeps.
        StorageError
            The disk is full.
        """
        check_parameters(spec)
        space = search_space(spec)
        make_sampler(spec, space)
        await asyncio.to_thread(check_sweep, spec, space, self._supervisor.measure)
        with self._capacity.reserve():
            stored = StoredSweep(
                id=secrets.token_hex(6),
                name=spec.name or random_name(),
                spec=spec,
                created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            )
            await run_to_end(self._add(stored))
        return self.get(stored.id).describe()

    async def _add(self, stored: StoredSweep) -> None:
        await self._supervisor.store(sweeps.add_sweep, stored.id, stored.model_dump_json())
        self._controllers[stored.id] = self._make_controller(stored, [])
        self._events.happened.set()

    def sweeps(self) -> list[Sweep]:
        """Return all sweeps, newest first."""
        controllers = reversed(self._controllers.values())
        return [controller.describe() for controller in controllers if not controller.deleted]

    def json(self) -> list[bytes]:
        """Return the JSON of all sweeps, newest first."""
        controllers = reversed(self._controllers.values())
        return [controller.json() for controller in controllers if not controller.deleted]

    def get(self, sweep: str) -> SweepController:
        """Return a sweep by its id.

        Raises
        ------
        UnknownSweepError
            There is none.
        """
        controller = self._controllers.get(sweep)
        if controller is None or controller.deleted:
            raise UnknownSweepError(sweep)
        return controller

    async def pause(self, sweep: str) -> Sweep:
        """Pause a sweep as `SweepController.pause` does."""
        controller = self.get(sweep)
        await run_to_end(controller.pause())
        return controller.describe()

    async def resume(self, sweep: str) -> Sweep:
        """Resume a sweep as `SweepController.resume` does."""
        controller = self.get(sweep)
        await run_to_end(controller.resume())
        return controller.describe()

    async def stop(self, sweep: str) -> Sweep:
        """End a sweep as `SweepController.stop` does."""
        controller = self.get(sweep)
        await run_to_end(controller.stop())
        return controller.describe()

    async def delete(self, sweep: str, *, with_runs: bool) -> None:
        """Delete a sweep as `SweepController.delete` does."""
        await run_to_end(self._delete(self.get(sweep), with_runs=with_runs))

    async def _delete(self, controller: SweepController, *, with_runs: bool) -> None:
        await controller.delete(with_runs=with_runs)
        del self._controllers[controller.id]

    # -- what happens by itself -------------------------------------------------------------------

    async def _advance_all(self) -> None:
        events = self._events
        while not self._closing:
            events.happened.clear()
            active = [each for each in self._controllers.values() if each.active]
            for controller in active:
                try:
                    await controller.advance()
                except StorageError as error:
                    log.warning("sweep %s has to wait: %s", controller.id, error)
                except Exception:
                    log.exception("sweep %s cannot continue now", controller.id)
            events.followed = {run for each in active for run in each.followed}
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(events.happened.wait(), CHECK_EVERY_S if active else None)
