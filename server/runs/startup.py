"""What an earlier server left, as the next one finds it: no run's trouble is another's."""

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

__all__ = ["finish_deleting", "take_up"]

log = logging.getLogger(__name__)


async def take_up(controller: RunController) -> None:
    """Let a run stand where it was left; one that can't has failed, and says why."""
    try:
        await controller.take_up()
    except Exception as error:
        log.exception("run %s could not be taken up", controller.run.id)
        text = f"The run could not be taken up when the server started. {_sentence(error)}"
        await controller.recorder.enter(RunState.FAILED, text)


def _sentence(error: Exception) -> str:
    if isinstance(error, StorageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"The system says: {error.strerror}."
    return "The server's log says why."


async def finish_deleting(folders: RunDirectories, store: StoreExecutor) -> set[str]:
    """Clear away what is left of runs whose deletion, or making, a server did not survive.

    Returns
    -------
    set of str
        Deleted runs that may still be in the database: there was no room to say that they go.
    """
    left = set()
    for run in folders.doomed():
        try:
            # The room first, as whenever a run is deleted.
            await asyncio.to_thread(folders.clear, run)
            await store(Store.delete_run, run)
        except (StorageError, OSError) as error:
            log.warning("run %s is forgotten when the server starts again: %s", run, error)
            left.add(run)
        else:
            await asyncio.to_thread(folders.forget, run)
    known = await store(queries.run_ids)
    await asyncio.to_thread(folders.keep_only, known)
    return left
