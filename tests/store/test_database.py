"""The database: writes that belong together are stored together, also on a full disk."""

import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest

from server.corpora.quality import Quality
from server.files.disk_errors import StorageError
from server.history.run_history import Records
from server.rnn.metrics import MEASURED_EVERY as N
from server.spec.run_spec import RunSpec
from server.spec.schemas import Checkpoint, Milestone, Run, RunState, Sample
from server.store import queries, sweeps
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


def milestone(update, kind="epoch"):
    return Milestone(update=update, kind=kind, text=str(update))


def checkpoint(identity, update):
    return Checkpoint(
        id=identity, update=update, smooth_loss=None, note=None, bytes=1, created_at="now"
    )


def add(store, run):
    store.add_run(run.id, run.model_dump_json())


def losses_of(store, run):
    chunks, last = [], -1
    while (found := queries.loss_chunk(store, run, last)) is not None:
        last, losses = found
        chunks.append(losses)
    return np.concatenate(chunks) if chunks else np.empty(0)


def test_runs_are_listed_newest_first_as_last_saved(store):
    for identity in ("a", "b", "c"):
        add(store, some_run(identity))
    store.save_run("b", some_run("b", update=7).model_dump_json())
    assert [(run.id, run.update) for run in queries.list_runs(store)] == [
        ("c", 0),
        ("b", 7),
        ("a", 0),
    ]


def test_a_run_that_cannot_be_read_does_not_hide_the_others(store, caplog):
    add(store, some_run("a"))
    store.add_run("of-another-version", '{"id": "of-another-version", "colour": "red"}')
    add(store, some_run("b"))
    assert [run.id for run in queries.list_runs(store)] == ["b", "a"]
    assert "of-another-version" in caplog.text


def test_stored_data_is_read_back(store):
    add(store, some_run("a"))
    losses = np.array([3.0, 2.0, np.inf])
    store.add_report(
        "a", some_run("a", update=3).model_dump_json(), Records(1, losses), [milestone(3)]
    )
    store.add_sample("a", sample(3), [milestone(3, "hurrah")])
    store.add_sample("a", sample(1))
    store.add_checkpoint("a", checkpoint("x", 3))
    store.add_checkpoint("a", checkpoint("y", 2))
    assert store.history_end("a") == 3
    assert losses_of(store, "a").tolist() == losses.tolist()
    assert queries.list_runs(store)[0].update == 3
    assert [found.update for found in queries.list_samples(store, "a")] == [1, 3]
    assert [found.update for found in queries.list_samples(store, "a", limit=1)] == [3]
    assert queries.has_sample(store, "a", 3)
    assert not queries.has_sample(store, "a", 2)
    assert [found.kind for found in queries.list_milestones(store, "a")] == ["epoch", "hurrah"]
    assert [found.id for found in queries.list_checkpoints(store, "a")] == ["y", "x"]
    store.remove_checkpoint("a", "y")
    assert [found.id for found in queries.list_checkpoints(store, "a")] == ["x"]


def test_a_rewind_deletes_what_came_after_of_one_run_only(store):
    for identity in ("a", "b"):
        add(store, some_run(identity))
        store.add_report(
            identity, "{}", Records(1, np.arange(100.0)), [milestone(40), milestone(60)]
        )
        for update in (0, 50, 51):
            store.add_sample(identity, sample(update))
        store.add_checkpoint(identity, checkpoint("x", 50))
        store.add_milestones(identity, [milestone(70, "change"), milestone(80, "checkpoint")])
        store.save_run(identity, some_run(identity).model_dump_json())
    text = some_run("a", update=50).model_dump_json()
    store.rewind("a", text, Records(101, np.empty(0)), [], update=50)
    assert {run.id: run.update for run in queries.list_runs(store)} == {"a": 50, "b": 0}
    assert losses_of(store, "a").tolist() == list(range(50))
    assert [found.update for found in queries.list_samples(store, "a")] == [0, 50]
    # Changes by a person stay in force.
    assert [(found.update, found.kind) for found in queries.list_milestones(store, "a")] == [
        (40, "epoch"),
        (50, "change"),
    ]
    assert len(queries.list_checkpoints(store, "a")) == 1
    assert len(losses_of(store, "b")) == 100
    assert len(queries.list_samples(store, "b")) == 3
    store.add_report(
        "a", some_run("a", update=52).model_dump_json(), Records(51, np.array([7.0, 8.0])), []
    )
    assert losses_of(store, "a").tolist()[48:] == [48, 49, 7, 8]


