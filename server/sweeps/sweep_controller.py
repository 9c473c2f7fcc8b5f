"""One sweep: what a person can do with it, and how its runs are started, compared and ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from hashlib import sha256
from typing import Any

import numpy as np

from server.errors import ConflictError, LimitReachedError, UnknownRunError, UnknownSweepError
from server.files.disk_errors import StorageError
from server.files.failpoints import failpoint
from server.runs.creation import SweepPlace
from server.runs.supervisor import Supervisor
from server.spec.run_spec import SpecError
from server.spec.schemas import SETTLED, Group, Run, RunState
from server.store import queries, sweeps
from server.sweeps.early_stopping import falls_behind, rungs
from server.sweeps.importance import importance
from server.sweeps.results import StoredSweep, describe, in_unit, result_of
from server.sweeps.samplers.sampler import Sampler, make_sampler
from server.sweeps.schemas import Sweep, SweepState
from server.sweeps.space import Configuration
from server.sweeps.trials import StoredRun, Trial, trials_of
from server.sweeps.validation import run_spec_of, search_space

__all__ = ["SweepController"]

log = logging.getLogger(__name__)

ID_CHARACTERS = 12
ENDED_STATES = {SweepState.FINISHED, SweepState.STOPPED}


class SweepController:
    """A sweep and its runs.

    Everything that has to happen next follows from what is stored and from the states of the runs;
    `advance` does it, and may be called at any time. So a server that is started again continues
    where the one before ended.

    Parameters
    ----------
    stored : StoredSweep
        The sweep.
    runs : list of StoredRun
        Its runs, in the order in which they were created.
    supervisor : Supervisor
        All runs.
    on_change : callable
        Called after something that `advance` may have to act upon.
    """

    def __init__(
        self,
        stored: StoredSweep,
        runs: list[StoredRun],
        supervisor: Supervisor,
        on_change: Callable[[], None],
    ) -> None:
        self._stored = stored
        self._runs = runs
        # The place of each run that has not ended.
        self._open = {place: run for place, run in enumerate(runs) if not run.ended}
        # The trials of the runs; None when a run has changed since.
        self._trials_now: list[Trial] | None = None
        # How often the sweep or one of its runs was stored, and the JSON of the sweep.
        self._changes = 0
        self._json: tuple[object, bytes] = (None, b"")
        self._supervisor = supervisor
        self._on_change = on_change
        self._space = search_space(stored.spec)
        # All its runs take as many slots.
        self._example = run_spec_of(stored.spec, next(self._space.corners()))
        self._sampler: Sampler | None = None
        # What the supervisor has been asked to do, by the id of the run.
        self._pending: dict[str, asyncio.Task[None]] = {}
        # Held while the sweep is changed.
        self._lock = asyncio.Lock()

    @property
    def id(self) -> str:
        """The sweep's id."""
        return self._stored.id

    @property
    def deleted(self) -> bool:
        """Whether the sweep is being deleted."""
        return self._stored.deleting is not None

    @property
    def active(self) -> bool:
        """Whether runs are to be started, or have not ended."""
        return self._stored.state is SweepState.RUNNING or bool(self._open)

    @property
    def followed(self) -> set[str]:
        """The runs whose progress decides whether they are stopped early."""
        if not self._stored.spec.stop_early:
            return set()
        return {run.run for run in self._open.values() if run.run is not None}

    def describe(self) -> Sweep:
        """Return the sweep as it is now."""
        return describe(self._stored, self._space, self._runs, self._itself)

    def json(self) -> bytes:
        """Return the JSON of the sweep, which is made once for all viewers."""
        sweep = self._stored.spec
        found = [self._itself(run) for run in self._open.values()]
        about = (
            self._changes,
            [run and (run.state, run.update, result_of(sweep, run)) for run in found],
            # Others may have been deleted.
            sum(self._itself(run) is not None for run in self._runs),
        )
        if self._json[0] != about:
            self._json = about, self.describe().model_dump_json().encode()
        return self._json[1]

    def _trials(self) -> list[Trial]:
        if self._trials_now is None:
            self._trials_now = trials_of(self._runs, self._stored.spec.seeds)
        return self._trials_now

    def _itself(self, run: StoredRun) -> Run | None:
        if run.run is None:
            return None
        try:
            return self._supervisor.get(run.run).run
        except UnknownRunError:
            return None

    # -- actions of a person ----------------------------------------------------------------------

    async def pause(self) -> None:
        """Pause the sweep: its runs pause, and no others are started."""
        async with self._changing():
            if self._stored.state in ENDED_STATES:
                raise ConflictError(
                    f"The sweep is {self._stored.state}: there is nothing to pause."
                )
            await self._save(state=SweepState.PAUSED)
            await self._for_open_runs(self._supervisor.pause)

    async def resume(self) -> None:
        """Resume the sweep and all its paused runs."""
        async with self._changing():
            if self._stored.state in ENDED_STATES:
                raise ConflictError(
                    f"The sweep is {self._stored.state}: there is nothing to resume."
                )
            await self._save(state=SweepState.RUNNING, error=None)
            await self._for_open_runs(self._supervisor.resume)
        self._on_change()

    async def stop(self) -> None:
        """End the sweep and its runs, which keep what they have learned."""
        async with self._changing():
            if self._stored.state not in ENDED_STATES:
                await self._save(state=SweepState.STOPPED)
                failpoint("sweep.stopped")
                await self._for_open_runs(self._supervisor.stop)
                await self._follow_runs()

    async def delete(self, *, with_runs: bool) -> None:
        """Delete the sweep, with its runs or without; its active runs are stopped."""
        async with self._changing():
            await self._save(deleting="runs" if with_runs else "sweep")
            failpoint("sweep.deleting")
            await self._delete()

    async def finish_deletion(self) -> None:
        """Delete what an earlier server was deleting."""
        async with self._lock:
            await self._delete()

    async def _delete(self) -> None:
        if self._stored.deleting == "runs":
            for run in self._runs:
                # A person may delete it meanwhile.
                with contextlib.suppress(UnknownRunError):
                    await self._supervisor.delete(run.run or "")
        else:
            await self._for_open_runs(self._supervisor.stop)
            for run in self._runs:
                with contextlib.suppress(UnknownRunError):
                    controller = self._supervisor.get(run.run or "")
                    controller.run.sweep = None
                    await controller.recorder.publish_state()
        await self._supervisor.store(sweeps.delete_sweep, self.id)

    async def _for_open_runs(self, act: Callable[[str], Coroutine[Any, Any, Run]]) -> None:
        """Do something with all runs that have not ended, at the same time."""

        async def try_to(run: str) -> None:
            # It may have ended, or been deleted, meanwhile.
            with contextlib.suppress(ConflictError, UnknownRunError):
                await act(run)

        # What was asked before would be done afterwards.
        await asyncio.gather(*self._pending.values())
        existing = [run.run for run in self._open.values() if self._itself(run) is not None]
        await asyncio.gather(*(try_to(run) for run in existing if run is not None))

    @contextlib.asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        async with self._lock:
            if self.deleted:
                raise UnknownSweepError(self.id)
            yield

    # -- what happens by itself -------------------------------------------------------------------

    async def advance(self) -> None:
        """Do what has to be done next, as far as it is possible now."""
        async with self._lock:
            if self.deleted:
                return
            await self._follow_runs()
            while self._stored.state is SweepState.RUNNING and await self._start_next():
                pass
            done = not self._open and self._next_seed() is None and not self._draws_more
            if self._stored.state is SweepState.RUNNING and done:
                await self._save(state=SweepState.FINISHED)

    async def _follow_runs(self) -> None:
        if self._stored.spec.stop_early:
            for place in list(self._open):
                await self._compare(place)
        ended = False
        for place in list(self._open):
            ended = await self._follow(place) or ended
        if ended:
            found = await asyncio.to_thread(importance, self._trials(), self._space)
            if found != self._stored.importance:
                await self._save(importance=found)

    async def _follow(self, place: int) -> bool:
        """Act upon the state of a run that has not ended; return whether it has ended now."""
        run, sweep = self._open[place], self._stored.state
        itself = self._itself(run)
        if itself is None or itself.state in SETTLED | {RunState.FAILED}:
            await self._end(place, itself)
            return True
        if itself.state is RunState.PAUSED and itself.error is not None and not itself.disk_full:
            # Its loss was not finite.
            run.error = itself.error
            await self._save_run(place)
        if run.stopped_early or run.error is not None or sweep is SweepState.STOPPED:
            self._ask(run, self._supervisor.stop)
        elif itself.state is RunState.INTERRUPTED and sweep is SweepState.RUNNING:
            self._ask(run, self._supervisor.resume)
        return False

    async def _end(self, place: int, itself: Run | None) -> None:
        """Record how a run ended."""
        run = self._open[place]
        run.ended = True
        if itself is None:
            run.state, run.error = RunState.STOPPED, run.error or "The run was deleted."
        else:
            run.state, run.update = itself.state, itself.update
            # It may have made its last update before it was stopped.
            run.stopped_early = run.stopped_early and itself.state is RunState.STOPPED
            if run.error is None and itself.state is RunState.FAILED:
                run.error = itself.error
            if run.error is None and itself.diverged_since is not None:
                run.error = f"The loss diverged at update {itself.diverged_since:,}."
            if run.error is None:
                run.value = result_of(self._stored.spec, itself)
        failpoint("sweep.end_run")
        await self._save_run(place)
        del self._open[place]
        failpoint("sweep.run_ended")

    def _ask(self, run: StoredRun, act: Callable[[str], Coroutine[Any, Any, Run]]) -> None:
        """Have the supervisor do something with a run, in the background."""
        identity = run.run
        if identity is None or identity in self._pending:
            return

        async def ask() -> None:
            try:
                await act(identity)
            except UnknownRunError:
                # It was deleted, which the next `advance` records.
                pass
            except ConflictError as error:
                # It cannot be resumed; the next `advance` stops it.
                run.error = str(error)
            except StorageError as error:
                await self._pause_because(error)
            except Exception:
                # The next `advance` tries again.
                log.exception("sweep %s: run %s", self.id, identity)
            finally:
                del self._pending[identity]

        self._pending[identity] = asyncio.create_task(ask())

    async def _pause_because(self, error: Exception) -> None:
        """Start no more runs until a person resumes the sweep."""
        reason = f"{error.field} {error.message}." if isinstance(error, SpecError) else str(error)
        log.warning("sweep %s is paused: %s", self.id, reason)
        if self._stored.state is SweepState.RUNNING:
            await self._save(state=SweepState.PAUSED, error=reason)

    # -- early stopping ---------------------------------------------------------------------------

    async def _compare(self, place: int) -> None:
        """Record the loss of a run at each rung that it has reached; stop it if it falls behind."""
        run = self._open[place]
        itself = self._itself(run)
        if itself is None:
            return
        for rung in rungs(itself.spec.max_updates or 0):
            if rung in run.rungs or itself.update < rung:
                continue
            losses = await self._supervisor.store(
                queries.smooth_at, itself.id, np.array([rung], np.int64)
            )
            if not len(losses):
                return
            finite = bool(np.isfinite(losses[0]))
            loss = float(losses[0]) if finite else None
            run.rungs[rung] = in_unit(self._stored.spec, itself.spec, loss)
            await self._save_run(place)
            settled = itself.state in SETTLED
            if not settled and falls_behind(self._trials(), run.configuration - 1, rung):
                await self._stop_configuration(run.configuration)
                return

    async def _stop_configuration(self, configuration: int) -> None:
        """Stop the runs of a configuration that have not ended; its other seeds are not run."""
        for place, run in self._open.items():
            if run.configuration == configuration:
                run.stopped_early = True
                await self._save_run(place)
        failpoint("sweep.stopping_early")

    # -- new runs ---------------------------------------------------------------------------------

    @property
    def _draws_more(self) -> bool:
        configurations = min(self._stored.spec.runs, self._space.size)
        return not self._stored.exhausted and self._configurations < configurations

    @property
    def _configurations(self) -> int:
        return self._runs[-1].configuration if self._runs else 0

    def _next_seed(self) -> tuple[int, Configuration, int] | None:
        """Return the first configuration that lacks a run, and how many runs it has."""
        seeds = self._stored.spec.seeds
        if seeds == 1:
            return None
        begun = Counter(run.configuration for run in self._runs)
        for number, trial in enumerate(self._trials(), start=1):
            if trial.outcome == "running" and begun[number] < seeds:
                return number, trial.parameters, begun[number]
        return None

    async def _start_next(self) -> bool:
        """Create the next run if it would train at once; return whether to go on."""
        if not self._supervisor.would_start(self._example):
            return False
        following = self._next_seed()
        try:
            if following is None:
                if not self._draws_more:
                    return False
                configuration = await asyncio.to_thread(self._draw)
                if configuration is None:
                    await self._save(exhausted=True)
                    return False
                following = (self._configurations + 1, configuration, 0)
            await self._create(*following)
        except (SpecError, LimitReachedError, StorageError) as error:
            await self._pause_because(error)
            return False
        return True

    def _draw(self) -> Configuration | None:
        if self._sampler is None:
            self._sampler = make_sampler(self._stored.spec, self._space)
        return self._sampler.draw(self._trials())

    async def _create(self, number: int, configuration: Configuration, seed: int) -> None:
        """Create a run of a configuration; the run and its row here are added together."""
        sweep = self._stored
        spec = run_spec_of(sweep.spec, configuration, seed=seed)
        name, group = f"{sweep.name} {number}", None
        if sweep.spec.seeds > 1:
            identity = sha256(f"{sweep.id} {number}".encode()).hexdigest()[:ID_CHARACTERS]
            # The group may have been renamed since its first run.
            known = (run.group for run in self._supervisor.runs() if run.group is not None)
            name = next((each.name for each in known if each.id == identity), name)
            group = Group(id=identity, name=name, runs=[], created_at=sweep.created_at)
            name = f"{name}, seed {spec.seed}"
        run = StoredRun(run=None, configuration=number, parameters=configuration, seed=spec.seed)
        place = len(self._runs)

        def rows(identity: str) -> Callable[[sqlite3.Connection], None]:
            run.run = identity
            members = group and group.model_copy(update={"runs": [identity]})
            return sweeps.insert_run(sweep.id, place, run.model_dump_json(), members)

        try:
            await self._supervisor.create_for_sweep(
                spec.model_copy(update={"name": name}),
                SweepPlace(sweep.id, group, rows),
            )
        except SpecError as error:
            if error.field == "corpus":
                raise
            # This combination is not possible, but others are.
            run.run, run.state, run.ended = None, RunState.FAILED, True
            run.error = f"{error.field} {error.message}."
            await self._supervisor.store(sweeps.add_run, sweep.id, place, run.model_dump_json())
        self._runs.append(run)
        self._changes += 1
        self._trials_now = None
        if not run.ended:
            self._open[place] = run

    # -- storing ----------------------------------------------------------------------------------

    async def _save(self, **changes: object) -> None:
        changed = self._stored.model_copy(update=changes)
        await self._supervisor.store(sweeps.save_sweep, self.id, changed.model_dump_json())
        self._stored = changed
        self._changes += 1

    async def _save_run(self, place: int) -> None:
        self._changes += 1
        self._trials_now = None
        text = self._runs[place].model_dump_json()
        await self._supervisor.store(sweeps.save_run, self.id, place, text)
