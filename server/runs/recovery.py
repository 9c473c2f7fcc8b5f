"""Standing where the newest checkpoint stands that can be read, and naming those that can't."""

from __future__ import annotations

from pathlib import Path

from server.errors import ConflictError, DamagedCheckpointError
from server.runs.checkpoint_store import CheckpointStore
from server.runs.recorder import Recorder
from server.spec.schemas import SETTLED, Checkpoint, Milestone, MilestoneKind, RunState

__all__ = ["newest_file", "stand_at_newest", "take_up", "update_of_newest", "whole_file"]


async def stand_at_newest(
    recorder: Recorder, checkpoint_store: CheckpointStore, *, go_back: bool = False
) -> Checkpoint | None:
    """Let a run stand where its newest whole checkpoint stands.

    Parameters
    ----------
    recorder : Recorder
        The run's.
    checkpoint_store : CheckpointStore
        Its checkpoints.
    go_back : bool
        Whether to forget what happened after it.

    Returns
    -------
    Checkpoint or None
        None when the run has no checkpoint at all.

    Raises
    ------
    ConflictError
        It has some, and none of them can be read.
    StorageError
        It can't be made durable, or, as `UnreadableError`, not be read just now.
    """
    found = await checkpoint_store.open_newest()
    if found is None:
        await complain_of_damage(recorder, checkpoint_store)
        return None
    newest, news, progress = found
    await recorder.catch_up(news, progress, go_back=go_back)
    instead = f" The one of update {newest.update:,} is used instead."
    await tell_damage(recorder, checkpoint_store, "rollback", instead)
    return newest


async def take_up(recorder: Recorder, checkpoint_store: CheckpointStore) -> None:
    """Let a run stand where an earlier server left it, or where its worker did after that."""
    await checkpoint_store.take_over()
    newest, run = await checkpoint_store.last(), recorder.run
    if run.state is RunState.FINISHED and await update_of_newest(checkpoint_store) < run.update:
        text = "The server ended before the run's last checkpoint was made."
        await recorder.enter(RunState.INTERRUPTED, text)
    try:
        if newest and newest.update >= run.update and run.state not in SETTLED:
            await stand_at_newest(recorder, checkpoint_store)
        elif newest:
            await recorder.keep_samples(await checkpoint_store.carried_samples(newest))
    except ConflictError as error:
        await recorder.enter(RunState.FAILED, str(error))
    if run.state is RunState.RUNNING:
        text = "The server ended while the run was training."
        await recorder.enter(RunState.INTERRUPTED, text)
    elif run.state is RunState.PAUSED and run.disk_full:
        text = "The server ended while there was no room on the disk."
        await recorder.enter(RunState.INTERRUPTED, text)


async def update_of_newest(checkpoint_store: CheckpointStore) -> int:
    """Return the update of the newest checkpoint that was not found damaged; 0 without any."""
    newest = await checkpoint_store.last()
    return 0 if newest is None else newest.update


async def newest_file(recorder: Recorder, checkpoint_store: CheckpointStore) -> Path | None:
    """Return the file of a run's newest whole checkpoint; raises as `stand_at_newest`."""
    newest = await checkpoint_store.newest()
    if newest is None:
        await complain_of_damage(recorder, checkpoint_store)
        return None
    await tell_damage(recorder, checkpoint_store)
    return checkpoint_store.path(newest.id)


async def whole_file(
    recorder: Recorder, checkpoint_store: CheckpointStore, checkpoint: str
) -> Path:
    """Return the file of a checkpoint, which was read; raises as `CheckpointStore.whole`."""
    try:
        return await checkpoint_store.whole(checkpoint)
    finally:
        await tell_damage(recorder, checkpoint_store)


async def complain_of_damage(recorder: Recorder, checkpoint_store: CheckpointStore) -> None:
    """Raise an error if a run has checkpoints, and none of them can be read.

    Raises
    ------
    ConflictError
        So it is.
    """
    await tell_damage(recorder, checkpoint_store)
    if damaged := await checkpoint_store.list():
        which = "only checkpoint is" if len(damaged) == 1 else f"{len(damaged)} checkpoints are all"
        raise ConflictError(f"The run's {which} damaged: it can't go on. Nothing was changed.")


async def tell_damage(
    recorder: Recorder,
    checkpoint_store: CheckpointStore,
    kind: MilestoneKind = "note",
    more: str = "",
) -> None:
    """Name the checkpoints that were found damaged, or whole after all, since the last time."""
    whole, checkpoint_store.found_whole = checkpoint_store.found_whole, []
    for checkpoint in whole:
        await recorder.checkpoint_made(checkpoint, [])
    damaged, checkpoint_store.found_damaged = checkpoint_store.found_damaged, []
    for checkpoint in damaged:
        text = f"{DamagedCheckpointError(checkpoint.update)}{more}"
        update = min(checkpoint.update, recorder.run.update)
        await recorder.checkpoint_made(checkpoint, [])
        await recorder.mark(Milestone(update=update, kind=kind, text=text))
    if damaged:
        await recorder.save()
