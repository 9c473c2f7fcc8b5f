"""What was read: the book at an update, and how surprising it was."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query

from server.analysis.surprisal import UpdateSurprisal
from server.spec.run_spec import SpecError
from server.web.dependencies import Charge, Life, TheOffice

router = APIRouter(prefix="/api/runs/{run_id}/reading", tags=["history"])

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
NOT_POSSIBLE: dict[int | str, dict[str, Any]] = {
    409: {"description": "Nothing was read yet, or no network is left to read.", "content": PROBLEM}
}

Update = Annotated[int | None, Query(ge=1, le=10**15)]


@router.get("", responses=NOT_POSSIBLE)
async def read_again(
    controller: Life,
    services: TheOffice,
    charge: Charge,
    *,
    update: Update = None,
    first: Annotated[Update, Query(alias="from")] = None,
    last: Annotated[Update, Query(alias="to")] = None,
) -> UpdateSurprisal:
    """Return what was read at an update, each character with its surprisal.

    With `from` and `to`: at the update of the greatest loss between them, both included. With
    neither: at the newest update, the same one for all who ask within two seconds.
    """
    a_reading = partial(charge, "readings", 1)
    if update is not None:
        if first is not None or last is not None:
            raise SpecError("update", "goes without from and to")
        return await services.readings.at(controller, update, a_reading)
    if first is None and last is None:
        return await services.readings.now(controller)
    if first is None:
        raise SpecError("from", "is missing")
    if last is None:
        raise SpecError("to", "is missing")
    if last < first:
        raise SpecError("to", "must not be less than from")
    return await services.readings.highest(controller, first, last, a_reading)
