"""Servers for tests: the real command in its own process, on its own port."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np

from tests.fork_server import start_command
from tests.processes import child_pids

ROOT = Path(__file__).parent.parent
LIMIT_S = 60.0
# By default a client reads the certificates that the system trusts, which takes longer than most
# requests. The servers have none.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

NOVEL = (ROOT / "data" / "corpora" / "the-lamps-of-saltmere.txt").read_text(encoding="utf-8")
# A few pages of it: a network of ten units reads them in a fraction of a second.
PAGES = NOVEL[2_000:6_000]


class RunningServer:
    """A process of `python -m server serve`, and a client for it."""

    def __init__(
        self,
        data_dir,
        *arguments,
        port=0,
        stderr=None,
        listens=True,
        limits=None,
        command=None,
        cwd=ROOT,
        verify=NO_CERTIFICATES,
        **environment,
    ):
        self.data_dir = data_dir
        self.verify = verify
        if command is None:
            arguments = ("serve", "--port", port, "--data-dir", data_dir, *arguments)
            self.process = start_command(arguments, environment, stderr=stderr, limits=limits)
        else:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.client = None
        if listens:
            self.listen()

    def listen(self):
        """Wait until it listens."""
        self.greeting = self.process.stdout.readline().strip()
        found = re.fullmatch(
            r"Hurrah is listening on (http(s?)://\S+:(\d+)/[^?\s]*)(\?token=\S+)?", self.greeting
        )
        if found is None:
            self.process.wait(LIMIT_S)
            raise RuntimeError(f"the server did not start; it printed {self.greeting!r}")
        self.port = int(found[3])
        self.url = f"http{found[2]}://127.0.0.1:{self.port}"
        self.ws_url = f"ws{found[2]}://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=LIMIT_S, verify=self.verify)

    def terminate(self):
        """Stop it with SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """Kill it."""
        self.process.kill()
        return self.wait()

    def wait(self):
        status = self.process.wait(LIMIT_S)
        self.process.stdout.close()
        if self.client is not None:
            self.client.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.terminate()

    # -- common actions ---------------------------------------------------------------------------

    def create(self, **spec):
        """Create a run and return it."""
        answer = self.client.post("/api/runs", json=spec)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def upload(self, text, name=None):
        """Add a text, given as a string or as the bytes of its file, and return its corpus."""
        data = text if isinstance(text, bytes) else text.encode()
        fields = {} if name is None else {"name": name}
        answer = self.client.post("/api/corpora", files={"file": ("a.txt", data)}, data=fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def run(self, run):
        return self.client.get(f"/api/runs/{run['id']}").json()

    def post(self, run, action, body=None):
        answer = self.client.post(f"/api/runs/{run['id']}/{action}", json=body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def get(self, run, what, **query):
        answer = self.client.get(f"/api/runs/{run['id']}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def losses_csv(self, run):
        """Return the file of every update's loss, as bytes."""
        answer = self.client.get(f"/api/runs/{run['id']}/losses.csv")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/csv")
        return answer.content

    def checkpoint_file(self, run, checkpoint):
        """Return the arrays and the description in a downloaded checkpoint."""
        answer = self.client.get(f"/api/runs/{run['id']}/checkpoints/{checkpoint}/file")
        assert answer.status_code == 200, answer.text
        with np.load(io.BytesIO(answer.content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(str(arrays.pop("meta")))

    def delete_runs(self):
        # A sweep would start others.
        for sweep in self.client.get("/api/sweeps").json():
            assert self.client.delete(f"/api/sweeps/{sweep['id']}").status_code == 204
        for run in self.client.get("/api/runs").json():
            assert self.client.delete(f"/api/runs/{run['id']}").status_code == 204

    def until_ended(self, run):
        """Wait until a run is finished or failed, and return it."""
        return self.until(run, lambda now: now["state"] in {"finished", "failed"})

    def until(self, run, condition):
        """Wait until `condition(run)` is true, and return the run."""
        return until(lambda: (now := self.run(run)) and condition(now) and now)

    def problem(self, answer, status):
        """Check that an error response has the common format, and return its body."""
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert {"type", "title", "status", "detail"} <= set(body)
        assert body["status"] == status
        assert body["title"]
        assert body["detail"][-1] in ".!?", body["detail"]
        return body

    def worker_pids(self):
        return child_pids(self.process.pid, "server.worker")


@contextlib.contextmanager
def reserved_port():
    """Yield a port at which nothing listens, and which no other test gets meanwhile."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        if sys.platform != "linux":
            # Elsewhere no server could listen at a port that another socket has.
            free.close()
        yield port


def until(condition, limit_s=LIMIT_S):
    """Wait until `condition()` is true, and return its value; the limit is for hangs."""
    give_up = time.monotonic() + limit_s
    pause_s = 0.005
    while True:
        if value := condition():
            return value
        assert time.monotonic() < give_up, "the condition did not become true"
        time.sleep(pause_s)
        # Most conditions are requests, which take time from the processes waited for.
        pause_s = min(1.2 * pause_s, 0.05)
