"""A server whose processes are killed again and again, and what must be true after each time."""

import contextlib
import csv
import io
import os
import secrets
import signal
import subprocess
import threading

import httpx

from server.checkpoints.snapshots import spacing
from server.spec.sample_schedule import epoch_is_marked
from tests.crash.undisturbed import Undisturbed
from tests.serving import PAGES, RunningServer, is_alive, until

SHARED = {"sample_every": 100, "sample_length": 30, "max_updates": None, "checkpoint_every_s": 1}
# One of each cell, of three of the optimisers, with and without streams and dropout.
SPECS = (
    {"cell": "rnn", "optimizer": "adagrad", "hidden_size": 12, "sequence_length": 8},
    {"cell": "gru", "optimizer": "adam", "hidden_size": 6, "batch_size": 3, "dtype": "float64"}
    | {"layers": 2, "dropout": 0.3, "sequence_length": 5},
    {"cell": "lstm", "optimizer": "rmsprop", "hidden_size": 6, "sequence_length": 5}
    | {"validation_fraction": 0.1, "learning_rate_decay": 0.9},
)
PACE = 300


class Survivor:
    """A data directory with some runs, and the server that has it just now."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.server = None
        self.runs = []
        self.acknowledged = {}
        # What was found in the files of checkpoints that agreed, by id.
        self._agreed = {}
        self._working = None
        self.start()
        self.corpus = self.server.upload(PAGES)["id"]
        self.begin()

    def begin(self):
        """Make new runs, in place of those there were."""
        self.server.delete_runs()
        self.runs.clear()
        self._agreed.clear()
        for spec in SPECS:
            wanted = SHARED | spec | {"corpus": self.corpus, "pace": PACE}
            run = self.server.create(**wanted, watch_words=["e", "the"])
            self.runs.append((run, Undisturbed(PAGES, run["spec"])))
            self.acknowledged[run["id"]] = []

    # -- living and dying -------------------------------------------------------------------------

    def start(self, stop_at=None, *, automatic_resume=False):
        """Start a server, one that may stop at a point, even before it listens."""
        environment = {"HURRAH_MAX_TRAINING_RUNS": "4"}
        environment["HURRAH_RESUME"] = str(int(automatic_resume))
        if stop_at is not None:
            environment["HURRAH_STOP_AT"] = stop_at
        self.server = RunningServer(self.data_dir, "--no-demo", listens=False, **environment)
        greeting = threading.Thread(target=self._greet)
        greeting.start()
        until(lambda: not greeting.is_alive() or self.stopped())
        self._greeting = greeting

    def _greet(self):
        # One that is killed before it listens has nothing to say.
        with contextlib.suppress(RuntimeError):
            self.server.listen()

    def processes(self):
        """The server and its workers: `{pid: (state, is the server)}`."""
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat=,command="],
            capture_output=True,
            text=True,
            check=True,
        )
        found, own = {}, self.server.process.pid
        for line in listing.stdout.splitlines():
            pid, parent, state, command = line.split(None, 3)
            if int(pid) == own or (int(parent) == own and "server.worker" in command):
                found[int(pid)] = (state[0], int(pid) == own)
        return found

    def stopped(self):
        """The processes that stand at the point where they were to stop."""
        return [pid for pid, (state, _) in self.processes().items() if state == "T"]

    def kill(self, who):
        """Kill "worker" (all of them), "server" or "both"; what lives and was stopped goes on."""
        processes = self.processes()
        for pid, (_, is_server) in processes.items():
            if who == "both" or is_server == (who == "server"):
                kill(pid, signal.SIGKILL)
        for pid in processes:
            kill(pid, signal.SIGCONT)
        if who == "worker":
            self.until_all_stand()
        else:
            self._bury()
            until(lambda: not self._lets_go_on(processes))

    def _lets_go_on(self, pids):
        """Let those go on that live, wherever they stopped by now; whether there are any."""
        living = [pid for pid in pids if is_alive(pid)]
        for pid in living:
            kill(pid, signal.SIGCONT)
        return bool(living)

    def restart(self, stop_at=None):
        """Kill the server with SIGKILL, if it lives, and start another."""
        if self.server.process.poll() is None:
            processes = self.processes()
            self.server.process.kill()
            self._bury()
            until(lambda: not self._lets_go_on(processes))
        self.start(stop_at)

    def _bury(self):
        self.server.process.wait(60)
        self._greeting.join()
        # Its connections are gone with the server. Were they closed while it waits for one, another
        # file might get the number, and it would wait for that.
        if self._working is not None:
            self._working.join()
        self.server.wait()

    def until_all_stand(self):
        """Wait until the server has noticed that all workers are gone."""
        for run, _ in self.runs:
            self.server.until(run, lambda now: now["state"] != "running")

    def train(self, *deeds):
        """Let every run go on, and then do `deeds`, of which nobody knows how far they come."""

        def work():
            with contextlib.suppress(httpx.HTTPError, AssertionError):
                if self.server.client is None:
                    return  # It stopped before it listened.
                for run, _ in self.runs:
                    self.server.post(run, "resume")
                for deed in deeds:
                    deed()

        self._working = threading.Thread(target=work)
        self._working.start()
        return self._working

    def checkpoint(self, which=0):
        """Have a checkpoint made; it must be there ever after if it is acknowledged."""
        run, _ = self.runs[which]
        note = f"note {secrets.token_hex(4)}"
        self.acknowledged[run["id"]].append(self.server.post(run, "checkpoints", {"note": note}))

    # -- what must be true ------------------------------------------------------------------------

    def check(self):
        """Nothing acknowledged is lost, nothing is torn, and all agrees with no disturbance."""
        for run, undisturbed in self.runs:
            if self.server.run(run)["state"] == "running":
                self.server.post(run, "pause")
            now = self.server.run(run)
            undisturbed.up_to(now["update"])
            self._check_history(now, undisturbed)
            self._check_marks(now, undisturbed)
            self._check_checkpoints(now, undisturbed)
        self._check_folders()

    def _check_folders(self):
        """Each run has its folder, and each folder its run."""
        runs = {run["id"] for run in self.server.client.get("/api/runs").json()}
        assert {run["id"] for run, _ in self.runs} <= runs
        assert {path.name for path in (self.data_dir / "runs").iterdir()} == runs

    def _check_history(self, now, undisturbed):
        rows = list(csv.reader(io.StringIO(self.server.losses_csv(now).decode())))[1:]
        assert [int(row[0]) for row in rows] == list(range(1, now["update"] + 1))
        count = len(rows)
        assert [float(row[3]) for row in rows] == undisturbed.losses[:count]
        assert [float(row[4]) for row in rows] == undisturbed.smooth_losses[:count]
        assert self.server.get(now, "loss")["to"] == now["update"]

    def _check_marks(self, now, undisturbed):
        samples = self.server.get(now, "samples")
        found = [(each["update"], each["text"]) for each in samples]
        assert len(dict(found)) == len(found)
        # What was still being measured when the server died is written again after the checkpoint.
        safe = max((each["update"] for each in self.server.get(now, "checkpoints")), default=-1)
        assert found == [
            (update, text)
            for update, text in undisturbed.samples.items()
            if update <= safe or update in dict(found)
        ]
        marks = self.server.get(now, "milestones")
        kinds = {"epoch": [], "hurrah": [], "checkpoint": []}
        for mark in marks:
            kinds.setdefault(mark["kind"], []).append((mark["update"], mark["text"]))
        assert kinds["epoch"] == [
            (update, f"epoch {epoch} begins")
            for update, epoch in undisturbed.epochs.items()
            if epoch_is_marked(epoch)
        ]
        hurrahs = [
            (each["update"], f"hurrah - {word}") for each in samples for word in each["hurrahs"]
        ]
        assert kinds["hurrah"] == hurrahs
        assert len({text for _, text in hurrahs}) == len(hurrahs)
        made = self.acknowledged[now["id"]]
        assert {(each["update"], each["note"]) for each in made} <= set(kinds["checkpoint"])
        assert len(set(kinds["checkpoint"])) == len(kinds["checkpoint"])

    def _check_checkpoints(self, now, undisturbed):
        listed = self.server.get(now, "checkpoints")
        by_id = {each["id"]: each for each in listed}
        for made in self.acknowledged[now["id"]]:
            assert by_id[made["id"]] == made
        assert not any(each["damaged"] for each in listed)
        newest = max(listed, key=lambda each: each["update"], default=None)
        safe = -1 if newest is None else newest["update"]
        snapshots = (self.data_dir / "runs" / now["id"] / "snapshots").glob("[!.]*.npz")
        kept = {int(path.stem) for path in snapshots}
        # It trains on, and the further it comes, the wider apart they are.
        every = SHARED["sample_every"]
        apart = spacing(self.server.run(now)["update"], every)
        due = {update for update in undisturbed.samples if update < every or update % apart == 0}
        assert kept >= {update for update in due if update <= safe}
        for made in self.acknowledged[now["id"]]:
            self._check_file(now, made, undisturbed)
        if newest is not None:
            self._check_file(now, newest, undisturbed)

    def _check_file(self, now, made, undisturbed):
        """It loads, and holds what an undisturbed run comes to, or what did so before."""
        arrays, meta = self.server.checkpoint_file(now, made["id"])
        assert meta["trainer"]["updates"] == made["update"]
        found = meta, {name: array.tobytes() for name, array in arrays.items()}
        if made["id"] not in self._agreed:
            undisturbed.agrees_with(arrays, meta)
            self._agreed[made["id"]] = found
        assert found == self._agreed[made["id"]]


def kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
