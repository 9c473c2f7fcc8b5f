"""kill -9 at every step of an import: the run is there completely, or nothing of it is."""

import contextlib
import os
import signal
import socket
import threading

import httpx
import pytest

from tests.processes import child_pids, is_alive, is_stopped
from tests.serving import RunningServer, until
from tests.transfer.conftest import import_file, imported


@pytest.mark.parametrize(
    ("point", "is_imported"),
    [
        # In the process that unpacks the archive, and then in the server.
        ("import.file_written", False),
        ("import.staged", False),
        ("import.text_added", False),
        ("run.import", False),
        ("run.imported", True),
    ],
)
def test_an_import_is_all_or_nothing(exported, tmp_path, point, is_imported):
    server = RunningServer(tmp_path, "--no-demo", HURRAH_STOP_AT=point)

    def work():
        with contextlib.suppress(httpx.HTTPError):
            import_file(server, exported.file)

    importing = threading.Thread(target=work)
    importing.start()

    def stopped():
        pids = [server.process.pid, *child_pids(server.process.pid, "server.transfer")]
        return [pid for pid in pids if is_stopped(pid)]

    (pid,) = until(stopped)
    server.process.kill()
    if pid != server.process.pid:
        # The process ends by itself when it finds that its server has died.
        os.kill(pid, signal.SIGCONT)
    server.process.wait(60)
    importing.join()
    server.wait()
    until(lambda: not is_alive(pid))
    with RunningServer(tmp_path, "--no-demo") as again:
        runs = again.client.get("/api/runs").json()
        texts = [each for each in again.client.get("/api/corpora").json() if not each["shipped"]]
        assert len(runs) == len(texts) == is_imported
        assert {path.name for path in (tmp_path / "runs").iterdir()} == {run["id"] for run in runs}
        assert {path.name for path in (tmp_path / "corpora").iterdir()} == {
            each["id"] for each in texts
        }
        assert not (tmp_path / "imports").exists()
        there = runs[0] if is_imported else imported(again, exported.file)
        own = {"spec": None, "corpus": None, "machine": None}
        assert there | own == exported.run | own
        expected = exported.server.losses_csv(exported.run)
        assert expected.startswith(again.losses_csv(there))
        assert again.post(there, "step", {"updates": 1})["update"] == there["update"] + 1


def test_a_cancelled_upload_and_a_cancelled_import_leave_nothing(exported, tmp_path):
    with RunningServer(tmp_path, "--no-demo", HURRAH_STOP_AT="import.file_written") as server:
        url = f"{server.url}/api/runs/import"
        request = httpx.Request("POST", url, files={"file": exported.file})
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        whole = f"POST /api/runs/import HTTP/1.1\r\n{head}\r\n".encode() + request.read()

        def unpacking():
            pids = child_pids(server.process.pid, "server.transfer")
            return [pid for pid in pids if is_stopped(pid)]

        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(whole[: len(whole) // 2])
        # The client leaves while the archive is being unpacked.
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(whole)
            (pid,) = until(unpacking)
        until(lambda: not is_alive(pid))
        until(lambda: not list((tmp_path / "imports").iterdir()))
        assert server.client.get("/api/runs").json() == []
        assert len(server.client.get("/api/corpora").json()) == 1
