"""A run that goes on from another's checkpoint, with other settings."""

from __future__ import annotations

from typing import Any

from server.spec.run_spec import RunSpec, SpecError
from server.spec.schemas import Checkpoint, Run

__all__ = ["CHANGEABLE", "forked_spec"]

# What may be another in what goes on from a checkpoint. The rest makes the network, or the way it
# walks through its text, which the checkpoint has grown with.
CHANGEABLE = {
    *("name", "learning_rate", "learning_rate_decay", "clip", "clip_mode", "dropout", "seed"),
    *("max_updates", "sample_every", "sample_length", "checkpoint_every_s", "pace"),
    *("watch_words", "paused"),
}


def forked_spec(run: Run, checkpoint: Checkpoint, changes: dict[str, Any]) -> RunSpec:
    """Return the spec of a fork.

    Parameters
    ----------
    run : Run
        The run that is forked.
    checkpoint : Checkpoint
        Where the fork leaves it.
    changes : dict
        Fields of a spec, and what they are to be.

    Raises
    ------
    SpecError
        A field can't be another, or the fork would end before it begins.
    pydantic.ValidationError
        A field can't be what it is.
    """
    before = run.spec.model_dump()
    for field, value in changes.items():
        if field in before and field not in CHANGEABLE and value != before[field]:
            raise SpecError(
                field, f"can't be another in a fork: the checkpoint has {before[field]}"
            )
    name = f"{run.name}, from {checkpoint.update:,}"
    spec = RunSpec.model_validate(before | {"name": name[:120], "paused": False} | changes)
    if spec.max_updates is not None and spec.max_updates <= checkpoint.update:
        raise SpecError(
            "max_updates", f"must be above {checkpoint.update:,}, where the fork begins"
        )
    return spec
