"""A server with one run that trains, a crowd in front of it, and an operator who does things."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.server.delivery import Kept, was_told_all
from benchmarks.server.server_process import ROOT, House, cpu_s

__all__ = ["Hall"]

PATIENCE_S = 30.0
ASK_AGAIN_S = 0.5


class Hall:
    """A run and those who look on.

    Parameters
    ----------
    house : House
        The server.
    run : str
        Id of the run.

    Attributes
    ----------
    house : House
        The server; another one after a restart.
    """

    def __init__(self, house: House, run: str) -> None:
        self.house = house
        self._run = run
        self._path = f"/runs/{run}"
        self._made: list[tuple[str, str]] = []
        self._marked: set[str] = set()
        self._saved: set[str] = set()
        self._names = 0
        self._crowd = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server.load_generator", str(house.port), run],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crowd(self, command: str) -> Any:  # noqa: ANN401 - JSON
        """Tell the crowd to do something, and return what it says to it."""
        if self._crowd.stdin is None or self._crowd.stdout is None:
            raise RuntimeError("the crowd was started without pipes")
        print(command, file=self._crowd.stdin, flush=True)
        return json.loads(self._crowd.stdout.readline())

    def leave(self) -> None:
        """Send the crowd home."""
        if self._crowd.stdin is not None:
            self._crowd.stdin.close()
        self._crowd.wait()

    def training(
        self, seconds: float, *meanwhile: Callable[[], None]
    ) -> tuple[float, float, float]:
        """Let time pass, and do things meanwhile.

        Returns
        -------
        tuple of float
            A second: updates, and the server's and the crowd's processor seconds.
        """
        pids = (self.house.pid, self._crowd.pid)
        before, began_s = [cpu_s(pid) for pid in pids], time.monotonic()
        first = self._stands()["update"]
        for number, do in enumerate(meanwhile, 1):
            time.sleep(_until(began_s + seconds * number / (len(meanwhile) + 1)))
            do()
        time.sleep(_until(began_s + seconds))
        made, took_s = self._stands()["update"] - first, time.monotonic() - began_s
        server_s, crowd_s = (cpu_s(pid) - spent for pid, spent in zip(pids, before, strict=True))
        return made / took_s, server_s / took_s, crowd_s / took_s

    # -- the operator -----------------------------------------------------------------------------

    def begin_to_look(self) -> None:
        """Forget what was done before: those who come now need not hear of it."""
        self._made.clear()

    def rename(self) -> None:
        """Give the run another name."""
        self._names += 1
        self._did(self.house.ask("PATCH", self._path, {"name": f"name {self._names}"}))

    def note(self) -> None:
        """Leave a note at an update."""
        content = {"update": self._stands()["update"], "text": "What an operator has to say."}
        self._marked.add(self.house.ask("POST", f"{self._path}/milestones", content)["id"])

    def save(self) -> None:
        """Save a checkpoint."""
        self._saved.add(self.house.ask("POST", f"{self._path}/checkpoints", {})["id"])

    def pause(self) -> None:
        """Let the run stand."""
        self._did(self.house.ask("POST", f"{self._path}/pause"))

    def resume(self) -> None:
        """Let it train on."""
        self._did(self.house.ask("POST", f"{self._path}/resume"))

    def _did(self, answer: Any) -> None:  # noqa: ANN401 - JSON
        self._made.append((answer["name"], answer["state"]))

    def _stands(self) -> Any:  # noqa: ANN401 - JSON
        return self.house.ask("GET", self._path)

    # -- what came of it --------------------------------------------------------------------------

    def who_missed_something(self, viewers: int) -> int:
        """Let the run stand; return how many of the viewers were not told all that happened."""
        self.pause()
        self.rename()
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            kept, heard = self._kept(), self.crowd("heard")
            messages = heard["messages"]
            # Most were told the same.
            each = {
                told: was_told_all([messages[number] for number in told], kept)
                for told in set(map(tuple, heard["told"]))
            }
            missed = viewers - sum(each[tuple(told)] for told in heard["told"])
            if missed == 0 or time.monotonic() > give_up_s:
                return missed
            time.sleep(ASK_AGAIN_S)

    def _kept(self) -> Kept:
        ask, known = self.house.ask, {}

        def loss(first: int) -> Any:  # noqa: ANN401 - JSON
            if first not in known:
                known[first] = ask("GET", f"{self._path}/loss?from={first}&points=1")
            return known[first]

        kept = Kept(
            samples=ask("GET", f"{self._path}/samples"),
            milestones=ask("GET", f"{self._path}/milestones"),
            checkpoints=ask("GET", f"{self._path}/checkpoints"),
            states=self._made,
            loss=loss,
        )
        for name, made, kind in (
            ("notes", self._marked, kept.milestones),
            ("checkpoints", self._saved, kept.checkpoints),
        ):
            if lost := made.difference(one["id"] for one in kind):
                raise RuntimeError(f"the server has lost {len(lost)} {name}")
        return kept


def _until(moment_s: float) -> float:
    return max(0.0, moment_s - time.monotonic())
