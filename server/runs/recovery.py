"""Continuing from the newest checkpoint that can be read, and reporting those that cannot."""

from __future__ import annotations

from pathlib import Path

from server.errors import ConflictError, DamagedCheckpointError
from server.runs.checkpoint_store import CheckpointStore
from server.runs.recorder import Recorder
from server.spec.schemas import SETTLED, Checkpoint, Milestone, MilestoneKind, RunState

__all__ = ["Recovery"]


class Recovery:
    """Finds the checkpoint from which a run continues.

    Parameters
    ----------
    recorder : Recorder
        The run's recorder.
    checkpoint_store : CheckpointStore
        The run's checkpoints.
    """

    def __init__(self, recorder: Recorder, checkpoint_store: CheckpointStore) -> None:
        self._recorder = recorder
        self._checkpoint_store = checkpoint_store

    async def recover(self, *, has_worker: bool = False) -> None:
        """Bring the run to where an earlier server left it, or its worker after that server.

        Parameters
        ----------
        has_worker : bool
            Whether a worker on another machine has the run in memory, and may still train it.
        """
        recorder, checkpoint_store = self._recorder, self._checkpoint_store
        await checkpoint_store.recover_directory()
        latest, run = await checkpoint_store.last_known(), recorder.run
        if (
            run.state is RunState.FINISHED
            and not has_worker
            and await self.latest_update() < run.update
        ):
            text = "The server ended before the run's last checkpoint was made."
            await recorder.set_state(RunState.INTERRUPTED, text)
        try:
            if latest and latest.update >= run.update and run.state not in SETTLED:
                await self.restore_latest()
            elif latest:
                await recorder.add_missing_samples(await checkpoint_store.samples_in(latest))
        except ConflictError as error:
            await recorder.set_state(RunState.FAILED, str(error))
        if has_worker:
            return
        if run.state is RunState.RUNNING and await self._has_ended():
            await recorder.set_state(RunState.FINISHED)
        elif run.state is RunState.RUNNING:
            text = "The server ended while the run was training."
            await recorder.set_state(RunState.INTERRUPTED, text)
        elif run.state is RunState.PAUSED and run.disk_full:
            text = "The server ended while there was no space on the disk."
            await recorder.set_state(RunState.INTERRUPTED, text)

    async def _has_ended(self) -> bool:
        """Whether the worker made the last update and its checkpoint after the server had ended."""
        last, made = self._recorder.run.spec.max_updates, self._recorder.run.update
        return last is not None and made >= last and await self.latest_update() == made

    async def restore_latest(
        self, *, rewind: bool = False, repeated_to: int = 0
    ) -> Checkpoint | None:
        """Set the run to its newest readable checkpoint.

        Parameters
        ----------
        rewind : bool
            Whether to delete what happened after the checkpoint.
        repeated_to : int
            The update to which the worker repeats what happened after the checkpoint, before the
            run is in use again; 0 if it does not. Then the run stays where it is, so that a crash
            meanwhile takes nothing back.

        Returns
        -------
        Checkpoint or None
            None when the run has no checkpoint at all.

        Raises
        ------
        ConflictError
            The run has checkpoints, and none of them can be read.
        StorageError
            The change cannot be made durable, or, as `UnreadableError`, a checkpoint cannot be read
            at the moment.
        """
        found = await self._checkpoint_store.load_latest()
        if found is None:
            await self._raise_if_all_damaged()
            return None
        latest, delta, progress = found
        if latest.update < repeated_to:
            await self._recorder.add_missing_samples(delta.samples)
        else:
            await self._recorder.restore_to(delta, progress, rewind=rewind)
        await self._report_damaged(
            "rollback", f" The one of update {latest.update:,} is used instead."
        )
        return latest

    async def latest_update(self) -> int:
        """Return the update of the newest checkpoint not known to be damaged; 0 without any."""
        latest = await self._checkpoint_store.last_known()
        return 0 if latest is None else latest.update

    async def latest_file(self) -> Path | None:
        """Return the file of the newest readable checkpoint; raises as `restore_latest`."""
        latest = await self._checkpoint_store.latest()
        if latest is None:
            await self._raise_if_all_damaged()
            return None
        await self._report_damaged()
        return self._checkpoint_store.path(latest.id)

    async def verified_file(self, checkpoint: str) -> Path:
        """Return the file of a checkpoint once it has been read; raises as `verify`."""
        try:
            return await self._checkpoint_store.verify(checkpoint)
        finally:
            await self._report_damaged()

    async def _raise_if_all_damaged(self) -> None:
        """Raise `ConflictError` if the run has checkpoints: it was found that none can be read."""
        await self._report_damaged()
        if damaged := await self._checkpoint_store.list():
            which = (
                "only checkpoint is" if len(damaged) == 1 else f"{len(damaged)} checkpoints are all"
            )
            raise ConflictError(
                f"The run's {which} damaged: the run cannot continue. Nothing was changed."
            )

    async def _report_damaged(self, kind: MilestoneKind = "note", more: str = "") -> None:
        """Publish which checkpoints have been found damaged, or readable again, since last time."""
        recorder, checkpoint_store = self._recorder, self._checkpoint_store
        readable, checkpoint_store.found_readable = checkpoint_store.found_readable, []
        for checkpoint in readable:
            await recorder.publish_checkpoint(checkpoint)
        damaged, checkpoint_store.found_damaged = checkpoint_store.found_damaged, []
        for checkpoint in damaged:
            text = f"{DamagedCheckpointError(checkpoint.update)}{more}"
            update = min(checkpoint.update, recorder.run.update)
            await recorder.publish_checkpoint(checkpoint)
            await recorder.add_milestone(Milestone(update=update, kind=kind, text=text))
        if damaged:
            await recorder.save()
