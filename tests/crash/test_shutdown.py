"""The server ends in time, with status 0, and leaves no process running."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from tests.serving import PAGES, child_pids, is_alive, until

SMALL = {"hidden_size": 10, "sample_length": 20, "max_updates": None}
# Tolerance for a slow machine; the promises are 10 s and 5 s.
SLACK_S = 5.0


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


def test_an_upload_being_described_and_reads_of_texts_do_not_delay_the_end(serve):
    server = serve("--no-demo")
    large = server.upload((PAGES + "\u2014") * 1_000)
    shown = {each["id"] for each in server.client.get("/api/corpora").json()}
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        + PAGES.encode() * 3_000
        + b"\r\n--x--\r\n"
    )
    request = (
        f"POST /api/corpora HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    ).encode()
    deep = f"GET /api/corpora/{large['id']}/text?from={large['characters'] - 9} HTTP/1.1\r\n"
    with contextlib.ExitStack() as clients:
        for message in [request + body] + [f"{deep}Host: 127.0.0.1\r\n\r\n".encode()] * 200:
            client = socket.create_connection(("127.0.0.1", server.port))
            clients.enter_context(client).sendall(message)
        began_s = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began_s < 10 + SLACK_S
    again = serve("--no-demo")
    assert {each["id"] for each in again.client.get("/api/corpora").json()} == shown
