"""A training run with viewers, its operator's actions, and a check for missed messages."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.server.delivery import StoredRun, received_everything
from benchmarks.server.server_process import ROOT, ServerProcess, cpu_s

__all__ = ["WatchedRun"]

TIMEOUT_S = 30.0
RETRY_S = 0.5


class WatchedRun:
    """A run and its viewers, which are in a process of their own (see `load_generator`).

    Parameters
    ----------
    server : ServerProcess
    run : str
        The run's id.

    Attributes
    ----------
    server : ServerProcess
        It may be replaced after a restart.
    """

    def __init__(self, server: ServerProcess, run: str) -> None:
        self.server = server
        self._run = run
        self._path = f"/runs/{run}"
        self._states: list[tuple[str, str]] = []
        self._notes: set[str] = set()
        self._checkpoints: set[str] = set()
        self._names = 0
        self._load_generator = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server.load_generator", str(server.port), run],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def command(self, line: str) -> Any:  # noqa: ANN401 - JSON
        """Send a command to the load generator, and return its answer."""
        if self._load_generator.stdin is None or self._load_generator.stdout is None:
            raise RuntimeError("the load generator was started without pipes")
        print(line, file=self._load_generator.stdin, flush=True)
        return json.loads(self._load_generator.stdout.readline())

    def close(self) -> None:
        """End the load generator."""
        if self._load_generator.stdin is not None:
            self._load_generator.stdin.close()
        self._load_generator.wait()

    def measure(self, seconds: float, *actions: Callable[[], None]) -> tuple[float, float, float]:
        """Measure the training for a while, with the operator's actions evenly spread over it.

        Returns
        -------
        tuple of float
            Per second: updates, CPU seconds of the server, CPU seconds of the load generator.
        """
        pids = (self.server.pid, self._load_generator.pid)
        before, start_s = [cpu_s(pid) for pid in pids], time.monotonic()
        first = self._get()["update"]
        for number, action in enumerate(actions, 1):
            time.sleep(_until(start_s + seconds * number / (len(actions) + 1)))
            action()
        time.sleep(_until(start_s + seconds))
        made, took_s = self._get()["update"] - first, time.monotonic() - start_s
        server_s, viewers_s = (cpu_s(pid) - spent for pid, spent in zip(pids, before, strict=True))
        return made / took_s, server_s / took_s, viewers_s / took_s

    # -- the operator's actions --------------------------------------------------------------------

    def start_recording(self) -> None:
        """Forget the states so far: viewers that join later do not receive them."""
        self._states.clear()

    def rename(self) -> None:
        """Give the run another name."""
        self._names += 1
        self._record(self.server.request("PATCH", self._path, {"name": f"name {self._names}"}))

    def note(self) -> None:
        """Add a note at the current update."""
        content = {"update": self._get()["update"], "text": "What an operator has to say."}
        self._notes.add(self.server.request("POST", f"{self._path}/milestones", content)["id"])

    def save(self) -> None:
        """Save a checkpoint."""
        self._checkpoints.add(self.server.request("POST", f"{self._path}/checkpoints", {})["id"])

    def pause(self) -> None:
        """Pause the run."""
        self._record(self.server.request("POST", f"{self._path}/pause"))

    def resume(self) -> None:
        """Resume the run."""
        self._record(self.server.request("POST", f"{self._path}/resume"))

    def _record(self, run: Any) -> None:  # noqa: ANN401 - JSON
        self._states.append((run["name"], run["state"]))

    def _get(self) -> Any:  # noqa: ANN401 - JSON
        return self.server.request("GET", self._path)

    # -- the check ---------------------------------------------------------------------------------

    def count_incomplete(self, viewers: int) -> int:
        """Pause the run; return how many of the viewers did not receive everything."""
        self.pause()
        self.rename()
        give_up_s = time.monotonic() + TIMEOUT_S
        while True:
            stored, answer = self._stored(), self.command("received")
            messages = answer["messages"]
            # Most viewers received the same messages.
            complete = {
                numbers: received_everything([messages[number] for number in numbers], stored)
                for numbers in set(map(tuple, answer["received"]))
            }
            incomplete = viewers - sum(complete[tuple(numbers)] for numbers in answer["received"])
            if incomplete == 0 or time.monotonic() > give_up_s:
                return incomplete
            time.sleep(RETRY_S)

    def _stored(self) -> StoredRun:
        get, known = self.server.request, {}

        def loss(first: int) -> Any:  # noqa: ANN401 - JSON
            if first not in known:
                known[first] = get("GET", f"{self._path}/loss?from={first}&points=1")
            return known[first]

        stored = StoredRun(
            samples=get("GET", f"{self._path}/samples"),
            milestones=get("GET", f"{self._path}/milestones"),
            checkpoints=get("GET", f"{self._path}/checkpoints"),
            states=self._states,
            loss=loss,
        )
        for name, made, listed in (
            ("notes", self._notes, stored.milestones),
            ("checkpoints", self._checkpoints, stored.checkpoints),
        ):
            if lost := made.difference(one["id"] for one in listed):
                raise RuntimeError(f"the server has lost {len(lost)} {name}")
        return stored


def _until(moment_s: float) -> float:
    return max(0.0, moment_s - time.monotonic())
