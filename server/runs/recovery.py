"""Standing where the newest checkpoint stands that can be read, and naming those that can't."""

from __future__ import annotations

from pathlib import Path

from server.errors import DamagedCheckpointError, NotPossibleError
from server.runs.checkpoint_store import CheckpointShelf
from server.runs.recorder import Recorder
from server.spec.schemas import SETTLED, Checkpoint, Milestone, MilestoneKind, RunState

__all__ = ["newest_file", "stand_at_newest", "take_up", "update_of_newest", "whole_file"]


async def stand_at_newest(
    recorder: Recorder, shelf: CheckpointShelf, *, go_back: bool = False
) -> Checkpoint | None:
    """Let a run stand where its newest whole checkpoint stands.

    Parameters
    ----------
    recorder : Recorder
        The run's.
    shelf : CheckpointShelf
        Its checkpoints.
    go_back : bool
        Whether to forget what happened after it.

    Returns
    -------
    Checkpoint or None
        None when the run has no checkpoint at all.

    Raises
    ------
    NotPossibleError
        It has some, and none of them can be read.
    ShortageError
        It can't be made durable, or, as `UnreadableError`, not be read just now.
    """
    found = await shelf.open_newest()
    if found is None:
        await complain_of_damage(recorder, shelf)
        return None
    newest, news, progress = found
    await recorder.catch_up(news, progress, go_back=go_back)
    instead = f" The one of update {newest.update:,} is used instead."
    await tell_damage(recorder, shelf, "rollback", instead)
    return newest


async def take_up(recorder: Recorder, shelf: CheckpointShelf) -> None:
    """Let a run stand where an earlier server left it, or where its worker did after that."""
    await shelf.take_over()
    newest, run = await shelf.last(), recorder.run
    if run.state is RunState.FINISHED and await update_of_newest(shelf) < run.update:
        text = "The server ended before the run's last checkpoint was made."
        await recorder.enter(RunState.INTERRUPTED, text)
    try:
        if newest and newest.update >= run.update and run.state not in SETTLED:
            await stand_at_newest(recorder, shelf)
        elif newest:
            await recorder.keep_samples(await shelf.carried_samples(newest))
    except NotPossibleError as error:
        await recorder.enter(RunState.FAILED, str(error))
    if run.state is RunState.RUNNING:
        text = "The server ended while the run was training."
        await recorder.enter(RunState.INTERRUPTED, text)
    elif run.state is RunState.PAUSED and run.disk_full:
        text = "The server ended while there was no room on the disk."
        await recorder.enter(RunState.INTERRUPTED, text)


async def update_of_newest(shelf: CheckpointShelf) -> int:
    """Return the update of the newest checkpoint that was not found damaged; 0 without any."""
    newest = await shelf.last()
    return 0 if newest is None else newest.update


async def newest_file(recorder: Recorder, shelf: CheckpointShelf) -> Path | None:
    """Return the file of a run's newest whole checkpoint; raises as `stand_at_newest`."""
    newest = await shelf.newest()
    if newest is None:
        await complain_of_damage(recorder, shelf)
        return None
    await tell_damage(recorder, shelf)
    return shelf.path(newest.id)


async def whole_file(recorder: Recorder, shelf: CheckpointShelf, checkpoint: str) -> Path:
    """Return the file of a checkpoint, which was read; raises as `CheckpointShelf.whole`."""
    try:
        return await shelf.whole(checkpoint)
    finally:
        await tell_damage(recorder, shelf)


async def complain_of_damage(recorder: Recorder, shelf: CheckpointShelf) -> None:
    """Raise an error if a run has checkpoints, and none of them can be read.

    Raises
    ------
    NotPossibleError
        So it is.
    """
    await tell_damage(recorder, shelf)
    if damaged := await shelf.list():
        which = "only checkpoint is" if len(damaged) == 1 else f"{len(damaged)} checkpoints are all"
        raise NotPossibleError(f"The run's {which} damaged: it can't go on. Nothing was changed.")


async def tell_damage(
    recorder: Recorder, shelf: CheckpointShelf, kind: MilestoneKind = "note", more: str = ""
) -> None:
    """Name the checkpoints that were found damaged, or whole after all, since the last time."""
    whole, shelf.found_whole = shelf.found_whole, []
    for checkpoint in whole:
        await recorder.checkpoint_made(checkpoint, [])
    damaged, shelf.found_damaged = shelf.found_damaged, []
    for checkpoint in damaged:
        text = f"{DamagedCheckpointError(checkpoint.update)}{more}"
        update = min(checkpoint.update, recorder.run.update)
        await recorder.checkpoint_made(checkpoint, [])
        await recorder.mark(Milestone(update=update, kind=kind, text=text))
    if damaged:
        await recorder.save()
