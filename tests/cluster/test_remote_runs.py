"""Runs on other machines: like any other run, whatever dies or breaks.

All in one module, so that they share a cluster.
"""

import contextlib
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.cluster.conftest import SPEC, check, machines, other
from tests.processes import is_alive, is_stopped
from tests.serving import PAGES, RunningServer, until
from tests.slow_proxy import SlowProxy

pytestmark = pytest.mark.process


# -- a run like any other --------------------------------------------------------------------------


def test_a_remote_run_is_the_same_as_a_local_one(server, corpus):
    run = server.create(corpus=corpus, max_updates=500, **SPEC)
    assert server.until(run, lambda now: now["machine"] in {"alice", "bob"} or now["error"])
    ended = server.until_ended(run)
    assert (ended["state"], ended["error"]) == ("finished", None)
    until(lambda: server.run(run)["machine"] is None)
    check(server, ended)
    # The snapshots came with the samples: passages of earlier networks can be written.
    passage = server.post(run, "passages", {"source": {"update": 200}, "length": 20})
    assert passage["source"]["update"] == 200


def test_everything_works_for_a_remote_run(server, corpus):
    run = server.create(corpus=corpus, max_updates=None, paused=True, **SPEC)
    assert server.post(run, "step", {"updates": 7})["update"] == 7
    made = server.post(run, "checkpoints", {"note": "here"})
    assert made["update"] == 7
    arrays, meta = server.checkpoint_file(run, made["id"])
    assert meta["trainer"]["updates"] == 7
    assert len(arrays["unflushed.losses"]) <= 7
    passage = server.post(run, "passages", {"source": "latest", "length": 20, "seed": 1})
    assert passage["source"]["update"] == 7
    changed = server.client.patch(f"/api/runs/{run['id']}", json={"learning_rate": 0.05})
    assert changed.json()["spec"]["learning_rate"] == 0.05

    # On a full cluster, its newest checkpoint has all that a new one would have.
    others = [server.create(corpus=corpus, max_updates=None, pace=10, **SPEC) for _ in range(2)]
    for each in others:
        server.until(each, lambda now: now["state"] == "running")
    copy = server.post(run, "checkpoints", {"note": "again"})
    assert (copy["update"], copy["note"]) == (7, "again")
    assert server.checkpoint_file(run, copy["id"])[1]["spec"]["learning_rate"] == 0.05
    refused = server.client.post(f"/api/runs/{run['id']}/step", json={"updates": 1})
    assert server.problem(refused, 409)["detail"] == (
        "No machine of the cluster has enough free slots. Stop another run, or add a machine."
    )
    for each in others:
        server.post(each, "stop")

    server.post(run, "resume")
    server.until(run, lambda now: now["update"] > 50)
    paused = server.post(run, "pause")
    assert paused["state"] == "paused"
    assert server.run(run)["update"] == paused["update"]
    fork = server.post(run, "fork", {"checkpoint": made["id"], "spec": {"max_updates": 20}})
    assert server.until_ended(fork)["update"] == 20
    assert server.post(run, "stop")["state"] == "stopped"
    assert server.client.delete(f"/api/runs/{run['id']}").status_code == 204


def test_a_worker_needs_the_token_of_its_placement(server, corpus):
    run = server.create(corpus=corpus, max_updates=None, paused=True, **SPEC)
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{server.ws_url}/ws/workers/{run['id']}", additional_headers=headers)
        assert refused.value.response.status_code == 403
    # Its worker may just be starting.
    server.post(run, "stop")
    until(lambda: not any(run["id"] in each["runs"] for each in machines(server).values()))


# -- machines that die -----------------------------------------------------------------------------


