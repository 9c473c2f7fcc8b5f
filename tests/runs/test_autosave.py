"""Automatic checkpoints that several callers ask for at once."""

import asyncio
from types import SimpleNamespace

from server.runs.checkpoint_store import CheckpointStore
from server.runs.run_controller import RunController
from tests.runs.test_checkpoint_store import write
from tests.runs.test_recorder import recording

UPDATES = 2


class Worker:
    """Stands for a worker client: writes the files of checkpoints."""

    killed = False

    def __init__(self, checkpoint_store):
        self._checkpoint_store = checkpoint_store

    async def request_if_alive(self, command):
        write(self._checkpoint_store, command.about["id"], UPDATES)
        return {"ok": True}


def controller_of(recorder, checkpoint_store, store):
    unused = SimpleNamespace()
    controller = RunController(
        recorder,
        checkpoint_store,
        unused,
        store,
        launcher=unused,
        on_training_stopped=unused,
        resume=unused,
        requeue=unused,
        quota=unused,
    )
    controller._worker_client = Worker(checkpoint_store)
    return controller


def test_a_second_autosave_returns_when_the_checkpoint_of_the_first_is_published(tmp_path):
    """The second caller may stop the worker, which cancels a first one that is still busy."""

    async def story():
        async with recording(tmp_path) as (recorder, store, listener):
            recorder.run.update = UPDATES
            checkpoint_store = CheckpointStore("run", tmp_path / "checkpoints", store)
            controller = controller_of(recorder, checkpoint_store, store)
            async with recorder.lock:  # As when a report or a sample is stored.
                first = asyncio.create_task(controller.autosave())
                while not await checkpoint_store.list():
                    assert not first.done()
                second = asyncio.create_task(controller.autosave())
                for _ in range(20):  # Each takes as long as all that the second has to read.
                    await checkpoint_store.list()
                assert not second.done()
                assert listener.heard == []
            await asyncio.gather(first, second)
            [checkpoint] = await checkpoint_store.list()
            return checkpoint.id, listener.heard

    saved, heard = asyncio.run(story())
    assert [(each["type"], each["checkpoint"].id) for each in heard] == [("checkpoint", saved)]
