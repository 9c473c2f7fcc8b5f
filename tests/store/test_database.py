"""The database: what belongs together is stored together, and nothing comes back from the dead."""

import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest

from server.corpora.quality import Quality
from server.files.disk_errors import StorageError
from server.spec.run_spec import RunSpec
from server.spec.schemas import Checkpoint, Milestone, Run, RunState, Sample
from server.store.database import Store
from server.store.executor import StoreExecutor
from tests.serving import ROOT


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "hurrah.db")
    yield store
    store.close()


def some_run(identity, **fields):
    return Run(
        id=identity,
        name="a run",
        state=RunState.PAUSED,
        spec=RunSpec(corpus="text"),
        corpus="text",
        corpus_name="A text",
        corpus_characters=1_000,
        parameters=5,
        updates_per_epoch=39,
        created_at="2026-11-24T00:00:00+00:00",
        **fields,
    )


def sample(update):
    quality = Quality(real_words=0.5, longest_real_run=1, longest_copy=2)
    return Sample(update=update, epoch=1, smooth_loss=None, text=f"at {update}", quality=quality)


def mark(update, kind="epoch"):
    return Milestone(update=update, kind=kind, text=str(update))


def checkpoint(identity, update):
    return Checkpoint(
        id=identity, update=update, smooth_loss=None, note=None, bytes=1, created_at="now"
    )


def add(store, run):
    store.add_run(run.id, run.model_dump_json())


def losses_of(store, run):
    chunks, last = [], -1
    while (found := store.chunk(run, last)) is not None:
        last, losses = found
        chunks.append(losses)
    return np.concatenate(chunks) if chunks else np.empty(0)


def test_runs_come_newest_first_as_they_were_saved_last(store):
    for identity in ("a", "b", "c"):
        add(store, some_run(identity))
    store.save_run("b", some_run("b", update=7).model_dump_json())
    assert [(run.id, run.update) for run in store.runs()] == [("c", 0), ("b", 7), ("a", 0)]


def test_a_run_that_cannot_be_read_keeps_nobody_from_the_others(store, caplog):
    add(store, some_run("a"))
    store.add_run("of-another-version", '{"id": "of-another-version", "colour": "red"}')
    add(store, some_run("b"))
    assert [run.id for run in store.runs()] == ["b", "a"]
    assert "of-another-version" in caplog.text


def test_what_is_stored_is_read_back(store):
    add(store, some_run("a"))
    losses = np.array([3.0, 2.0, np.inf])
    store.add_report("a", some_run("a", update=3).model_dump_json(), 1, losses, [mark(3)])
    store.add_sample("a", sample(3), [mark(3, "hurrah")])
    store.add_sample("a", sample(1))
    store.add_checkpoint("a", checkpoint("x", 3))
    store.add_checkpoint("a", checkpoint("y", 2))
    assert store.history_end("a") == 3
    assert losses_of(store, "a").tolist() == losses.tolist()
    assert store.runs()[0].update == 3
    assert [found.update for found in store.samples("a")] == [1, 3]
    assert [found.update for found in store.samples("a", limit=1)] == [3]
    assert store.has_sample("a", 3)
    assert not store.has_sample("a", 2)
    assert [found.kind for found in store.milestones("a")] == ["epoch", "hurrah"]
    assert [found.id for found in store.checkpoints("a")] == ["y", "x"]
    store.remove_checkpoint("a", "y")
    assert [found.id for found in store.checkpoints("a")] == ["x"]


def test_going_back_forgets_what_came_after_and_of_this_run_alone(store):
    for identity in ("a", "b"):
        add(store, some_run(identity))
        store.add_report(identity, "{}", 1, np.arange(100.0), [mark(40), mark(60)])
        for update in (0, 50, 51):
            store.add_sample(identity, sample(update))
        store.add_checkpoint(identity, checkpoint("x", 50))
        store.add_milestones(identity, [mark(70, "change"), mark(80, "checkpoint")])
        store.save_run(identity, some_run(identity).model_dump_json())
    text = some_run("a", update=50).model_dump_json()
    store.go_back("a", text, 101, np.empty(0), [], update=50)
    assert {run.id: run.update for run in store.runs()} == {"a": 50, "b": 0}
    assert losses_of(store, "a").tolist() == list(range(50))
    assert [found.update for found in store.samples("a")] == [0, 50]
    # What a person changed stays changed.
    assert [(found.update, found.kind) for found in store.milestones("a")] == [
        (40, "epoch"),
        (50, "change"),
    ]
    assert len(store.checkpoints("a")) == 1
    assert len(losses_of(store, "b")) == 100
    assert len(store.samples("b")) == 3
    store.add_report("a", some_run("a", update=52).model_dump_json(), 51, np.array([7.0, 8.0]), [])
    assert losses_of(store, "a").tolist()[48:] == [48, 49, 7, 8]


