"""The machines on which runs train."""

from __future__ import annotations

from fastapi import APIRouter

from server.spec.schemas import Machine
from server.web.dependencies import ServicesDep

router = APIRouter(prefix="/api/machines", tags=["machines"])


@router.get("")
async def list_machines(services: ServicesDep) -> list[Machine]:
    """Return the machines, the server's own first, each with the runs that train on it."""
    return services.supervisor.machines(services.settings.host)
