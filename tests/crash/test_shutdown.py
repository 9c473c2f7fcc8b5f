"""The server ends in time, with status 0, and leaves no process running."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from server.store.schema import RUN_TABLES
from tests.hostile import raw
from tests.processes import child_pids, is_alive, is_stopped
from tests.serving import PAGES, RunningServer, until

SMALL = {"hidden_size": 10, "sample_length": 20, "max_updates": None, "pace": 200}
# Tolerance for a slow machine; the promises are 10 s and 5 s.
SLACK_S = 30.0


def in_flight(server, path, body):
    """Send a request from a process of its own, without waiting for the answer."""
    ask = "import httpx, sys, json; httpx.post(sys.argv[1], json=json.loads(sys.argv[2]))"
    command = [sys.executable, "-c", ask, server.url + path, body]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def half_an_upload(server):
    """Connect a client that sends the beginning of a file, and then nothing."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"POST /api/corpora HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc'
        )
        yield


def start_all_work(server, run):
    """Start all kinds of work at once; return the clients' processes."""
    corpus = run["corpus"]
    paused = server.create(corpus=corpus, paused=True, **SMALL)
    server.post(paused, "step", {"updates": 5})
    stepping = server.create(corpus=corpus, paused=True, **SMALL)
    server.create(corpus=corpus, **SMALL)
    large = server.create(hidden_size=800, paused=True)
    asking = [
        in_flight(server, f"/api/runs/{stepping['id']}/step", '{"updates": 1000000}'),
        in_flight(server, f"/api/runs/{large['id']}/passages", '{"length": 20000}'),
    ]
    server.until(stepping, lambda now: now["update"] > 20)
    until(lambda: child_pids(server.process.pid, "server.inference"))
    return asking


def test_a_signal_ends_the_server_in_time_during_any_work(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="2")
    corpus = server.upload(PAGES)["id"]
    stuck = server.create(corpus=corpus, **SMALL)
    safe = server.post(stuck, "checkpoints")
    [stopped] = server.worker_pids()
    run = server.create(corpus=corpus, **SMALL)
    asking = start_all_work(server, run)
    children = child_pids(server.process.pid, "server.")
    seen = server.run(run)["update"]
    os.kill(stopped, signal.SIGSTOP)
    with half_an_upload(server):
        began_s = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began_s < 10 + SLACK_S
    until(lambda: not any(map(is_alive, children)), 5 + SLACK_S)
    for each in asking:
        each.wait()

    again = serve("--no-demo")
    found = again.run(run)
    assert found["state"] == "interrupted"
    assert found["update"] >= seen
    assert again.get(run, "checkpoints")[-1]["update"] == found["update"]
    # The run whose worker did not reply continues from its last checkpoint.
    assert again.run(stuck)["state"] == "interrupted"
    assert again.get(stuck, "checkpoints")[-1]["update"] >= safe["update"]
    again.post(stuck, "resume")
    again.until(stuck, lambda now: now["update"] > safe["update"])


def test_a_run_that_trained_is_interrupted_if_the_server_is_killed_while_it_ends(serve):
    server = serve("--no-demo", HURRAH_STOP_AT="checkpoint.insert")
    corpus = server.upload(PAGES)["id"]
    run = server.create(corpus=corpus, checkpoint_every_s=3_600, **SMALL)
    server.until(run, lambda now: now["update"] > 20)
    server.process.send_signal(signal.SIGTERM)
    # The worker has been paused, to save a checkpoint.
    until(lambda: is_stopped(server.process.pid))
    server.kill()
    assert serve("--no-demo").run(run)["state"] == "interrupted"