def test_a_deleted_run_stays_deleted_when_it_is_saved_late(store):
    add(store, some_run("a"))
    add(store, some_run("b"))
    store.add_report(
        "a", some_run("a", update=3).model_dump_json(), Records(1, np.ones(3)), [milestone(1)]
    )
    store.add_sample("a", sample(1))
    store.add_checkpoint("a", checkpoint("x", 3))
    store.delete_run("a")
    store.save_run("a", some_run("a").model_dump_json())
    assert [run.id for run in queries.list_runs(store)] == ["b"]
    assert (
        queries.list_samples(store, "a")
        == queries.list_milestones(store, "a")
        == queries.list_checkpoints(store, "a")
        == []
    )
    assert len(losses_of(store, "a")) == 0


def test_metrics_follow_their_run_when_it_goes_back_is_forked_and_deleted(store, tmp_path):
    def norms(run):
        reduced = queries.reduced_metrics(store, run, None, 1, None, points=100)
        known = reduced.metrics.get("gradient_norm")
        return None if known is None else dict(zip(reduced.update, known.mean, strict=True))

    def report(first, values):
        losses = np.ones(N * len(values))
        text = some_run("a", update=first + len(losses) - 1).model_dump_json()
        records = Records(first, losses, {"gradient_norm": np.array(values)})
        store.add_report("a", text, records, [])

    add(store, some_run("a"))
    assert norms("a") is None
    report(1, [1.0, 2.0, 3.0, 4.0])
    # A worker repeats what it reported before.
    report(2 * N + 1, [3.0, 4.0, 5.0])
    assert norms("a") == {n * N: n for n in range(1, 6)}
    text = some_run("b", update=3 * N + 1).model_dump_json()
    saved = Checkpoint(id="c", update=0, smooth_loss=None, note=None, bytes=1, created_at="")
    store.add_fork("b", text, parent="a", update=3 * N + 1, checkpoint=saved)
    assert norms("b") == {N: 1, 2 * N: 2, 3 * N: 3}
    text = some_run("a", update=2 * N - 1).model_dump_json()
    store.rewind("a", text, Records(5 * N + 1, np.empty(0)), [], update=2 * N - 1)
    assert norms("a") == {N: 1}
    text = some_run("a", update=2 * N).model_dump_json()
    store.add_report("a", text, Records(2 * N, np.ones(1), {"gradient_norm": np.full(1, 7.0)}), [])
    assert norms("a") == {N: 1, 2 * N: 7}
    store.delete_run("a")
    assert (norms("a"), norms("b")) == (None, {N: 1, 2 * N: 2, 3 * N: 3})


def test_what_a_report_says_of_a_run_is_seen_before_it_is_written(store):
    add(store, some_run("a", sweep="s"))
    add(store, some_run("b"))
    for update in (100, 200):
        run = some_run("a", sweep="s", update=update, seconds=update / 10)
        records = Records(update - 99, np.ones(100))
        store.add_report("a", run.model_dump_json(), records, [])
        assert [each.update for each in queries.list_runs(store)] == [0, update]
        assert queries.training_seconds(store, "a", [update]) == [update / 10]

    # A later write of the same run is not replaced by the report before it.
    run = some_run("a", sweep="s", update=300, seconds=30.0)
    store.add_report("a", run.model_dump_json(), Records(201, np.ones(100)), [])
    store.save_run("a", run.model_copy(update={"name": "renamed"}).model_dump_json())
    store.commit()
    assert [each.name for each in queries.list_runs(store)][1] == "renamed"
    assert queries.training_seconds(store, "a", [300]) == [30.0]

    # Nor is the end of its sweep.
    run = run.model_copy(update={"update": 400})
    store.add_report("a", run.model_dump_json(), Records(301, np.ones(100)), [])
    sweeps.delete_sweep(store, "s")
    store.commit()
    (_, ended) = queries.list_runs(store)
    assert (ended.update, ended.sweep) == (400, None)


