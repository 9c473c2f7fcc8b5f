"""A real scheduler and real Dask workers on this machine."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.reference_run import ReferenceRun
from tests.processes import child_pids
from tests.serving import PAGES, ROOT, RunningServer, until

ENVIRONMENT = {"PYTHONPATH": str(ROOT)}
SPEC = {
    "hidden_size": 8,
    "sequence_length": 8,
    "sample_every": 100,
    "sample_length": 30,
    "watch_words": ["the"],
}


class Cluster:
    """A scheduler and workers, each without a nanny: a killed one stays dead."""

    def __init__(self, directory, tls=()):
        self.directory = directory
        self._tls = tls
        self.workers = {}
        self._log = (directory / "log").open("a")
        self._port = 0
        self.start_scheduler()

    def start_scheduler(self):
        """Start the scheduler, at the same address as the one before."""
        protocol = "tls" if self._tls else "tcp"
        self.scheduler = self._start(
            *("dask_scheduler", "--host", f"{protocol}://127.0.0.1"),
            *("--port", str(self._port), *self._tls),
        )
        found = until(lambda: self._log_matches(rf"Scheduler at:\s+({protocol}://\S+)"))
        self.address = found[0]
        self._port = int(self.address.rpartition(":")[2])

    def kill_scheduler(self):
        self.scheduler.kill()
        self.scheduler.wait()

    def _start(self, module, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *arguments],
            cwd=self.directory,
            env=os.environ | ENVIRONMENT | {"TMPDIR": str(self.directory)},
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def _log_matches(self, pattern):
        return re.findall(pattern, Path(self._log.name).read_text(encoding="utf-8"))

    def add(self, name, threads=1, tls=None):
        """Start a Dask worker, with the files of the cluster for TLS or others.

        With those of the cluster, wait until the scheduler knows it.
        """
        registered = rf"Register worker addr: \S+ name: {name}\b"
        before = len(self._log_matches(registered))
        self.workers[name] = self._start(
            "dask_worker",
            *(self.address, "--name", name, "--nthreads", str(threads), "--no-nanny"),
            *("--local-directory", str(self.directory)),
            *(self._tls if tls is None else tls),
        )
        if tls is None:
            until(lambda: len(self._log_matches(registered)) > before)

    def agents(self, name):
        """Return the ids of the agents on a machine."""
        return child_pids(self.workers[name].pid, "server.cluster.node")

    def worker_processes(self, name):
        """Return the ids of the worker processes on a machine."""
        return [pid for agent in self.agents(name) for pid in child_pids(agent, "server.worker")]

    def kill(self, name):
        """Kill a Dask worker and return its agents, which outlive it."""
        agents = self.agents(name)
        process = self.workers.pop(name)
        process.kill()
        process.wait()
        return agents

    def close(self):
        # An agent outlives its Dask worker.
        for name in self.workers:
            for agent in self.agents(name):
                os.kill(agent, signal.SIGKILL)
        for process in [*self.workers.values(), self.scheduler]:
            process.kill()
        for process in [*self.workers.values(), self.scheduler]:
            process.wait()
        self._log.close()


# Idle Dask processes take a tenth of a core, so they end with the tests of this directory.
@pytest.fixture(scope="package")
def cluster(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(directory)
    cluster.add("alice")
    cluster.add("bob")
    yield cluster
    cluster.close()


@pytest.fixture(scope="package")
def server(cluster, tmp_path_factory):
    """A server that uses the cluster, with both machines ready."""
    data_dir = tmp_path_factory.mktemp("data")
    with RunningServer(data_dir, "--no-demo", HURRAH_CLUSTER=cluster.address) as server:
        until(lambda: len(machines(server)) == 2)
        yield server
        # Workers would train on without their server.
        server.delete_runs()


def machines(server):
    """Return the machines of the cluster by their names."""
    found = server.client.get("/api/machines").json()
    return {each["name"]: each for each in found if each["name"] != "server"}


def other(name):
    return {"alice": "bob", "bob": "alice"}[name]


@pytest.fixture(scope="package")
def corpus(server):
    return server.upload(PAGES)["id"]


def check(server, run):
    """Check that the losses and samples of a run are those of an undisturbed one."""
    reference = ReferenceRun(PAGES, run["spec"])
    reference.train_to(run["update"])
    rows = list(csv.reader(io.StringIO(server.losses_csv(run).decode())))[1:]
    assert [int(row[0]) for row in rows] == list(range(1, run["update"] + 1))
    assert [float(row[3]) for row in rows] == reference.losses
    samples = {each["update"]: each["text"] for each in server.get(run, "samples")}
    assert samples == reference.samples
    return reference