def test_the_children_of_a_killed_server_exit_and_workers_save_a_checkpoint(serve):
    server = serve("--no-demo", HURRAH_MAX_TRAINING_RUNS="2")
    corpus = server.upload(PAGES)["id"]
    runs = [server.create(corpus=corpus, **SMALL) for _ in range(2)]
    asking = start_all_work(server, runs[0])
    for run in runs:
        server.until(run, lambda now: now["update"] > 50)
    children = child_pids(server.process.pid, "server.")
    assert len(children) >= 5
    seen = [server.run(run)["update"] for run in runs]
    server.kill()
    until(lambda: not any(map(is_alive, children)), 5 + SLACK_S)
    for each in asking:
        each.wait()
    again = serve("--no-demo")
    for run, update in zip(runs, seen, strict=True):
        found = again.run(run)
        assert found["update"] >= update
        assert again.get(run, "checkpoints")[-1]["update"] == found["update"]


def described_upload(server):
    """Return a connection on which the server has received a text that takes long to describe."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        + PAGES.encode() * 3_000
        + b"\r\n--x--\r\n"
    )
    client = raw.connect(server)
    lines = (f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=x")
    client.sendall(raw.head(server, "POST /api/corpora HTTP/1.1", *lines) + body)
    return client


@pytest.mark.parametrize("reads", [0, 1_000])
def test_an_upload_being_described_and_reads_of_texts_do_not_delay_the_end(serve, reads):
    server = serve("--no-demo")
    large = server.upload((PAGES + "\u2014") * 1_000)
    path = f"/api/corpora/{large['id']}/text?from={large['characters'] - 9}"
    shown = {each["id"] for each in server.client.get("/api/corpora").json()}
    with contextlib.ExitStack() as clients:
        upload = clients.enter_context(described_upload(server))
        for _ in range(reads):
            client = clients.enter_context(raw.connect(server))
            client.sendall(raw.head(server, f"GET {path} HTTP/1.1"))
        began_s = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began_s < 10 + SLACK_S
        answered = raw.until_closed(upload)
    again = serve("--no-demo")
    kept = {each["id"] for each in again.client.get("/api/corpora").json()}
    # It is kept if the response says so, and not if the response is an error or was not sent.
    statuses = raw.statuses(answered)
    assert statuses in ([], [201], [503])
    assert len(kept - shown) == (statuses == [201])
    if statuses == [503]:
        problem = json.loads(answered.partition(b"\r\n\r\n")[2])
        assert problem["detail"] == "The server was stopped before it had completed the request."
    assert kept >= shown
    assert not list((again.data_dir / "corpora").glob(".*"))


SAMPLES = 20_000


@pytest.fixture(scope="module")
def many_samples(tmp_path_factory):
    """A data directory, and two runs in it with a large network and a long history."""
    data_dir = tmp_path_factory.mktemp("many")
    with RunningServer(data_dir, "--no-demo") as server:
        corpus = server.upload(PAGES)["id"]
        spec = {"hidden_size": 900, "sequence_length": 2, "sample_length": 1, "paused": True}
        runs = [server.create(corpus=corpus, **spec) for _ in range(2)]
        [sample] = server.get(runs[0], "samples")
    with contextlib.closing(sqlite3.connect(data_dir / "hurrah.db")) as database, database:
        for run in runs:
            # Before the first update, so that a fork copies all of them.
            rows = (
                (run["id"], -update, json.dumps(sample | {"update": 0, "text": "x" * 500}))
                for update in range(1, SAMPLES)
            )
            database.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
    return data_dir, runs


def tables(data_dir):
    """Return how many rows each run has in each table."""
    with contextlib.closing(sqlite3.connect(data_dir / "hurrah.db")) as database:
        rows = {
            table: dict(database.execute(f"SELECT run, count(*) FROM {table} GROUP BY run"))
            for table in RUN_TABLES
        }
    return {table: counts for table, counts in rows.items() if counts}


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_forks_and_a_deletion_in_progress_do_not_delay_the_end(
    serve, many_samples, tmp_path, delay_s
):
    source, (parent, deleted) = many_samples
    shutil.copytree(source, tmp_path / "data")
    server = serve("--no-demo")
    checkpoint, _ = (server.post(run, "checkpoints")["id"] for run in (parent, deleted))
    fork = json.dumps({"checkpoint": checkpoint, "spec": {"paused": True}})
    lines = (f"Content-Length: {len(fork)}", "Content-Type: application/json")
    forking = raw.head(server, f"POST /api/runs/{parent['id']}/fork HTTP/1.1", *lines)
    with contextlib.ExitStack() as clients:
        forks = [clients.enter_context(raw.connect(server)) for _ in range(4)]
        for client in forks:
            client.sendall(forking + fork.encode())
        deletion = clients.enter_context(raw.connect(server))
        deletion.sendall(raw.head(server, f"DELETE /api/runs/{deleted['id']} HTTP/1.1"))
        # This waits for nothing: the signal is to come at any moment.
        time.sleep(delay_s)
        began_s = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began_s < 10 + SLACK_S
        made = [raw.until_closed(client) for client in forks]
        gone = raw.until_closed(deletion)
    again = serve("--no-demo")
    runs = {run["id"]: run for run in again.client.get("/api/runs").json()}
    assert {path.name for path in (again.data_dir / "runs").iterdir()} == set(runs)
    counts = tables(again.data_dir)
    assert all(set(rows) <= set(runs) for rows in counts.values()), counts
    # Each fork is whole; those that were answered exist.
    answered = [
        json.loads(answer.partition(b"\r\n\r\n")[2])
        for answer in made
        if raw.statuses(answer) == [201]
    ]
    branches = [run for run in runs.values() if run["forked_from"] is not None]
    assert {run["id"] for run in answered} <= {run["id"] for run in branches}
    for branch in branches:
        assert counts["samples"][branch["id"]] >= SAMPLES - 1
        [only] = again.get(branch, "checkpoints")
        arrays, _ = again.checkpoint_file(branch, only["id"])
        assert arrays["parameters.W"].shape == (900, 900)
        assert again.post(branch, "step", {"updates": 1})["update"] == 1
    # The deletion is done, or was never begun; one that was answered is done.
    if raw.statuses(gone) == [204]:
        assert deleted["id"] not in runs
    if deleted["id"] in runs:
        assert counts["samples"][deleted["id"]] >= SAMPLES - 1
    hidden = [path for path in again.data_dir.rglob(".*") if path.name.endswith((".tmp", ".npz"))]
    assert hidden == []


@pytest.mark.parametrize(
    "point", ["run.fork", "run.forked", "run.delete", "run.renamed", "run.deleted"]
)
def test_a_signal_during_a_fork_or_a_deletion_leaves_nothing_half_done(serve, point):
    server = serve("--no-demo")
    run = server.create(corpus=server.upload(PAGES)["id"], paused=True, **SMALL)
    server.post(run, "step", {"updates": 5})
    checkpoint = server.post(run, "checkpoints")["id"]
    server.terminate()
    server = serve("--no-demo", HURRAH_STOP_AT=point)
    body = json.dumps({"checkpoint": checkpoint, "spec": {"paused": True}})
    lines = (f"Content-Length: {len(body)}", "Content-Type: application/json")
    path = f"/api/runs/{run['id']}"
    head, body = (
        (raw.head(server, f"POST {path}/fork HTTP/1.1", *lines), body.encode())
        if point.startswith("run.fork")
        else (raw.head(server, f"DELETE {path} HTTP/1.1"), b"")
    )
    with raw.connect(server) as client:
        client.sendall(head + body)
        until(lambda: is_stopped(server.process.pid))
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        began_s = time.monotonic()
        assert server.wait() == 0
        assert time.monotonic() - began_s < 10 + SLACK_S
        answered = raw.statuses(raw.until_closed(client))
    again = serve("--no-demo")
    runs = {each["id"]: each for each in again.client.get("/api/runs").json()}
    assert {path.name for path in (again.data_dir / "runs").iterdir()} == set(runs)
    if point.startswith("run.fork"):
        branches = [each for each in runs.values() if each["forked_from"] is not None]
        assert len(branches) >= len(answered)
        for branch in branches:
            assert branch["update"] == 5
            assert again.losses_csv(branch) == again.losses_csv(run)
            assert again.post(branch, "step", {"updates": 1})["update"] == 6
    else:
        assert runs == {}
