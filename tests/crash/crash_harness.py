"""A server whose processes are killed repeatedly, and what must be true after each kill."""

import contextlib
import csv
import io
import os
import secrets
import signal
import threading

import httpx

from server.checkpoints.snapshots import spacing
from server.rnn.metrics import MEASURED_EVERY
from server.spec.sample_schedule import epoch_is_marked
from tests.crash.reference_run import ReferenceRun
from tests.processes import child_pids, is_alive, state_of
from tests.serving import PAGES, RunningServer, until

SHARED = {"sample_every": 100, "sample_length": 30, "max_updates": None, "checkpoint_every_s": 1}
# One of each cell and of three optimizers, with and without several streams and dropout.
SPECS = (
    {"cell": "rnn", "optimizer": "adagrad", "hidden_size": 12, "sequence_length": 8},
    {"cell": "gru", "optimizer": "adam", "hidden_size": 6, "batch_size": 3, "dtype": "float64"}
    | {"layers": 2, "dropout": 0.3, "sequence_length": 5},
    {"cell": "lstm", "optimizer": "rmsprop", "hidden_size": 6, "sequence_length": 5}
    | {"validation_fraction": 0.1, "learning_rate_decay": 0.9},
)
PACE = 150


class CrashHarness:
    """A data directory with some runs, and the current server on it."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.server = None
        self.runs = []
        self.acknowledged = {}
        # Contents of the checkpoint files that were found correct, by id.
        self._agreed = {}
        self._working = None
        self.start()
        self.corpus = self.server.upload(PAGES)["id"]
        self.begin()

    def begin(self):
        """Replace the runs by new ones."""
        self.server.delete_runs()
        self.runs.clear()
        self._agreed.clear()
        for spec in SPECS:
            wanted = SHARED | spec | {"corpus": self.corpus, "pace": PACE}
            run = self.server.create(**wanted, watch_words=["e", "the"])
            self.runs.append((run, ReferenceRun(PAGES, run["spec"])))
            self.acknowledged[run["id"]] = []

    # -- starting and killing ---------------------------------------------------------------------

    def start(self, stop_at=None, *, automatic_resume=False):
        """Start a server, which may stop at a failpoint, even before it listens."""
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
        # A server that is killed before it listens prints no address.
        with contextlib.suppress(RuntimeError):
            self.server.listen()

    def processes(self):
        """Return the server and its workers as ``{pid: (state, is the server)}``."""
        return self._children("server.worker")

    def stopped_inference(self):
        """Return the inference processes that have stopped at the failpoint."""
        children = self._children("server.inference").items()
        return [pid for pid, (state, is_server) in children if state == "T" and not is_server]

    def _children(self, module):
        """Return the server and its children that run a module."""
        own = self.server.process.pid
        found = {pid: (state_of(pid), pid == own) for pid in (own, *child_pids(own, module))}
        return {pid: each for pid, each in found.items() if each[0]}

    def stopped(self):
        """Return the processes that have stopped at the failpoint."""
        return [pid for pid, (state, _) in self.processes().items() if state == "T"]

    def kill(self, who):
        """Kill "worker" (all of them), "server" or "both"; the others continue if stopped."""
        processes = self.processes()
        for pid in self.stopped_inference():
            kill(pid, signal.SIGKILL)
        for pid, (_, is_server) in processes.items():
            if who == "both" or is_server == (who == "server"):
                kill(pid, signal.SIGKILL)
        for pid in processes:
            kill(pid, signal.SIGCONT)
        if who == "worker":
            # The server may have stopped before it listened.
            self._greeting.join()
            until(self._no_worker_left)
        else:
            self._join()
            until(lambda: not self._continue_stopped(processes))

    def _continue_stopped(self, pids):
        """Continue the processes that are alive; return whether there are any."""
        living = [pid for pid in pids if is_alive(pid)]
        for pid in living:
            kill(pid, signal.SIGCONT)
        return bool(living)

    def restart(self, stop_at=None):
        """Kill the server with SIGKILL, if it is alive, and start another."""
        if self.server.process.poll() is None:
            processes = self.processes()
            for pid in self.stopped_inference():
                kill(pid, signal.SIGKILL)
            self.server.process.kill()
            self._join()
            until(lambda: not self._continue_stopped(processes))
        self.start(stop_at)

    def _join(self):
        self.server.process.wait(60)
        self._greeting.join()
        # Join before closing the connections: a thread that still waits on one could otherwise wait
        # on another file with the same descriptor.
        if self._working is not None:
            self._working.join()
        self.server.wait()

    def _no_worker_left(self):
        """Kill workers that `train` has started meanwhile; whether it ended and no run trains."""
        for pid, (_, is_server) in self.processes().items():
            if not is_server:
                kill(pid, signal.SIGKILL)
        working = self._working is not None and self._working.is_alive()
        states = {self.server.run(run)["state"] for run, _ in self.runs}
        return not working and "running" not in states

    def train(self, *actions):
        """Resume every run, and then start `actions`, which may fail at any point."""

        def work():
            with contextlib.suppress(httpx.HTTPError, AssertionError):
                if self.server.client is None:
                    return  # The server stopped before it listened.
                for run, _ in self.runs:
                    self.server.post(run, "resume")
                for action in actions:
                    action()

        self._working = threading.Thread(target=work)
        self._working.start()
        return self._working

    def checkpoint(self, which=0):
        """Save a checkpoint; once acknowledged, it must exist from then on."""
        run, _ = self.runs[which]
        note = f"note {secrets.token_hex(4)}"
        self.acknowledged[run["id"]].append(self.server.post(run, "checkpoints", {"note": note}))

    # -- what must be true ------------------------------------------------------------------------

    def check(self):
        """Check that nothing acknowledged is lost and that everything equals the reference runs."""
        for run, reference in self.runs:
            if self.server.run(run)["state"] == "running":
                self.server.post(run, "pause")
            now = self.server.run(run)
            reference.train_to(now["update"])
            self._check_history(now, reference)
            self._check_marks(now, reference)
            self._check_checkpoints(now, reference)
        self._check_directories()

    def _check_directories(self):
        """Check that each run has its directory, and each directory its run."""
        runs = {run["id"] for run in self.server.client.get("/api/runs").json()}
        assert {run["id"] for run, _ in self.runs} <= runs
        assert {path.name for path in (self.data_dir / "runs").iterdir()} == runs

    def _check_history(self, now, reference):
        rows = list(csv.reader(io.StringIO(self.server.losses_csv(now).decode())))[1:]
        assert [int(row[0]) for row in rows] == list(range(1, now["update"] + 1))
        count = len(rows)
        assert [float(row[3]) for row in rows] == reference.losses[:count]
        assert [float(row[4]) for row in rows] == reference.smooth_losses[:count]
        assert self.server.get(now, "loss")["to"] == now["update"]
        found = self.server.get(now, "metrics", points=5_000)
        assert found["to"] == now["update"]
        assert found["metrics"].keys() == reference.metrics.keys() or not found["update"]
        for name, buckets in found["metrics"].items():
            assert found["bucket"] == MEASURED_EVERY
            assert buckets["mean"] == reference.metrics[name][: now["update"] // MEASURED_EVERY]

    def _check_marks(self, now, reference):
        samples = self.server.get(now, "samples")
        found = [(each["update"], each["text"]) for each in samples]
        assert len(dict(found)) == len(found)
        # A sample that was not measured when the server died is written again after the checkpoint.
        safe = max((each["update"] for each in self.server.get(now, "checkpoints")), default=-1)
        assert found == [
            (update, text)
            for update, text in reference.samples.items()
            if update <= safe or update in dict(found)
        ]
        milestones = self.server.get(now, "milestones")
        kinds = {"epoch": [], "hurrah": [], "checkpoint": []}
        for milestone in milestones:
            kinds.setdefault(milestone["kind"], []).append((milestone["update"], milestone["text"]))
        assert kinds["epoch"] == [
            (update, f"epoch {epoch} begins")
            for update, epoch in reference.epochs.items()
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

    def _check_checkpoints(self, now, reference):
        listed = self.server.get(now, "checkpoints")
        by_id = {each["id"]: each for each in listed}
        for made in self.acknowledged[now["id"]]:
            assert by_id[made["id"]] == made
        assert not any(each["damaged"] for each in listed)
        newest = max(listed, key=lambda each: each["update"], default=None)
        safe = -1 if newest is None else newest["update"]
        snapshots = (self.data_dir / "runs" / now["id"] / "snapshots").glob("[!.]*.npz")
        kept = {int(path.stem) for path in snapshots}
        # The run trains on, and the spacing of snapshots grows with its updates.
        every = SHARED["sample_every"]
        apart = spacing(self.server.run(now)["update"], every)
        due = {update for update in reference.samples if update < every or update % apart == 0}
        assert kept >= {update for update in due if update <= safe}
        for made in self.acknowledged[now["id"]]:
            self._check_file(now, made, reference)
        if newest is not None:
            self._check_file(now, newest, reference)

    def _check_file(self, now, made, reference):
        """Check that a file loads and equals the reference run or an earlier verified file."""
        arrays, meta = self.server.checkpoint_file(now, made["id"])
        assert meta["trainer"]["updates"] == made["update"]
        found = meta, {name: array.tobytes() for name, array in arrays.items()}
        if made["id"] not in self._agreed:
            reference.assert_equal(arrays, meta)
            self._agreed[made["id"]] = found
        assert found == self._agreed[made["id"]]


def kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
