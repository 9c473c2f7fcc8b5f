"""A cluster whose scheduler dies: runs go on, and new ones wait and say for what."""

import asyncio

import pytest

from server.cluster import dask_cluster
from server.cluster.dask_cluster import DaskCluster
from server.cluster.scheduler import ClusterSettings, DaskWorker, SchedulerLostError
from tests.cluster.conftest import SPEC, Cluster, check, machines
from tests.serving import LIMIT_S, PAGES, RunningServer

pytestmark = pytest.mark.process


@pytest.fixture
def own_cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def test_runs_go_on_without_the_scheduler_and_new_ones_wait(own_cluster, tmp_path):
    data = tmp_path / "data"
    with RunningServer(data, "--no-demo", HURRAH_CLUSTER=own_cluster.address) as server:
        corpus = server.upload(PAGES)["id"]
        spec = SPEC | {"corpus": corpus, "max_updates": None}
        run = server.create(pace=200, **spec)
        assert run["state"] == "queued"
        server.until(
            run, lambda now: now["waiting_for"] == "The cluster has no machine at present."
        )
        own_cluster.add("alice")
        server.until(run, lambda now: now["machine"] == "alice" and now["update"] > 0)
        second = server.create(**spec)
        server.until(
            second,
            lambda now: now["waiting_for"] == "No machine of the cluster has enough free slots.",
        )

        own_cluster.kill_scheduler()
        reason = f"The cluster's scheduler at {own_cluster.address} cannot be reached."
        server.until(second, lambda now: now["waiting_for"] == reason)
        assert server.run(second)["state"] == "queued"
        assert machines(server)["alice"] == {
            "name": "alice",
            "address": machines(server)["alice"]["address"],
            "slots": 1,
            "used": 1,
            "state": "unreachable",
            "runs": [run["id"]],
        }
        # The Dask worker ends itself; the run does not.
        own_cluster.workers["alice"].wait(60)
        now = server.run(run)
        assert (now["state"], now["machine"]) == ("running", "alice")
        server.until(run, lambda later: later["update"] > now["update"] + 50)

        own_cluster.start_scheduler()
        own_cluster.add("bob")
        server.until(second, lambda now: now["machine"] == "bob")
        assert server.run(run)["machine"] == "alice"
        assert server.post(run, "pause")["state"] == "paused"
        check(server, server.run(run))
        server.delete_runs()


def test_a_run_does_not_wait_for_an_agent_that_a_lost_scheduler_may_have_started(
    tmp_path, monkeypatch
):
    """Whether the scheduler had passed the task on is unknown, and its agent may never connect."""

    class DyingScheduler:
        def __init__(self, settings):
            self.alive = True

        async def read(self):
            if not self.alive:
                raise OSError("it is gone")
            machine = DaskWorker("alice", "tcp://127.0.0.1:1", 1, "ready")
            return "scheduler", {machine.address: machine}

        async def train(self, *_):
            self.alive = False
            raise SchedulerLostError

        async def close(self, *_):
            pass

    monkeypatch.setattr(dask_cluster, "Scheduler", DyingScheduler)

    async def store(*_):
        return 1

    async def place():
        settings = ClusterSettings("tcp://127.0.0.1:2", "ws://127.0.0.1:3", None, None, None)
        cluster = DaskCluster(settings, store, lambda: None)
        await cluster.wait_for_scheduler()
        ended = asyncio.get_running_loop().create_future()

        async def on_exit(how):
            ended.set_result((how, cluster.obstacle(1, {})))

        async def on_event(event):
            pass

        await cluster.launch("run", tmp_path, 1, on_event=on_event, on_exit=on_exit)
        async with asyncio.timeout(LIMIT_S):
            how = await ended
        await cluster.detach()
        return how

    how, obstacle = asyncio.run(place())
    assert how == "the scheduler was lost before its agent connected"
    # So the run is not placed anew before the server knows that the scheduler is gone.
    assert obstacle == "The cluster's scheduler at tcp://127.0.0.1:2 cannot be reached."
