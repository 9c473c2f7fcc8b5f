"""What a server does at its start with the runs that an earlier server left."""

from __future__ import annotations

import asyncio
import logging

from server.files.disk_errors import StorageError
from server.files.run_directories import RunDirectories
from server.runs.run_controller import RunController
from server.spec.schemas import RunState
from server.store import queries
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.worker.client import FindWorker

__all__ = ["finish_deletions", "recover_run"]

log = logging.getLogger(__name__)


async def recover_run(controller: RunController, find_worker: FindWorker) -> None:
    """Recover a run; one that cannot be recovered fails with a reason, and the server starts.

    Parameters
    ----------
    controller : RunController
        The run.
    find_worker : callable
        Finds the worker that an earlier server may have left training on another machine.
    """
    try:
        await controller.recover(find_worker)
    except Exception as error:
        log.exception("run %s could not be recovered", controller.run.id)
        text = f"The run could not be recovered when the server started. {_reason(error)}"
        await controller.recorder.set_state(RunState.FAILED, text)


def _reason(error: Exception) -> str:
    if isinstance(error, StorageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"The system reports: {error.strerror}."
    return "The server's log has the details."


async def finish_deletions(directories: RunDirectories, store: StoreExecutor) -> set[str]:
    """Delete what is left of runs that an earlier server was deleting, or creating.

    Returns
    -------
    set of str
        Deleted runs that may still be in the database, because there was no space to delete them.
    """
    left = set()
    for run in directories.unfinished_deletions():
        try:
            # The files first: on a full disk, that makes space for the database.
            await asyncio.to_thread(directories.delete_contents, run)
            await store(Store.delete_run, run)
        except (StorageError, OSError) as error:
            log.warning("run %s will be deleted at the next start: %s", run, error)
            left.add(run)
        else:
            await asyncio.to_thread(directories.finish_deletion, run)
    known = await store(queries.run_ids)
    await asyncio.to_thread(directories.delete_orphans, known)
    return left
