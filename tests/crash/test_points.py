"""kill -9 at every point that matters: before and after each commit, in the middle of each file."""

import pytest

from tests.serving import until


@pytest.fixture(autouse=True)
def _only_its_own_runs(survivor):
    yield
    known = {run["id"] for run, _ in survivor.runs}
    for run in survivor.server.client.get("/api/runs").json():
        if run["id"] not in known:
            survivor.server.client.delete(f"/api/runs/{run['id']}")


def recover(survivor, who):
    """Kill, see what the next server finds, or the same one if it lives."""
    survivor.kill(who)
    if who != "worker":
        survivor.start()
    survivor.check()


@pytest.mark.parametrize(
    ("point", "who"),
    [
        # A checkpoint's file: written beside its name, on the disk, renamed, its name on the disk.
        ("archive.written", "worker"),
        ("archive.synced", "both"),
        ("archive.renamed", "worker"),
        ("archive.renamed", "server"),
        ("archive.kept", "both"),
        # Its entry in the database.
        ("checkpoint.enter", "server"),
        ("checkpoint.enter", "worker"),
        ("checkpoint.entered", "both"),
        # The database: while a server takes up its runs, while they begin, and while they train.
        ("store.commit", "server"),
        ("store.committed:2", "both"),
        ("store.commit:12", "both"),
        ("store.committed:9", "worker"),
        # A run goes back to its checkpoint.
        ("store.rewind", "server"),
        ("store.rewound:2", "both"),
        # A sample, and a snapshot.
        ("store.sampled", "server"),
        ("snapshot.take:2", "both"),
        ("snapshot.taken:2", "worker"),
    ],
)
def test_nothing_is_lost_torn_or_doubled(survivor, point, who):
    survivor.restart(stop_at=point)
    training = survivor.train(survivor.checkpoint)
    until(survivor.stopped)
    recover(survivor, who)
    training.join()


@pytest.mark.parametrize("point", ["run.add", "run.added"])
def test_a_run_is_made_or_not(survivor, point):
    def make():
        survivor.server.create(corpus=survivor.runs[0][0]["corpus"], paused=True, hidden_size=2)

    made = made_while_dying(survivor, point, make)
    assert len(made) == (point == "run.added")
    assert [run["update"] for run in made] == [0] * len(made)


@pytest.mark.parametrize("point", ["run.fork", "run.forked"])
def test_a_fork_is_made_whole_or_not_at_all(survivor, point):
    parent = survivor.runs[0][0]
    survivor.checkpoint()
    checkpoint = survivor.acknowledged[parent["id"]][-1]

    def fork():
        wanted = {"checkpoint": checkpoint["id"], "spec": {"paused": True}}
        survivor.server.post(parent, "fork", wanted)

    made = made_while_dying(survivor, point, fork)
    assert len(made) == (point == "run.forked")
    for branch in made:
        assert branch["update"] == checkpoint["update"]
        whole = survivor.server.losses_csv(parent).splitlines()
        assert survivor.server.losses_csv(branch).splitlines() == whole[: branch["update"] + 1]
        [only] = survivor.server.get(branch, "checkpoints")
        arrays, meta = survivor.server.checkpoint_file(branch, only["id"])
        survivor.runs[0][1].agrees_with(arrays, meta)


@pytest.mark.parametrize("point", ["run.delete", "run.doomed", "run.deleted"])
def test_a_run_is_deleted_or_not(survivor, point):
    doomed = survivor.server.create(
        corpus=survivor.runs[0][0]["corpus"], paused=True, hidden_size=2
    )
    survivor.server.post(doomed, "step", {"updates": 3})

    def delete():
        survivor.server.client.delete(f"/api/runs/{doomed['id']}")

    left = made_while_dying(survivor, point, delete)
    assert [run["update"] for run in left] == ([3] if point == "run.delete" else [])


def made_while_dying(survivor, point, deed):
    """Do something, die at a point of it, and return the runs that there are beside the others."""
    survivor.restart(stop_at=point)
    working = survivor.train(deed)
    until(survivor.stopped)
    recover(survivor, "both")
    working.join()
    known = {run["id"] for run, _ in survivor.runs}
    runs = survivor.server.client.get("/api/runs").json()
    return [run for run in runs if run["id"] not in known]
