"""Reading a text with a network, and the snapshots that can read it."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from server.checkpoints.snapshots import Snapshots
from server.corpora.dialogue import read_dialogue_passage
from server.inspection.probe import Probe, ProbeHistoryRequest, ProbeRequest
from server.inspection.probe_history import ProbeHistory
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}", tags=["inside"])


class ProbeTextSuggestion(BaseModel):
    """A passage of the run's text; `position` is where it starts, in characters."""

    position: int
    text: str


class SnapshotList(BaseModel):
    """The updates of the stored snapshots of the network, ascending."""

    updates: list[int]


@router.post("/probe", response_model=Probe)
async def probe(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    request: ProbeRequest,
) -> Response:
    """Read a text with a model of the run, in any state of the run."""
    content = await services.probes.probe(controller, request, partial(admit, "surprisals"))
    return Response(content, media_type="application/json")


@router.post("/probe/history")
async def probe_history(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    request: ProbeHistoryRequest,
) -> ProbeHistory:
    """Return the probability of a character of a text at up to 60 stored snapshots."""
    return await services.probe_history.read(controller, request, partial(admit, "surprisals"))


@router.get("/probe/text")
async def suggest_text(controller: RunControllerDep) -> ProbeTextSuggestion:
    """Return a passage of the run's text to read: with dialogue, if it has any."""
    position, text = await asyncio.to_thread(read_dialogue_passage, controller.corpus_path)
    return ProbeTextSuggestion(position=position, text=text)


@router.get("/snapshots")
async def list_snapshots(controller: RunControllerDep) -> SnapshotList:
    """Return the updates of the stored snapshots."""
    snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
    return SnapshotList(updates=await asyncio.to_thread(snapshots.updates))
