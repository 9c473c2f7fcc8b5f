"""The spec of a fork."""

from __future__ import annotations

from typing import Any

from server.spec.run_spec import SPEC_FIELDS, RunSpec, SpecError
from server.spec.schemas import Checkpoint, Run

__all__ = ["CHANGEABLE", "forked_spec"]

CHANGEABLE = {name for name, field in SPEC_FIELDS.items() if field.fork}
"""The fields that may differ in a fork. The others describe the network or the batches."""


def forked_spec(run: Run, checkpoint: Checkpoint, changes: dict[str, Any]) -> RunSpec:
    """Return the spec of a fork.

    Parameters
    ----------
    run : Run
        The parent.
    checkpoint : Checkpoint
        The parent's checkpoint at which the fork starts.
    changes : dict
        Fields of the spec with the fork's values.

    Raises
    ------
    SpecError
        A changed field is fixed by the checkpoint, or the fork would make no update.
    pydantic.ValidationError
        A value is not valid.
    """
    before = run.spec.model_dump()
    for field, value in changes.items():
        if field in before and field not in CHANGEABLE and value != before[field]:
            raise SpecError(
                field, f"cannot be changed in a fork: the checkpoint was made with {before[field]}"
            )
    name = f"{run.name}, from {checkpoint.update:,}"
    spec = RunSpec.model_validate(before | {"name": name[:120], "paused": False} | changes)
    if spec.max_updates is not None and spec.max_updates <= checkpoint.update:
        raise SpecError(
            "max_updates", f"must be above {checkpoint.update:,}, where the fork begins"
        )
    return spec
