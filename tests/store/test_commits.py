"""After every commit, everything of a run is of the same moment, and nothing is there twice."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from server.files.disk_errors import StorageError
from server.history.chunks import CHUNK
from server.history.run_history import Records
from server.store import queries
from server.store.database import Store
from tests.store.test_database import (
    add,
    checkpoint,
    losses_of,
    milestone,
    sample,
    some_run,
)

RUNS = ("a", "b", "c")


class Written:
    """What was written of a run: its update, and those of its samples and milestones."""

    def __init__(self):
        self.update = 0
        self.error = None
        self.samples = set()
        self.milestones = []


class Scene:
    """A store, a second connection that sees what is committed, and what both should contain."""

    def __init__(self, directory):
        self.store = Store(directory / "hurrah.db")
        self.reader = Store(directory / "hurrah.db")
        self.written = {run: Written() for run in RUNS}
        self.full = False
        for run in RUNS:
            add(self.store, some_run(run))

    def close(self):
        self.store.connection.execute("PRAGMA max_page_count = 1000000")
        self.store.close()
        self.expect_committed(*RUNS)
        self.reader.close()

    def text(self, run):
        written = self.written[run]
        return some_run(run, update=written.update, error=written.error).model_dump_json()

    def report(self, run, count, with_milestone):
        written = self.written[run]
        losses = np.arange(written.update, written.update + count, dtype=float)
        records = Records(written.update + 1, losses, {"gradient_norm": losses[:1]})
        written.update += count
        added = [milestone(written.update)] if with_milestone else []
        written.milestones += [each.update for each in added]
        self.store.add_report(run, self.text(run), records, added)

    def sample(self, run, _count, with_milestone):
        written = self.written[run]
        written.samples.add(written.update)
        added = [milestone(written.update, "hurrah")] if with_milestone else []
        written.milestones += [each.update for each in added]
        self.store.add_sample(run, sample(written.update), added)

    def save(self, run, count, with_milestone):
        written = self.written[run]
        written.error = f"error {count}"
        added = [milestone(written.update)] if with_milestone else []
        written.milestones += [each.update for each in added]
        self.store.save_run(run, self.text(run), added)

    def checkpoint(self, run, _count, _with_milestone):
        update = self.written[run].update
        added = [milestone(update, "checkpoint")]
        with contextlib.suppress(StorageError):
            self.store.add_checkpoint(run, checkpoint(f"{run}{update}", update), added)
            self.written[run].milestones.append(update)
            self.expect_committed(run)

    def read(self, run, _count, _with_milestone):
        """A query sees what is not committed, unless the disk is full."""
        update = self.written[run].update
        with contextlib.suppress(StorageError):
            assert len(losses_of(self.store, run)) == update or self.full

    def write_buffer(self, run, _count, _with_milestone):
        with contextlib.suppress(StorageError):
            self.store.write_buffers([run])

    def commit_written(self, _run, _count, _with_milestone):
        with contextlib.suppress(StorageError):
            changed = set(self.store.changed_runs())
            self.store.commit_written()
            self.expect_committed(*{*RUNS} - changed)

    def commit(self, _run, _count, _with_milestone):
        with contextlib.suppress(StorageError):
            self.store.commit()
            self.expect_committed(*RUNS)

    def fill_disk(self, _run, _count, _with_milestone):
        self.full = True
        self.store.connection.execute("PRAGMA max_page_count = 1")

    def empty_disk(self, _run, _count, _with_milestone):
        self.full = False
        self.store.connection.execute("PRAGMA max_page_count = 1000000")

    def committed(self, run):
        [found] = [each for each in queries.list_runs(self.reader) if each.id == run]
        update = found.update
        losses = losses_of(self.reader, run)
        assert losses.tolist() == list(range(update))
        samples = [each.update for each in queries.list_samples(self.reader, run)]
        milestones = [each.update for each in queries.list_milestones(self.reader, run)]
        return update, found.error, samples, milestones

    def expect_consistent(self):
        for run in RUNS:
            update, _, samples, milestones = self.committed(run)
            written = self.written[run]
            assert update <= written.update
            assert max([0, *samples, *milestones]) <= update
            assert milestones == sorted(written.milestones)[: len(milestones)]

    def expect_committed(self, *runs):
        for run in runs:
            written = self.written[run]
            assert self.committed(run) == (
                *(written.update, written.error),
                *(sorted(written.samples), sorted(written.milestones)),
            )


OPERATIONS = ("sample", "save", "checkpoint", "read", "write_buffer", "commit_written", "commit")
DISK = ("fill_disk", "empty_disk")

operations = st.lists(
    st.tuples(
        st.sampled_from(("report", "report", "report", *OPERATIONS, *DISK)),
        st.sampled_from(RUNS),
        # A whole chunk of the history is written at once.
        st.sampled_from((1, 2, 50, CHUNK - 1, CHUNK)),
        st.booleans(),
    ),
    max_size=40,
)


# What is only in a buffer at a commit is lost with a later transaction, and repeated.
@example(
    [
        ("report", "b", 10, False),
        ("checkpoint", "a", 1, False),
        ("fill_disk", "a", 1, False),
        ("report", "a", CHUNK, True),
        ("empty_disk", "a", 1, False),
        ("commit", "a", 1, False),
    ]
)
# A state that is saved when the disk is full is newer than a report that is in a buffer.
@example(
    [
        ("report", "a", CHUNK - 1, False),
        ("fill_disk", "a", 1, False),
        ("save", "a", 1, False),
        ("empty_disk", "a", 1, False),
        ("commit", "a", 1, False),
    ]
)
@given(operations)
def test_committed_runs_are_whole(chosen):
    with (
        tempfile.TemporaryDirectory() as directory,
        contextlib.closing(Scene(Path(directory))) as scene,
    ):
        for name, *arguments in chosen:
            getattr(scene, name)(*arguments)
            scene.expect_consistent()


def test_a_durable_write_leaves_the_buffers_of_other_runs(tmp_path):
    with contextlib.closing(Scene(tmp_path)) as scene:
        for run in RUNS:
            scene.report(run, 10, with_milestone=False)
        scene.checkpoint("a", 0, False)
        assert scene.store.changed_runs() == ["b", "c"]
        assert [scene.committed(run)[0] for run in RUNS] == [10, 0, 0]