WRITER = """
import os, sys
import numpy as np
from pathlib import Path
from server.files.disk_errors import StorageError
from server.history.run_history import Records
from server.store import queries
from server.store.database import Store
from tests.store.test_database import add, milestone, sample, some_run
store = Store(Path(sys.argv[1]))
for identity in ("a", "b"):
    add(store, some_run(identity))
text = some_run("a", update=5).model_dump_json()
store.add_report("a", text, Records(1, np.ones(5)), [milestone(5)])
# A commit for any run commits the writes of all runs.
text = some_run("b", update=2).model_dump_json()
store.add_report("b", text, Records(1, np.ones(2)), [])
store.commit()
text = some_run("a", update=9).model_dump_json()
store.add_report("a", text, Records(6, np.ones(4)), [milestone(9)])
store.add_sample("a", sample(9), [milestone(9, "hurrah")])
os.kill(os.getpid(), 9)
"""


def test_after_a_crash_run_and_history_agree(tmp_path):
    path = tmp_path / "hurrah.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    assert ended.returncode == -9
    store = Store(path)
    try:
        assert {run.id: run.update for run in queries.list_runs(store)} == {"a": 5, "b": 2}
        assert store.history_end("a") == 5
        assert [found.update for found in queries.list_milestones(store, "a")] == [5]
        assert queries.list_samples(store, "a") == []
    finally:
        store.close()


def test_calls_run_in_order_on_one_thread(tmp_path):
    async def talk():
        store = StoreExecutor(tmp_path / "hurrah.db")
        run = some_run("a")
        await store(Store.add_run, run.id, run.model_dump_json())
        updates = range(1, 101)
        await asyncio.gather(*(store(Store.add_sample, "a", sample(n)) for n in updates))
        found = await store(queries.list_samples, "a")
        with pytest.raises(ValueError, match="history ends at 0"):
            await store(Store.add_report, "a", run.model_dump_json(), Records(2, np.ones(1)), [])
        await store.close()
        return [one.update for one in found] == list(updates)

    assert asyncio.run(talk())
    store = Store(tmp_path / "hurrah.db")
    assert len(queries.list_samples(store, "a")) == 100
    store.close()


# -- a full disk ----------------------------------------------------------------------------------


@pytest.fixture
def max_pages(store):
    """Return a function that limits the size of the database."""

    def limit(pages):
        store.connection.execute(f"PRAGMA max_page_count = {pages}")

    return limit


def test_writes_on_a_full_disk_are_stored_once_there_is_space(store, max_pages):
    add(store, some_run("a"))
    losses = np.arange(20_000.0)
    text = some_run("a", update=10).model_dump_json()
    store.add_report("a", text, Records(1, losses[:10]), [milestone(1)])
    store.commit()
    max_pages(1)
    text = some_run("a", update=20_000).model_dump_json()
    store.add_report("a", text, Records(11, losses[10:]), [milestone(2), milestone(3)])
    store.add_sample("a", sample(2), [milestone(2, "hurrah")])
    for _ in range(2):
        with pytest.raises(StorageError, match="no space left on the disk"):
            store.commit()
    with pytest.raises(StorageError):
        add(store, some_run("b"))
    with pytest.raises(StorageError):
        store.add_checkpoint("a", checkpoint("x", 3), [milestone(3, "checkpoint")])
    max_pages(1_000_000)
    store.add_sample("a", sample(5))
    store.commit()
    assert [(run.id, run.update) for run in queries.list_runs(store)] == [("a", 20_000)]
    assert losses_of(store, "a").tolist() == losses.tolist()
    assert [found.update for found in queries.list_samples(store, "a")] == [2, 5]
    assert [found.kind for found in queries.list_milestones(store, "a")] == [
        "epoch",
        "epoch",
        "hurrah",
        "epoch",
    ]
    assert queries.list_checkpoints(store, "a") == []