def test_a_deleted_run_is_gone_whoever_saves_it_late(store):
    add(store, some_run("a"))
    add(store, some_run("b"))
    store.add_report("a", some_run("a", update=3).model_dump_json(), 1, np.ones(3), [mark(1)])
    store.add_sample("a", sample(1))
    store.add_checkpoint("a", checkpoint("x", 3))
    store.delete_run("a")
    store.save_run("a", some_run("a").model_dump_json())
    assert [run.id for run in store.runs()] == ["b"]
    assert store.samples("a") == store.milestones("a") == store.checkpoints("a") == []
    assert len(losses_of(store, "a")) == 0


WRITER = """
import os, sys
import numpy as np
from pathlib import Path
from server.files.disk_errors import StorageError
from server.store.database import Store
from tests.store.test_database import add, mark, sample, some_run
store = Store(Path(sys.argv[1]))
for identity in ("a", "b"):
    add(store, some_run(identity))
store.add_report("a", some_run("a", update=5).model_dump_json(), 1, np.ones(5), [mark(5)])
# Somebody else's commit takes all of it along.
store.add_report("b", some_run("b", update=2).model_dump_json(), 1, np.ones(2), [])
store.commit()
store.add_report("a", some_run("a", update=9).model_dump_json(), 6, np.ones(4), [mark(9)])
store.add_sample("a", sample(9), [mark(9, "hurrah")])
os.kill(os.getpid(), 9)
"""


def test_after_a_crash_what_belongs_together_agrees(tmp_path):
    path = tmp_path / "hurrah.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    assert ended.returncode == -9
    store = Store(path)
    try:
        assert {run.id: run.update for run in store.runs()} == {"a": 5, "b": 2}
        assert store.history_end("a") == 5
        assert [found.update for found in store.milestones("a")] == [5]
        assert store.samples("a") == []
    finally:
        store.close()


def test_one_thread_owns_it(tmp_path):
    async def talk():
        store = StoreExecutor(tmp_path / "hurrah.db")
        run = some_run("a")
        await store(Store.add_run, run.id, run.model_dump_json())
        updates = range(1, 101)
        await asyncio.gather(*(store(Store.add_sample, "a", sample(n)) for n in updates))
        found = await store(Store.samples, "a")
        with pytest.raises(ValueError, match="history ends at 0"):
            await store(Store.add_report, "a", run.model_dump_json(), 2, np.ones(1), [])
        await store.close()
        return [one.update for one in found] == list(updates)

    assert asyncio.run(talk())
    store = Store(tmp_path / "hurrah.db")
    assert len(store.samples("a")) == 100
    store.close()


# -- a disk that takes nothing more ---------------------------------------------------------------


@pytest.fixture
def short(store):
    """Let the database be as small as it is now, or as large as it likes."""

    def limit(pages):
        store._connection.execute(f"PRAGMA max_page_count = {pages}")

    return limit


def test_what_there_is_shortage_of_for_is_stored_when_there_is(store, short):
    add(store, some_run("a"))
    losses = np.arange(20_000.0)
    store.add_report("a", some_run("a", update=10).model_dump_json(), 1, losses[:10], [mark(1)])
    store.commit()
    short(1)
    text = some_run("a", update=20_000).model_dump_json()
    store.add_report("a", text, 11, losses[10:], [mark(2), mark(3)])
    store.add_sample("a", sample(2), [mark(2, "hurrah")])
    for _ in range(2):
        with pytest.raises(StorageError, match="no room left on the disk"):
            store.commit()
    with pytest.raises(StorageError):
        add(store, some_run("b"))
    with pytest.raises(StorageError):
        store.add_checkpoint("a", checkpoint("x", 3), [mark(3, "checkpoint")])
    short(1_000_000)
    store.add_sample("a", sample(5))
    store.commit()
    assert [(run.id, run.update) for run in store.runs()] == [("a", 20_000)]
    assert losses_of(store, "a").tolist() == losses.tolist()
    assert [found.update for found in store.samples("a")] == [2, 5]
    assert [found.kind for found in store.milestones("a")] == ["epoch", "epoch", "hurrah", "epoch"]
    assert store.checkpoints("a") == []
