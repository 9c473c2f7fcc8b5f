"""The server process: start, output, signals and shutdown."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.settings import Settings
from server.web.server import _listen
from tests.processes import child_pids, is_alive
from tests.serving import LIMIT_S, PAGES, ROOT, RunningServer, reserved_port, until
from tests.training import run_command

SMALL = {"hidden_size": 10, "sample_length": 20}
# The promise is 10 s; the rest is for a slow machine.
SHUTDOWN_S = 40.0


def start(*arguments, **environment):
    """Run a command that is expected to exit."""
    return run_command("serve", *arguments, environment=environment)


def modes(directory):
    """Return the permissions of a directory and of everything in it."""
    return {path.stat().st_mode & 0o777 for path in (directory, *directory.rglob("*"))}


# -- starting -----------------------------------------------------------------------------------


def test_the_printed_address_answers(server):
    assert server.greeting == f"Hurrah is listening on http://127.0.0.1:{server.port}/"
    assert server.port > 0
    body = server.client.get("/healthz").json()
    assert body["status"] == "ok"
    assert body["version"]


@pytest.mark.parametrize("there_before", [False, True])
def test_stored_files_are_private(tmp_path, there_before):
    data_dir = tmp_path / "data"
    if there_before:
        data_dir.mkdir(mode=0o755)
        data_dir.chmod(0o755)
    with RunningServer(data_dir, "--no-demo") as server:
        corpus = server.upload(PAGES)["id"]
        run = server.create(corpus=corpus, paused=True, **SMALL)
        server.post(run, "checkpoints")
        assert server.post(run, "passages", {"length": 5})
        mode = data_dir.stat().st_mode & 0o777
        assert mode == (0o755 if there_before else 0o700), "what a person made stays as it is"
        for each in data_dir.iterdir():
            assert modes(each) <= {0o600, 0o700}


def test_a_port_in_use_is_reported(server, tmp_path):
    ended = start("--port", server.port, "--data-dir", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert str(server.port) in ended.stderr
    assert ended.stderr.rstrip().endswith("in use.")


def test_a_data_directory_in_use_is_reported(server):
    before = server.client.get("/api/runs").json()
    ended = start("--port", 0, "--data-dir", server.data_dir)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"Another server uses {server.data_dir}.\n"
    assert server.client.get("/api/runs").json() == before


def test_an_unusable_data_directory_is_reported(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    ended = start("--port", 0, "--data-dir", tmp_path / "file")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--port", "70000"], {}),
        (["--port", "many"], {}),
        (["--nonsense"], {}),
        ([], {"HURRAH_PORT": "many"}),
        ([], {"HURRAH_MAX_TRAINING_RUNS": "0"}),
        ([], {"HURRAH_ALLOWED_HOSTS": "no json"}),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path, arguments, environment):
    ended = start("--data-dir", tmp_path, *arguments, **environment)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    for name in environment:
        assert name in ended.stderr or name.removeprefix("HURRAH_").lower() in ended.stderr


def test_every_setting_can_be_set_in_the_environment(tmp_path):
    environment = {"HURRAH_DATA_DIR": str(tmp_path / "here")}
    environment |= {"HURRAH_DEMO": "0", "HURRAH_HOST": "localhost"}
    with (
        reserved_port() as port,
        subprocess.Popen(
            [sys.executable, "-m", "server", "serve"],
            cwd=ROOT,
            env=os.environ | environment | {"HURRAH_PORT": str(port)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            greeting = process.stdout.readline()
            assert greeting == f"Hurrah is listening on http://localhost:{port}/\n"
            assert httpx.get(f"http://127.0.0.1:{port}/api/runs", timeout=LIMIT_S).json() == []
            assert (tmp_path / "here" / "hurrah.db").exists()
        finally:
            process.terminate()
    assert process.returncode == 0


def test_an_empty_data_directory_gets_a_demo_run_once(serve):
    first = serve()
    (run,) = first.client.get("/api/runs").json()
    assert run["corpus"] == "the-lamps-of-saltmere"
    assert run["spec"]["pace"] == "cinematic"
    first.until(run, lambda now: now["state"] == "running" and now["update"] > 0)
    assert first.terminate() == 0
    again = serve()
    assert [run["id"] for run in again.client.get("/api/runs").json()] == [run["id"]]
    again.client.delete(f"/api/runs/{run['id']}")
    assert again.client.get("/api/runs").json() == []


def test_responses_do_not_wait_for_acknowledgements():
    listener = _listen(Settings(port=0))
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            # asyncio disables Nagle's algorithm only for sockets with this protocol.
            assert accepted.proto == socket.IPPROTO_TCP


# -- shutdown -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_checkpoints_a_training_run_and_disconnects_viewers(serve, name):
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    paused = server.create(corpus=corpus, paused=True, max_updates=None, **SMALL)
    run = server.create(corpus=corpus, max_updates=None, pace=200, **SMALL)
    server.until(run, lambda now: now["update"] > 100)
    server.post(run, "passages", {"length": 10})
    children = child_pids(server.process.pid, "server.")
    with connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None) as viewer:
        assert json.loads(viewer.recv())["type"] == "snapshot"
        seen = server.run(run)["update"]
        began_s = time.monotonic()
        server.process.send_signal(signal.Signals[name])
        with contextlib.suppress(ConnectionClosed):
            while True:
                viewer.recv(timeout=LIMIT_S)
    assert server.wait() == 0
    assert time.monotonic() - began_s < SHUTDOWN_S
    until(lambda: not any(map(is_alive, children)))

    again = serve("--no-demo")
    found = again.run(run)
    assert (found["state"], bool(found["error"])) == ("interrupted", True)
    assert found["update"] >= seen
    assert again.get(run, "checkpoints")[-1]["update"] == found["update"]
    assert again.get(run, "loss")["to"] == found["update"]
    assert again.run(paused)["state"] == "paused"
    assert again.post(run, "resume")["state"] == "running"
    again.until(run, lambda now: now["update"] > found["update"])
    again.post(run, "pause")
    whole = again.losses_csv(run)
    other = again.create(corpus=corpus, max_updates=whole.count(b"\n") - 1, **SMALL)
    again.until_ended(other)
    assert again.losses_csv(other) == whole


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_repeated_ctrl_c_loses_nothing(serve, name):
    server = serve("--no-demo")
    corpus = server.upload(PAGES)["id"]
    slow = {"max_updates": None, "pace": 200}
    runs = [server.create(corpus=corpus, **slow, **SMALL) for _ in range(2)]
    stepped = server.create(corpus=corpus, paused=True, max_updates=None, **SMALL)
    for run in runs:
        server.until(run, lambda now: now["update"] > 100)
    ask = "import httpx, sys; httpx.post(sys.argv[1], json={'updates': 1000000}, timeout=60)"
    address = f"{server.url}/api/runs/{stepped['id']}/step"
    with subprocess.Popen([sys.executable, "-c", ask, address], stderr=subprocess.DEVNULL):
        server.until(stepped, lambda now: now["update"] > 0)
        seen = [server.run(run)["update"] for run in runs]
        while server.process.poll() is None:
            server.process.send_signal(signal.Signals[name])
            time.sleep(0.05)
    assert server.wait() == 0
    again = serve("--no-demo")
    for run, update in zip(runs, seen, strict=True):
        found = again.run(run)
        assert found["state"] == "interrupted"
        assert found["update"] >= update
        assert again.get(run, "checkpoints")[-1]["update"] == found["update"]


def test_a_signal_interrupts_a_long_passage(serve):
    server = serve("--no-demo")
    run = server.create(hidden_size=1_000, paused=True)
    ask = "import httpx, sys; httpx.post(sys.argv[1], json={'length': 20000}, timeout=60)"
    address = f"{server.url}/api/runs/{run['id']}/passages"
    with connect(f"{server.ws_url}/ws/runs/{run['id']}", max_size=None):
        reader = subprocess.Popen([sys.executable, "-c", ask, address], stderr=subprocess.DEVNULL)
        with reader:
            until(lambda: len(child_pids(server.process.pid, "server.inference")) == 2)
            began_s = time.monotonic()
            assert server.terminate() == 0
            assert time.monotonic() - began_s < SHUTDOWN_S


# -- addresses ----------------------------------------------------------------------------------


def test_unknown_addresses_and_wrong_methods(server):
    for path in ("/nothing", "/api", "/api/nothing", "/api/runs/x/nothing", "/static/nothing.js"):
        server.problem(server.client.get(path), 404)
    for method, path in [
        ("DELETE", "/api/runs"),
        ("PUT", "/api/runs"),
        ("GET", "/api/runs/x/pause"),
        ("POST", "/healthz"),
        ("PATCH", "/api/corpora"),
    ]:
        answer = server.client.request(method, path, json={} if method == "PATCH" else None)
        if path != "/api/corpora":
            assert answer.headers["allow"]
            server.problem(answer, 405)
        else:
            server.problem(answer, 415)


def test_the_openapi_description(server):
    described = server.client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    paths = described["paths"]
    for path, methods in {
        "/api/corpora": {"get", "post"},
        "/api/corpora/{corpus_id}": {"get", "delete"},
        "/api/corpora/{corpus_id}/text": {"get"},
        "/api/runs": {"get", "post"},
        "/api/runs/{run_id}": {"get", "patch", "delete"},
        "/api/runs/{run_id}/pause": {"post"},
        "/api/runs/{run_id}/resume": {"post"},
        "/api/runs/{run_id}/stop": {"post"},
        "/api/runs/{run_id}/step": {"post"},
        "/api/runs/{run_id}/checkpoints": {"get", "post"},
        "/api/runs/{run_id}/checkpoints/{checkpoint_id}/file": {"get"},
        "/api/runs/{run_id}/passages": {"post"},
        "/api/runs/{run_id}/samples": {"get"},
        "/api/runs/{run_id}/milestones": {"get"},
        "/api/runs/{run_id}/loss": {"get"},
        "/api/runs/{run_id}/losses.csv": {"get"},
    }.items():
        assert methods <= set(paths[path]), path
    schemas = described["components"]["schemas"]
    assert {"Run", "RunSpec", "Sample", "Milestone", "Checkpoint", "Loss", "Passage"} <= set(
        schemas
    )

    def references(part):
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            part = list(part.values())
        for inner in part if isinstance(part, list) else []:
            yield from references(inner)

    for reference in references(described):
        place = described
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


def test_concurrent_requests(server):
    limits = httpx.Limits(max_connections=50)
    with (
        httpx.Client(base_url=server.url, limits=limits, timeout=LIMIT_S) as client,
        ThreadPoolExecutor(50) as many,
    ):
        answers = many.map(client.get, ["/healthz", "/api/runs"] * 100)
        assert [answer.status_code for answer in answers] == [200] * 200


def test_interrupted_runs_are_resumed_if_set(serve):
    first = serve("--no-demo")
    run = first.create(hidden_size=10, pace=50, max_updates=None)
    first.until(run, lambda now: now["update"] > 5)
    assert first.terminate() == 0
    # The tests of signals show that it stays interrupted without the setting.
    second = serve("--no-demo", HURRAH_RESUME="1")
    update = second.run(run)["update"]
    second.until(run, lambda now: now["state"] == "running" and now["update"] > update)
