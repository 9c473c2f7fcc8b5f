"""A server process started by its command, and the CPU time and memory of a process."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]

# A generous limit for a busy machine; no figure depends on it.
LIMIT_S = 120.0


class ServerProcess:
    """`python -m server serve` on a data directory.

    Parameters
    ----------
    data_dir : pathlib.Path
        The data directory.
    port : int
        The TCP port; 0 for any free one.
    simulated : bool
        Whether its runs only seem to train; see `simulated_training`.

    Attributes
    ----------
    port : int
        The TCP port, on 127.0.0.1.
    pid : int
        The process id.
    """

    def __init__(self, data_dir: Path, port: int = 0, *, simulated: bool = False) -> None:
        command = [*("server", "serve", "--no-demo", "--port", str(port)), "--data-dir"]
        if simulated:
            command = ["benchmarks.server.simulated_training"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command, str(data_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        greeting = self._process.stdout.readline() if self._process.stdout else ""
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", greeting)
        if found is None:
            raise RuntimeError(f"the server did not start; it said {greeting!r}")
        self.port = int(found[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request; return the JSON of the response, None if it has no body."""
        with self.open(method, path, body) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def open(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send a request; return the response to be read."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=LIMIT_S)
        return answer

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return self.child_pids("server.worker")

    def child_pids(self, program: str) -> list[int]:
        """Return the process ids of the children that run a module, such as "server.inference"."""
        found = []
        for line in _ps("-A", "-o", "pid=,ppid=,command=").splitlines():
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.pid and program in command:
                found.append(int(pid))
        return found

    def stop(self) -> None:
        """Stop the server by SIGTERM."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(LIMIT_S)
        if self._process.stdout:
            self._process.stdout.close()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(_ps("-o", "rss=", "-p", str(pid))) * 1024


def peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process, or its present memory if that is unknown."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return memory_bytes(pid) if found is None else int(found[1]) * 1024


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    *days_hours, minutes, seconds = re.split("[-:]", _ps("-o", "time=", "-p", str(pid)).strip())
    hours = sum(int(part) * unit for part, unit in zip(reversed(days_hours), (1, 24), strict=False))
    return (hours * 60 + int(minutes)) * 60 + float(seconds)


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=True).stdout
