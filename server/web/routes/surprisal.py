"""The text of an update, with the surprisal of each character."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query

from server.analysis.surprisal import UpdateSurprisal
from server.spec.run_spec import SpecError
from server.web.dependencies import RateLimiterDep, RunControllerDep, ServicesDep

router = APIRouter(prefix="/api/runs/{run_id}/surprisal", tags=["history"])

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
CONFLICT_RESPONSE: dict[int | str, dict[str, Any]] = {
    409: {"description": "The run has made no update, or has no model for it.", "content": PROBLEM}
}

Update = Annotated[int | None, Query(ge=1, le=10**15)]


@router.get("", responses=CONFLICT_RESPONSE)
async def read_surprisal(
    controller: RunControllerDep,
    services: ServicesDep,
    admit: RateLimiterDep,
    *,
    update: Update = None,
    first: Annotated[Update, Query(alias="from")] = None,
    last: Annotated[Update, Query(alias="to")] = None,
    epoch: Annotated[int | None, Query(ge=1, le=10**12)] = None,
    position: Annotated[int | None, Query(ge=0, le=10**12)] = None,
) -> UpdateSurprisal:
    """Return the text of an update, with the surprisal of each character.

    With `from` and `to`, that of the update with the greatest loss in this range, both included.
    With `epoch` and `position`, that of the update that read this position of each stream's part
    of the corpus, in characters, in this epoch.
    Without parameters, that of the newest update; requests within two seconds get the same one.
    """
    count = partial(admit, "surprisals")
    if epoch is not None or position is not None:
        if epoch is None or position is None:
            raise SpecError(
                "position" if position is None else "epoch",
                f"is required with {'epoch' if position is None else 'position'}",
            )
        if update is not None or first is not None or last is not None:
            raise SpecError("position", "cannot be combined with update, from and to")
        return await services.surprisal.at_position(controller, epoch, position, count)
    if update is not None:
        if first is not None or last is not None:
            raise SpecError("update", "cannot be combined with from and to")
        return await services.surprisal.at(controller, update, count)
    if first is None and last is None:
        return await services.surprisal.latest(controller)
    if first is None:
        raise SpecError("from", "is required with to")
    if last is None:
        raise SpecError("to", "is required with from")
    if last < first:
        raise SpecError("to", "must not be less than from")
    return await services.surprisal.at_highest_loss(controller, first, last, count)
