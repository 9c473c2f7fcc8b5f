"""Groups of runs that differ in their seeds alone: create, enlarge, list, rename and delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from server.groups.service import CreatedMembers
from server.spec.run_spec import RunName, RunSpec, SpecModel, StrictModel
from server.spec.schemas import Group
from server.web.dependencies import ServicesDep

router = APIRouter(tags=["groups"])

MAX_SEEDS = 20

Seeds = Annotated[int, Field(ge=1, le=MAX_SEEDS)]


class SeedsRequest(StrictModel):
    """How many more runs to create."""

    seeds: Seeds


class GroupRequest(SpecModel):
    """The spec of all runs of a group, how many there are, and the name of the group."""

    spec: RunSpec
    seeds: Seeds
    name: RunName | None = None


class GroupChange(SpecModel):
    """The new name of a group."""

    name: RunName


@router.get("/api/groups")
async def list_groups(services: ServicesDep) -> list[Group]:
    """Return all groups, newest first."""
    return await services.groups.all()


@router.post("/api/groups", status_code=201)
async def create_group(request: GroupRequest, services: ServicesDep) -> CreatedMembers:
    """Create runs with the same spec and seeds from the spec's on, all of them or none."""
    return await services.groups.create(request.spec, request.seeds, request.name)


@router.get("/api/groups/{group_id}")
async def read_group(group_id: str, services: ServicesDep) -> Group:
    """Return a group."""
    return await services.groups.get(group_id)


@router.patch("/api/groups/{group_id}")
async def rename_group(group_id: str, change: GroupChange, services: ServicesDep) -> Group:
    """Give a group another name, and its runs whose names were made from the old one."""
    return await services.groups.rename(group_id, change.name)


@router.delete("/api/groups/{group_id}", status_code=204)
async def delete_group(group_id: str, services: ServicesDep) -> None:
    """Delete all runs of a group with everything stored for them."""
    await services.groups.delete(group_id)


@router.post("/api/runs/{run_id}/seeds", status_code=201)
async def add_seeds(run_id: str, request: SeedsRequest, services: ServicesDep) -> CreatedMembers:
    """Create more runs with the spec of a run and seeds that are not used yet."""
    return await services.groups.add_seeds(run_id, request.seeds)
