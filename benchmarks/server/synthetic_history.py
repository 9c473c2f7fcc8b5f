"""A data directory with a run of any length, of which only the first updates are trained.

A server creates a run and trains it for a thousand updates. After it has stopped, the rest of the
history is written through the server's own `Store`: the first losses and metrics, repeated with
noise, a sample wherever one is due, and the milestones of the epochs. The checkpoint gets the
counters of the last update. A server then resumes the run like any other: its worker has the
network of update 1,000 and counts from the end of the history.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.server.server_process import ServerProcess
from server.checkpoints.npz import read_archive, write_archive
from server.checkpoints.unflushed import ARRAY, PREFIX
from server.history.run_history import Records
from server.rnn.metrics import measured_updates
from server.spec.sample_schedule import epoch_is_marked, next_sample
from server.spec.schemas import Best, Milestone, Run, RunState
from server.store import queries
from server.store.database import Store

TRAINED_UPDATES = 1_000
CHUNK_UPDATES = 100_000


@dataclass(frozen=True, slots=True)
class SyntheticRun:
    """A run with a synthetic history.

    Attributes
    ----------
    data_dir : pathlib.Path
        The data directory.
    run : str
        The run's id.
    updates : int
        The number of updates in its history.
    """

    data_dir: Path
    run: str
    updates: int

    @property
    def database(self) -> Path:
        """The database file."""
        return self.data_dir / "hurrah.db"


def create_run(
    data_dir: Path, updates: int, spec: Mapping[str, object] | None = None
) -> SyntheticRun:
    """Create a stopped run of the default network with a synthetic history.

    Parameters
    ----------
    data_dir : pathlib.Path
        An empty directory.
    updates : int
        More than a thousand.
    spec : mapping of str, import_optional
        The fields of the spec that differ from the defaults.
    """
    fields = {"paused": True, "max_updates": None, **(spec or {})}
    with ServerProcess(data_dir) as server:
        run = server.request("POST", "/runs", fields)["id"]
        server.request("POST", f"/runs/{run}/step", {"updates": TRAINED_UPDATES})
        server.request("POST", f"/runs/{run}/stop")
    synthetic = SyntheticRun(data_dir, run, updates)
    store = Store(synthetic.database)
    try:
        _write(store, synthetic)
    finally:
        store.close()
    return synthetic


def _write(store: Store, synthetic: SyntheticRun) -> None:
    run = next(run for run in queries.list_runs(store) if run.id == synthetic.run)
    known = queries.losses(store, run.id, 1, TRAINED_UPDATES)
    pattern = queries.list_samples(store, run.id)[-1]
    names = queries.metric_names(store, run.id)
    values = queries.metric_values(store, run.id, names, measured_updates(1, TRAINED_UPDATES)) or []
    metrics = dict(zip(names, values, strict=True))
    noise = np.random.default_rng(0)
    while run.update < synthetic.updates:
        first = run.update + 1
        last = min(run.update + CHUNK_UPDATES, synthetic.updates)
        losses = noise.permutation(np.resize(known, last - first + 1)) + noise.random()
        _set_state(run, last, float(losses[-1]))
        count = len(measured_updates(first, last))
        measured = {name: noise.permutation(np.resize(of, count)) for name, of in metrics.items()}
        records = Records(first, losses, measured)
        store.add_report(run.id, run.model_dump_json(), records, _epochs(run, first, last))
        at = first - 1
        while (at := next_sample(at, run.spec.sample_every)) <= last:
            sample = pattern.model_copy(update={"update": at, "epoch": 1, "hurrahs": []})
            store.add_sample(run.id, sample)
        store.commit()
    _set_checkpoints(store, synthetic, run)


def _set_state(run: Run, update: int, loss: float) -> None:
    """Set the run's state to that after an update."""
    epochs, within = divmod(update, run.updates_per_epoch)
    run.update, run.epoch = update, epochs + 1
    run.position = within * run.spec.sequence_length
    run.loss = run.smooth_loss = loss
    run.seconds = update / 10_000
    run.best = Best(update=update, smooth_loss=loss)
    run.state = RunState.STOPPED


def _epochs(run: Run, first: int, last: int) -> list[Milestone]:
    per_epoch = run.updates_per_epoch
    return [
        Milestone(update=epoch * per_epoch, kind="epoch", text=f"epoch {epoch + 1} begins")
        for epoch in range(-(-first // per_epoch), last // per_epoch + 1)
        if epoch_is_marked(epoch + 1)
    ]


def _set_checkpoints(store: Store, synthetic: SyntheticRun, run: Run) -> None:
    """Set the counters of the newest checkpoint to the run's, and delete the other checkpoints."""
    *older, newest = queries.list_checkpoints(store, run.id)
    for checkpoint in older:
        store.remove_checkpoint(run.id, checkpoint.id)
    path = synthetic.data_dir / "runs" / run.id / "checkpoints" / f"{newest.id}.npz"
    arrays, meta = read_archive(path)
    counters: dict[str, Any] = {
        "updates": run.update,
        "epoch": run.epoch,
        "position": run.position,
        "loss": run.loss,
        "smooth_loss": run.smooth_loss,
    }
    meta["trainer"] |= counters
    none: NDArray[np.float64] = np.empty(0)
    arrays = {name: each for name, each in arrays.items() if not name.startswith(PREFIX)}
    arrays[ARRAY] = none
    nothing = {"first": run.update + 1, "last": run.update, "samples": [], "epochs": []}
    meta["unflushed"] = nothing | {"seconds": run.seconds}
    write_archive(path, arrays, meta)
    described = {"update": run.update, "smooth_loss": run.smooth_loss, "bytes": path.stat().st_size}
    store.add_checkpoint(run.id, newest.model_copy(update=described))
