"""kill -9 at every failpoint: before and after each commit, and in the middle of each file."""

import pytest

from tests.crash.crash_harness import PACE, SHARED, SPECS
from tests.crash.reference_run import ReferenceRun
from tests.serving import PAGES, until


def soak(*values):
    """Return a case that resembles others; `make test` leaves it to `make soak`."""
    return pytest.param(*values, marks=pytest.mark.soak)


@pytest.fixture(autouse=True)
def _only_its_own_runs(harness):
    yield
    known = {run["id"] for run, _ in harness.runs}
    for run in harness.server.client.get("/api/runs").json():
        if run["id"] not in known:
            harness.server.client.delete(f"/api/runs/{run['id']}")


def recover(harness, who):
    """Kill processes, start a server if needed, and check the runs."""
    harness.kill(who)
    if who != "worker":
        harness.start()
    harness.check()


@pytest.mark.parametrize(
    ("point", "who"),
    [
        # A checkpoint's file: written under a temporary name, synced, renamed, the name synced.
        ("archive.written", "worker"),
        soak("archive.synced", "both"),
        soak("archive.renamed", "worker"),
        ("archive.renamed", "server"),
        ("archive.directory_synced", "both"),
        # Its row in the database.
        soak("checkpoint.insert", "server"),
        ("checkpoint.insert", "worker"),
        ("checkpoint.inserted", "both"),
        # The database: while a server recovers its runs, while they start, and while they train.
        ("store.commit", "server"),
        ("store.committed:2", "both"),
        ("store.commit:12", "both"),
        soak("store.committed:9", "worker"),
        # A run goes back to its checkpoint.
        ("store.rewind", "server"),
        ("store.rewound:2", "both"),
        # A sample, and a snapshot.
        ("store.sampled", "server"),
        soak("snapshot.take:2", "both"),
        ("snapshot.taken:2", "worker"),
    ],
)
def test_nothing_is_lost_corrupted_or_duplicated(harness, point, who):
    harness.restart(stop_at=point)
    training = harness.train(harness.checkpoint)
    until(harness.stopped)
    recover(harness, who)
    training.join()


@pytest.mark.parametrize(
    "kills",
    [
        # Samples are in a checkpoint, and no server lives long enough to measure one.
        [("sample.measure", "server")] * 3,
        soak(
            [("sample.measure", "worker"), ("sample.measure", "server"), ("store.sampled", "both")]
        ),
        [("sample.measure", "both"), ("checkpoint.insert", "server"), ("store.rewound", "both")],
        # A run goes back to its checkpoint again and again.
        [("store.rewind", "both"), ("store.rewind", "both")],
        soak([("store.rewound", "both"), ("store.rewound", "both")]),
        [("store.rewound", "server"), ("store.rewind", "server"), ("store.rewound:2", "both")],
    ],
)
def test_nothing_is_lost_in_kills_in_quick_succession(harness, kills):
    for point, who in kills:
        harness.restart(stop_at=point)
        training = harness.train(harness.checkpoint)
        if point == "sample.measure":
            training.join()
            until(harness.stopped_inference)
        else:
            until(harness.stopped)
        harness.kill(who)
        training.join()
    harness.restart()
    harness.check()


@pytest.mark.parametrize("point", ["change.save", "change.saved"])
def test_a_change_is_made_completely_or_not_at_all(harness, point):
    spec = SHARED | SPECS[0] | {"corpus": harness.corpus, "pace": PACE}
    changed = harness.server.create(**spec)
    harness.restart(stop_at=point)

    def change():
        harness.server.post(changed, "resume")
        path = f"/api/runs/{changed['id']}"
        harness.server.client.patch(path, json={"learning_rate": 0.5})

    working = harness.train(change)
    until(harness.stopped)
    # The worker saves a checkpoint of its own.
    harness.kill("server")
    working.join()
    harness.start()
    harness.check()
    found = harness.server.run(changed)
    made = point == "change.saved"
    assert found["spec"]["learning_rate"] == (0.5 if made else changed["spec"]["learning_rate"])
    marked = {each["kind"] for each in harness.server.get(changed, "milestones")}
    assert ("change" in marked) is made
    # No update was made with a rate that nothing recorded.
    reference = ReferenceRun(PAGES, changed["spec"]).train_to(found["update"])
    rows = harness.server.losses_csv(changed).decode().splitlines()[1:]
    assert [float(row.split(",")[3]) for row in rows] == reference.losses


@pytest.mark.parametrize("point", ["run.add", "run.added"])
def test_a_run_is_created_completely_or_not_at_all(harness, point):
    def make():
        harness.server.create(corpus=harness.runs[0][0]["corpus"], paused=True, hidden_size=2)

    made = new_runs_after_crash(harness, point, make)
    assert len(made) == (point == "run.added")
    assert [run["update"] for run in made] == [0] * len(made)


@pytest.mark.parametrize("point", ["group.add", "group.added"])
def test_a_group_is_created_completely_or_not_at_all(harness, point):
    spec = {"corpus": harness.runs[0][0]["corpus"], "paused": True, "hidden_size": 2}

    def make():
        harness.server.client.post("/api/groups", json={"spec": spec, "seeds": 3})

    made = new_runs_after_crash(harness, point, make)
    groups = harness.server.client.get("/api/groups").json()
    assert [sorted(group["runs"]) for group in groups] == (
        [sorted(run["id"] for run in made)] if point == "group.added" else []
    )
    assert len(made) == (3 if point == "group.added" else 0)


@pytest.mark.parametrize("point", ["run.fork", "run.forked"])
def test_a_fork_is_created_completely_or_not_at_all(harness, point):
    parent = harness.runs[0][0]
    harness.checkpoint()
    checkpoint = harness.acknowledged[parent["id"]][-1]

    def fork():
        wanted = {"checkpoint": checkpoint["id"], "spec": {"paused": True}}
        harness.server.post(parent, "fork", wanted)

    made = new_runs_after_crash(harness, point, fork)
    assert len(made) == (point == "run.forked")
    for branch in made:
        assert branch["update"] == checkpoint["update"]
        whole = harness.server.losses_csv(parent).splitlines()
        assert harness.server.losses_csv(branch).splitlines() == whole[: branch["update"] + 1]
        [only] = harness.server.get(branch, "checkpoints")
        arrays, meta = harness.server.checkpoint_file(branch, only["id"])
        harness.runs[0][1].assert_equal(arrays, meta)


@pytest.mark.parametrize("point", ["run.delete", "run.renamed", "run.deleted"])
def test_a_run_is_deleted_completely_or_not_at_all(harness, point):
    deleted = harness.server.create(corpus=harness.runs[0][0]["corpus"], paused=True, hidden_size=2)
    harness.server.post(deleted, "step", {"updates": 3})

    def delete():
        harness.server.client.delete(f"/api/runs/{deleted['id']}")

    left = new_runs_after_crash(harness, point, delete)
    assert [run["update"] for run in left] == ([3] if point == "run.delete" else [])


def new_runs_after_crash(harness, point, action):
    """Do something, kill everything at a failpoint, and return the runs that are new."""
    harness.restart(stop_at=point)
    working = harness.train(action)
    until(harness.stopped)
    recover(harness, "both")
    working.join()
    known = {run["id"] for run, _ in harness.runs}
    runs = harness.server.client.get("/api/runs").json()
    return [run for run in runs if run["id"] not in known]
