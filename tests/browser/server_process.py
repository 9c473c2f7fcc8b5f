"""A real server process, which a test can also kill."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.fork_server import start_command
from tests.processes import child_pids
from tests.serving import NO_CERTIFICATES

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
SLOW_PACE = 400  # updates per second
# The server may have been killed or stopped since the last request.
NEW_CONNECTIONS = httpx.Limits(max_keepalive_connections=0)


class Server:
    """A server process with its own data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.root = ROOT
        self.demo = False
        self.token: str | None = None
        self.environment: dict[str, str] = {}
        self.kept_runs: set[str] = set()  # the runs that the tests of a module share
        self.port = 0
        self._process: Any = None
        self._client = httpx.Client(
            timeout=TIMEOUT_S, verify=NO_CERTIFICATES, limits=NEW_CONNECTIONS
        )
        self._log = data_dir.with_suffix(".log").open("a", encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start on the previous port, or a free one, and wait until it listens."""
        arguments = ["serve", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        if not self.demo:
            arguments.append("--no-demo")
        token = {"HURRAH_OPERATOR_TOKEN": self.token} if self.token else {}
        self._process = start_command(
            arguments, self.environment | token, stderr=self._log, root=self.root
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Hurrah is listening on "), line
        self.port = int(line.rsplit(":", 1)[1].split("/")[0])

    def kill(self) -> None:
        """Kill the process."""
        assert self._process is not None
        self._process.kill()
        self._wait()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop the process with SIGTERM, as an operator would."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._wait()

    def close(self) -> None:
        self.stop()
        self._client.close()
        self._log.close()

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(timeout=TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request over HTTP, without the page."""
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self._client.request(method, f"{self.url}api/{path}", json=body, headers=shown)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def create_run(self, **spec: Any) -> str:
        """Create a run and return its id.

        A run without an end is slow, to leave processor time for the browser.
        """
        pace = "max" if "max_updates" in spec else SLOW_PACE
        return str(self.call("POST", "runs", {"pace": pace} | spec)["id"])

    def kill_workers(self) -> None:
        """Kill every worker, as the kernel does when memory runs out."""
        assert self._process is not None
        for pid in child_pids(self._process.pid, "server.worker"):
            os.kill(pid, signal.SIGKILL)
