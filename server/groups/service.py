"""Groups of runs with the same spec and different seeds: create, find, rename and delete them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from server.errors import ConflictError, UnknownGroupError, UnknownRunError
from server.runs.supervisor import Supervisor
from server.spec.run_change import RunChange
from server.spec.run_draft import random_name
from server.spec.run_spec import MAX_NAME_CHARACTERS, RunSpec, SpecError
from server.spec.schemas import ApiModel, Group, Run, RunGroup
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreCalls

__all__ = ["CreatedMembers", "GroupService"]

SEEDS = range(2**63)


class CreatedMembers(ApiModel):
    """A group, and the runs that were added to it."""

    group: Group
    runs: list[Run]


class GroupService:
    """The groups of a supervisor's runs.

    Parameters
    ----------
    supervisor : Supervisor
        All runs.
    store : StoreCalls
        The database.
    """

    def __init__(self, supervisor: Supervisor, store: StoreCalls) -> None:
        self._supervisor = supervisor
        self._store = store
        # Held while a group changes: no two members get the same seed, and all have its name.
        self._changing = asyncio.Lock()

    async def create(self, spec: RunSpec, seeds: int, name: str | None = None) -> CreatedMembers:
        """Create a group of `seeds` runs, all of them or none; durable when this returns.

        Parameters
        ----------
        spec : RunSpec
            The spec of all. The first run has its seed, the others the integers after it.
        seeds : int
            The number of runs, 1 or more.
        name : str or None
            The name of the group; None: the spec's, or a made-up one.

        Raises
        ------
        SpecError
            The spec does not fit the corpus, or a seed would be too large.
        LimitReachedError
            A limit of the runs or of the storage is reached.
        """
        group = _new_group(name or spec.name or random_name())
        return await self._add(group, spec, _unused_seeds(spec.seed, (), seeds))

    async def add_seeds(self, run: str, seeds: int) -> CreatedMembers:
        """Create `seeds` more runs with the spec of a run, all or none; durable when this returns.

        They are in the group of the run. If it has none, it becomes the first member of a new one.
        Their seeds are the first integers from that of the run that no member has.

        Raises
        ------
        UnknownRunError
            There is no such run.
        ConflictError
            The run's training is not described by its spec alone.
        SpecError, LimitReachedError
            As in `create`.
        """
        controller = self._supervisor.get(run)
        with controller.command():
            async with self._changing:
                first = controller.run
                await self._check_repeatable(first)
                group = _new_group(first.name)
                members = [first]
                if first.group is not None:
                    group = await self.get(first.group.id)
                    members = list(self._members(group))
                group = group.model_copy(update={"runs": [member.id for member in members]})
                used = [member.spec.seed for member in members]
                made = await self._add(
                    group,
                    first.spec.model_copy(update={"paused": False}),
                    _unused_seeds(first.spec.seed, used, seeds),
                )
                if first.group is None:
                    first.group = RunGroup(id=group.id, name=group.name)
                    await controller.recorder.publish_state()
                return made

    async def _add(self, group: Group, spec: RunSpec, seeds: Sequence[int]) -> CreatedMembers:
        specs = [
            spec.model_copy(update={"seed": seed, "name": _member_name(group.name, seed)})
            for seed in seeds
        ]
        runs = await self._supervisor.create_members(specs, group)
        members = [*group.runs, *(run.id for run in runs)]
        return CreatedMembers(group=group.model_copy(update={"runs": members}), runs=runs)

    async def all(self) -> list[Group]:
        """Return all groups, newest first."""
        groups = await self._store(queries.list_groups)
        present = {run.id for run in self._supervisor.runs()}
        found = (
            group.model_copy(update={"runs": [run for run in group.runs if run in present]})
            for group in groups
        )
        return [group for group in found if group.runs]

    async def get(self, group: str) -> Group:
        """Return a group by its id.

        Raises
        ------
        UnknownGroupError
            There is none.
        """
        for found in await self.all():
            if found.id == group:
                return found
        raise UnknownGroupError(group)

    async def rename(self, group: str, name: str) -> Group:
        """Give a group another name, and its members whose names were made from the old one.

        Raises
        ------
        UnknownGroupError
            There is no such group.
        StorageError
            The disk is full.
        """
        async with self._changing:
            before = await self.get(group)
            await self._supervisor.store(Store.rename_group, group, name)
            for member in self._members(before):
                member.group = RunGroup(id=group, name=name)
                seed = member.spec.seed
                made = {
                    before.name: name,
                    _member_name(before.name, seed): _member_name(name, seed),
                }
                # Somebody else may delete it meanwhile.
                with contextlib.suppress(UnknownRunError):
                    if member.name in made:
                        change = RunChange.model_validate({"name": made[member.name]})
                        await self._supervisor.change(member.id, change)
                    else:
                        await self._supervisor.get(member.id).recorder.publish_state()
            return await self.get(group)

    async def delete(self, group: str) -> None:
        """Delete a group with all its runs and everything stored for them."""

        async def delete(run: str) -> None:
            try:
                await self._supervisor.delete(run)
            except UnknownRunError:
                # Somebody else deleted it meanwhile.
                return

        await asyncio.gather(*map(delete, (await self.get(group)).runs))

    async def members(self, group: str) -> list[Run]:
        """Return the runs of a group in the order of their creation, at least one.

        Raises
        ------
        UnknownGroupError
            There is no such group.
        """
        if not (runs := list(self._members(await self.get(group)))):
            raise UnknownGroupError(group)
        return runs

    def _members(self, group: Group) -> Iterable[Run]:
        for run in group.runs:
            try:
                yield self._supervisor.get(run).run
            except UnknownRunError:
                continue

    async def _check_repeatable(self, run: Run) -> None:
        """Raise `ConflictError` if another seed would not train as the run did."""
        if run.forked_from is not None:
            raise ConflictError(
                "The run is a fork: its training began in another run, which new seeds would not"
                " repeat."
            )
        if run.given_weights is not None:
            raise ConflictError(
                "The run started from weights in a file, and a seed draws other weights."
            )
        for milestone in await self._store(queries.list_milestones, run.id):
            changed = milestone.kind == "change" and "learning rate" in milestone.text
            if changed and milestone.update > 0:
                raise ConflictError(
                    f"The learning rate was changed at update {milestone.update:,}, and new seeds"
                    " would have the new one from the start."
                )


def _new_group(name: str) -> Group:
    created_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Group(id=secrets.token_hex(6), name=name, runs=[], created_at=created_at)


def _member_name(group: str, seed: int) -> str:
    ending = f", seed {seed}"
    return group[: MAX_NAME_CHARACTERS - len(ending)].rstrip() + ending


def _unused_seeds(first: int, used: Sequence[int], count: int) -> Sequence[int]:
    """Return the first `count` integers from `first` that are not `used`."""
    found: list[int] = []
    seed = first
    while len(found) < count:
        if seed not in SEEDS:
            raise SpecError("seed", f"must be small enough for {count} seeds from it on")
        if seed not in used:
            found.append(seed)
        seed += 1
    return found