def test_a_run_whose_machines_are_killed_ends_as_if_undisturbed(cluster, server, corpus):
    spec = SPEC | {"checkpoint_every_s": 1, "pace": 150}
    run = server.create(corpus=corpus, max_updates=None, **spec)
    first = server.until(run, lambda now: now["machine"])["machine"]
    server.post(run, "checkpoints")
    server.until(run, lambda now: now["update"] >= 50)

    (worker,) = cluster.worker_processes(first)
    os.kill(worker, signal.SIGKILL)
    server.until(run, lambda now: now["machine"] == other(first) and now["update"] > 60)
    assert machines(server)[first]["used"] == 0

    agents = cluster.kill(other(first))
    assert agents
    server.until(run, lambda now: now["machine"] == first and now["state"] == "running")
    # What is left on the other machine is told to exit.
    until(lambda: not any(is_alive(pid) for pid in agents))
    cluster.add(other(first))

    at = server.post(run, "pause")["update"]
    patch(server, run, max_updates=at + 200, pace="max")
    server.post(run, "resume")
    ended = server.until_ended(run)
    assert (ended["state"], ended["error"]) == ("finished", None)
    reference = check(server, ended)
    until(lambda: server.run(run)["machine"] is None)
    reference.assert_equal(*server.checkpoint_file(run, "latest"))
    lost = [each["text"] for each in server.get(run, "milestones") if each["kind"] == "rollback"]
    assert len(lost) == 2
    assert lost[0].startswith(f"Machine {first} was lost at update ")
    assert "was killed by signal 9 (SIGKILL)." in lost[0]
    assert f"The run continues on {other(first)} from update " in lost[0]
    assert lost[1].startswith(f"Machine {other(first)} was lost at update ")
    assert "it has left the cluster." in lost[1]


def test_a_machine_that_comes_back_too_late_is_refused_and_stops(cluster, server, corpus):
    run = server.create(corpus=corpus, max_updates=None, pace=100, **SPEC)
    first = server.until(run, lambda now: now["machine"] and now["update"] > 20)["machine"]
    made = server.post(run, "checkpoints")
    (agent,) = cluster.agents(first)
    (worker,) = cluster.worker_processes(first)
    # As if its cable was pulled: nothing is heard of it, and it trains on.
    os.kill(agent, signal.SIGSTOP)
    server.until(run, lambda now: now["machine"] == other(first))
    assert is_alive(worker)
    os.kill(agent, signal.SIGCONT)
    until(lambda: not is_alive(agent) and not is_alive(worker))
    paused = server.post(run, "pause")
    assert paused["machine"] == other(first)
    check(server, paused)
    (lost,) = [each for each in server.get(run, "milestones") if each["kind"] == "rollback"]
    assert lost["update"] == made["update"]
    assert "nothing was heard of it for " in lost["text"]
    server.post(run, "stop")


