"""The files that a checkpoint store imports, and those it ignores or keeps."""

import asyncio

import numpy as np
import pytest

from server.checkpoints.checkpoint_format import checkpoint_contents, new_trainer
from server.checkpoints.npz import write_archive
from server.checkpoints.unflushed import ARRAY
from server.rnn.vocabulary import Vocabulary
from server.runs.checkpoint_store import AUTOMATIC_KEPT, CheckpointStore
from server.spec.run_spec import RunSpec
from server.store.database import Store
from server.store.executor import StoreExecutor

VOCABULARY = Vocabulary("ab")
SPEC = RunSpec().model_dump() | {"hidden_size": 2, "sequence_length": 3}


@pytest.fixture
def scene(tmp_path):
    """Return a function that runs a coroutine with the checkpoint store of a new run."""

    def play(story):
        async def scene():
            store = StoreExecutor(tmp_path / "hurrah.db")
            try:
                await store(Store.add_run, "run", "{}")
                await story(CheckpointStore("run", tmp_path / "checkpoints", store))
            finally:
                await store.close()

        asyncio.run(scene())

    return play


def write(checkpoint_store, identity, updates=2, *, first=1):
    """Write a checkpoint's file as a worker does, with the losses from update `first` on."""
    trainer = new_trainer(np.array([0, 1] * 50, np.uint16), VOCABULARY, SPEC)
    losses = np.array([trainer.update() for _ in range(updates)])
    arrays, meta = checkpoint_contents(trainer, VOCABULARY, SPEC)
    carried = {"first": first, "last": updates, "samples": [], "epochs": [], "seconds": 0.0}
    arrays[ARRAY] = losses[first - 1 :]
    meta |= {"about": {"id": identity, "note": "asked for"}, "unflushed": carried}
    write_archive(checkpoint_store.path(identity), arrays, meta)


def ids(checkpoints):
    return [checkpoint.id for checkpoint in checkpoints]


def test_an_orphan_file_is_imported(scene):
    async def story(checkpoint_store):
        write(checkpoint_store, "orphan")
        await checkpoint_store.import_orphans()
        [found] = await checkpoint_store.list()
        assert (found.id, found.automatic, found.note) == ("orphan", True, "asked for")

    scene(story)


def test_a_reserved_file_is_not_imported(scene):
    async def story(checkpoint_store):
        async with checkpoint_store.reserve("mine"):
            write(checkpoint_store, "mine")
            await checkpoint_store.import_orphans()
            assert await checkpoint_store.list() == []
            await checkpoint_store.add("mine", note="mine", automatic=False)
        await checkpoint_store.import_orphans()
        [found] = await checkpoint_store.list()
        assert (found.automatic, found.note) == (False, "mine")

    scene(story)


def test_a_file_with_a_gap_in_its_history_is_not_imported(scene):
    """A paused worker wrote it after the run had gone back and trained on without it."""

    async def story(checkpoint_store):
        write(checkpoint_store, "late", updates=4, first=3)
        await checkpoint_store.import_orphans()
        assert await checkpoint_store.list() == []

    scene(story)


def test_a_pinned_checkpoint_is_not_replaced_by_newer_ones(scene):
    async def story(checkpoint_store):
        write(checkpoint_store, "held")
        await checkpoint_store.add("held", note=None, automatic=True)
        with checkpoint_store.pin("held"):
            for number in range(AUTOMATIC_KEPT + 1):
                write(checkpoint_store, f"new{number}", updates=3 + number)
                await checkpoint_store.add(f"new{number}", note=None, automatic=True)
            assert "held" in ids(await checkpoint_store.list())
            assert checkpoint_store.path("held").exists()
        write(checkpoint_store, "last", updates=9)
        await checkpoint_store.add("last", note=None, automatic=True)
        assert ids(await checkpoint_store.list()) == [f"new{AUTOMATIC_KEPT}", "last"]

    scene(story)
