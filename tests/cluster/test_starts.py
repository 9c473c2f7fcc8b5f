"""Runs start in a cluster side by side, and no request waits for a machine that is frozen."""

import asyncio
from unittest.mock import Mock

import pytest

from server.cluster import dask_cluster, remote_worker
from server.cluster.dask_cluster import DaskCluster
from server.cluster.scheduler import ClusterSettings, DaskWorker
from server.corpora.library import CorpusLibrary
from server.errors import ConflictError
from server.installation import CORPORA
from server.runs.run_queue import RunQueue
from server.runs.supervisor import Supervisor
from server.spec.limits import Limits
from server.spec.run_spec import RunSpec
from tests.serving import LIMIT_S

SETTINGS = ClusterSettings("tcp://127.0.0.1:2", "ws://127.0.0.1:3", None, None, None)
NOT_FREE = "No machine of the cluster has enough free slots."


class FrozenMachines:
    """A scheduler of machines on which a task starts no agent; a task ends if it is let fail."""

    def __init__(self, settings):
        self.tasks = {}

    async def read(self):
        machines = [
            DaskWorker("alice", "tcp://127.0.0.1:4", 2, "ready"),
            DaskWorker("bob", "tcp://127.0.0.1:5", 1, "ready"),
        ]
        return "scheduler", {machine.address: machine for machine in machines}

    async def train(self, assignment, key, address):
        fails = self.tasks[assignment["url"].rpartition("/")[2]] = asyncio.Event()
        await fails.wait()
        raise OSError("it is frozen")

    async def close(self, *_):
        pass


def with_supervisor(test):
    """Run a test, a coroutine function, with a supervisor, its cluster and a scheduler."""

    def run(tmp_path, monkeypatch):
        monkeypatch.setattr(dask_cluster, "Scheduler", FrozenMachines)
        publisher = Mock(is_watched=lambda run: False)
        clusters = []

        def make_cluster(*arguments):
            clusters.append(DaskCluster(SETTINGS, *arguments))
            return clusters[0]

        async def inside():
            supervisor = await Supervisor.open(
                tmp_path,
                CorpusLibrary(CORPORA, tmp_path / "corpora"),
                publisher,
                Limits(training_runs=1, network_bytes=2**30),
                cluster=make_cluster,
            )
            await clusters[0].wait_for_scheduler()
            try:
                async with asyncio.timeout(LIMIT_S):
                    await test(supervisor, clusters[0]._scheduler)
            finally:
                await supervisor.close()

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


async def until(condition):
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def create(supervisor, **spec):
    return await supervisor.create(RunSpec(hidden_size=5, **spec))


@with_supervisor
async def test_runs_start_side_by_side_up_to_the_free_slots(supervisor, scheduler):
    runs = [await create(supervisor) for _ in range(5)]
    assert {run.state for run in runs} == {"queued"}
    await until(lambda: len(scheduler.tasks) == 3 and runs[0].waiting_for)
    assert list(scheduler.tasks) == [run.id for run in runs[:3]]
    assert sorted(run.waiting_for for run in runs[:3]) == [
        "Machine alice is starting it.",
        "Machine alice is starting it.",
        "Machine bob is starting it.",
    ]
    assert [run.waiting_for for run in runs[3:]] == [NOT_FREE, NOT_FREE]
    assert [run.queue_position for run in runs] == [None, None, None, 1, 2]
    assert [machine.used for machine in supervisor.machines("")] == [0, 2, 1]


@with_supervisor
async def test_a_paused_run_is_created_without_waiting_for_its_machine(supervisor, scheduler):
    run = await create(supervisor, paused=True)
    assert run.state == "paused"
    await until(lambda: run.id in scheduler.tasks)


@pytest.mark.parametrize("end", ["pause", "stop", "delete"])
def test_a_run_that_starts_on_a_frozen_machine_ends_at_once(end, tmp_path, monkeypatch):
    # Otherwise it would end when the machine is given up.
    monkeypatch.setattr(remote_worker, "CONNECT_TIMEOUT_S", 10 * LIMIT_S)

    @with_supervisor
    async def test(supervisor, scheduler):
        run = await create(supervisor)
        await until(lambda: run.id in scheduler.tasks)
        await getattr(supervisor, end)(run.id)
        assert [machine.used for machine in supervisor.machines("")] == [0, 0, 0]
        scheduler.tasks.clear()
        # The next run is started, and this one is not.
        other = await create(supervisor)
        await until(lambda: other.id in scheduler.tasks)
        assert run.id not in scheduler.tasks
        if end == "delete":
            assert [each.id for each in supervisor.runs()] == [other.id]
        else:
            state = "paused" if end == "pause" else "stopped"
            assert (run.state, run.queue_position, run.waiting_for) == (state, None, None)
            assert run.error is None

    test(tmp_path, monkeypatch)


@with_supervisor
async def test_a_paused_run_whose_worker_starts_on_a_frozen_machine_stops_at_once(
    supervisor, scheduler
):
    run = await create(supervisor, paused=True)
    stepping = asyncio.create_task(supervisor.step(run.id, 1))
    await until(lambda: run.id in scheduler.tasks)
    assert (await supervisor.stop(run.id)).state == "stopped"
    with pytest.raises(ConflictError, match="stopped or deleted before its machine"):
        await stepping


@with_supervisor
async def test_a_run_whose_agents_fail_says_why(supervisor, scheduler):
    run = await create(supervisor)
    for _ in range(3):
        await until(lambda: run.id in scheduler.tasks)
        scheduler.tasks.pop(run.id).set()
    await until(lambda: run.state == "failed")
    assert "could not train the run: its agent failed: it is frozen. 3 machines" in run.error


@pytest.mark.parametrize("order", ["abc", "cba", "bac", "cab"])
def test_runs_that_could_not_start_are_queued_in_their_old_order(order):
    queue = RunQueue({}, None, None)
    for run in "abcd":
        queue.append(run)
    assert [queue.pop() for _ in range(3)] == ["a", "b", "c"]
    for run in order:
        queue.put_back(run)
    assert list(queue) == ["a", "b", "c", "d"]