def test_a_machine_that_was_frozen_and_comes_back_writes_nothing(cluster, server, corpus):
    run = server.create(corpus=corpus, max_updates=3_000, **SPEC | {"pace": 150})
    first = server.until(run, lambda now: now["machine"])["machine"]
    server.until(run, lambda now: now["update"] >= 50)
    frozen = [*cluster.agents(first), *cluster.worker_processes(first)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    cluster.kill(first)
    server.until(run, lambda now: now["machine"] == other(first) and now["update"] > 100)
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    # Its placement has ended: it is refused, and exits.
    until(lambda: not any(is_alive(pid) for pid in frozen))
    assert server.run(run)["machine"] == other(first)
    server.client.patch(f"/api/runs/{run['id']}", json={"pace": "max"})
    ended = server.until_ended(run)
    assert (ended["state"], ended["error"]) == ("finished", None)
    check(server, ended)
    cluster.add(first)


def test_a_run_whose_machine_is_lost_during_a_pause_is_paused(cluster, server, corpus):
    run = server.create(corpus=corpus, max_updates=None, pace=100, **SPEC)
    first = server.until(run, lambda now: now["machine"] and now["update"] > 20)["machine"]
    frozen = [*cluster.agents(first), *cluster.worker_processes(first)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        pausing = threads.submit(server.post, run, "pause")
        cluster.kill(first)
        paused = pausing.result()
    assert (paused["state"], paused["machine"]) == ("paused", None)
    assert paused["error"].startswith(f"Machine {first} was lost ")
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not any(is_alive(pid) for pid in frozen))
    cluster.add(first)
    assert server.post(run, "step", {"updates": 5})["update"] == paused["update"] + 5
    check(server, server.run(run))
    server.post(run, "stop")


# -- servers that end or die -----------------------------------------------------------------------


@pytest.fixture
def start(cluster, tmp_path):
    """Start servers on one directory and port; the machines reach them through a proxy."""
    servers = []

    def start(stop_at=""):
        options = {"port": port, "HURRAH_CLUSTER": cluster.address, "HURRAH_STOP_AT": stop_at}
        options["HURRAH_CLUSTER_URL"] = f"http://127.0.0.1:{proxy.port}"
        servers.append(RunningServer(tmp_path, "--no-demo", **options))
        servers[-1].proxy = proxy
        return servers[-1]

    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with SlowProxy(port) as proxy:
        yield start
        if servers[-1].process.poll() is None:
            servers[-1].delete_runs()
            servers[-1].terminate()


def test_workers_train_on_while_the_server_is_away(cluster, start):
    server = start("change.saved")
    corpus = server.upload(PAGES)["id"]
    spec = SPEC | {"corpus": corpus, "max_updates": None, "checkpoint_every_s": 3600}
    run = server.create(pace=200, **spec)
    paused = server.create(paused=True, **spec)
    server.post(paused, "step", {"updates": 30})
    server.until(run, lambda now: now["update"] >= 100)
    workers = [pid for name in cluster.workers for pid in cluster.worker_processes(name)]
    assert len(workers) == 2

    for ending in ("kill", "terminate"):
        before = server.run(run)["update"]
        if ending == "kill":
            # It dies in the middle of a change, for which the worker waits.
            with ThreadPoolExecutor(1) as threads:
                threads.submit(patch, server, run, pace=180)
                until(lambda server=server: is_stopped(server.process.pid))
                server.kill()
        else:
            assert server.terminate() == 0
        server = start()
        assert server.run(run)["state"] == "running"
        assert server.run(paused)["state"] == "paused"
        # The same workers, and none that went back: there is no checkpoint.
        server.until(run, lambda now, before=before: now["update"] > before + 50)
        assert server.run(run)["spec"]["pace"] == 180
        assert server.post(paused, "step", {"updates": 5})["update"] % 5 == 0
        assert all(is_alive(pid) for pid in workers)

    # Connections break, and no command is lost or carried out twice.
    before = server.run(paused)["update"]
    for step in range(1, 6):
        server.proxy.cut()
        assert server.post(paused, "step", {"updates": 3})["update"] == before + 3 * step
    made = server.post(run, "checkpoints")
    assert server.checkpoint_file(run, made["id"])[1]["trainer"]["updates"] == made["update"]

    at = server.post(run, "pause")["update"]
    patch(server, run, max_updates=at + 200, pace="max")
    server.post(run, "resume")
    ended = server.until_ended(run)
    assert (ended["state"], ended["error"]) == ("finished", None)
    check(server, ended)
    check(server, server.run(paused))
    kinds = {each["kind"] for each in server.get(run, "milestones")}
    assert "rollback" not in kinds
    server.post(paused, "stop")
    until(lambda: not any(is_alive(pid) for pid in workers))


def patch(server, run, **changes):
    """Change the spec of a run; a server that dies meanwhile does not answer."""
    with contextlib.suppress(httpx.HTTPError):
        answer = server.client.patch(f"/api/runs/{run['id']}", json=changes)
        assert answer.status_code == 200


def test_a_server_listens_before_the_demo_run_trains_in_the_cluster(cluster, tmp_path):
    with RunningServer(tmp_path, HURRAH_CLUSTER=cluster.address) as server:
        (demo,) = until(lambda: server.client.get("/api/runs").json())
        server.until(demo, lambda now: now["update"] > 0)
        assert server.run(demo)["machine"] in cluster.workers
        server.post(demo, "stop")
