"""A data directory with a run of any length in it, without having trained it all.

A real server makes a real run and trains it for a thousand updates. Then, while no server runs, the
rest of its history is written through the server's own `Store`: the losses of the first updates
over and over with noise on them, a sample wherever one is due, the epochs' marks. The run's
checkpoint gets the counters of the last update. From there a server takes it up like any other: the
worker that goes on from it has the network of update 1,000 and counts from where the history ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.server.server_process import House
from server.checkpoints.npz import read_archive, write_archive
from server.spec.sample_schedule import epoch_is_marked, next_sample
from server.spec.schemas import Best, Milestone, Run, RunState
from server.store import queries
from server.store.database import Store

TRAINED_UPDATES = 1_000
PIECE_UPDATES = 100_000


@dataclass(frozen=True, slots=True)
class Filled:
    """A run that is there.

    Attributes
    ----------
    data_dir : pathlib.Path
        Where it is.
    run : str
        Its id.
    updates : int
        How many updates its history holds.
    """

    data_dir: Path
    run: str
    updates: int

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.data_dir / "hurrah.db"


def fill(data_dir: Path, updates: int, spec: Mapping[str, object] | None = None) -> Filled:
    """Make a run of the default network with a history of so many updates; it is stopped.

    Parameters
    ----------
    data_dir : pathlib.Path
        An empty folder.
    updates : int
        More than a thousand.
    spec : mapping of str, optional
        What is otherwise than usual.
    """
    asked = {"paused": True, "max_updates": None, **(spec or {})}
    with House(data_dir) as house:
        run = house.ask("POST", "/runs", asked)["id"]
        house.ask("POST", f"/runs/{run}/step", {"updates": TRAINED_UPDATES})
        house.ask("POST", f"/runs/{run}/stop")
    filled = Filled(data_dir, run, updates)
    store = Store(filled.database)
    try:
        _write(store, filled)
    finally:
        store.close()
    return filled


def _write(store: Store, filled: Filled) -> None:
    run = next(run for run in queries.list_runs(store) if run.id == filled.run)
    known = queries.losses(store, run.id, 1, TRAINED_UPDATES)
    pattern = queries.list_samples(store, run.id)[-1]
    noise = np.random.default_rng(0)
    while run.update < filled.updates:
        first = run.update + 1
        last = min(run.update + PIECE_UPDATES, filled.updates)
        losses = noise.permutation(np.resize(known, last - first + 1)) + noise.random()
        _stand(run, last, float(losses[-1]))
        store.add_report(run.id, run.model_dump_json(), first, losses, _epochs(run, first, last))
        at = first - 1
        while (at := next_sample(at, run.spec.sample_every)) <= last:
            sample = pattern.model_copy(update={"update": at, "epoch": 1, "hurrahs": []})
            store.add_sample(run.id, sample)
        store.commit()
    _set_checkpoints(store, filled, run)


def _stand(run: Run, update: int, loss: float) -> None:
    """Let the run stand after an update."""
    epochs, within = divmod(update, run.updates_per_epoch)
    run.update, run.epoch = update, epochs + 1
    run.position = within * run.spec.sequence_length
    run.loss = run.smooth_loss = loss
    run.seconds = update / 10_000
    run.best = Best(update=update, smooth_loss=loss)
    run.state = RunState.STOPPED


def _epochs(run: Run, first: int, last: int) -> list[Milestone]:
    each = run.updates_per_epoch
    return [
        Milestone(update=epoch * each, kind="epoch", text=f"epoch {epoch + 1} begins")
        for epoch in range(-(-first // each), last // each + 1)
        if epoch_is_marked(epoch + 1)
    ]


def _set_checkpoints(store: Store, filled: Filled, run: Run) -> None:
    """Give the newest checkpoint the counters of where the run stands, and let the others go."""
    *older, newest = queries.list_checkpoints(store, run.id)
    for checkpoint in older:
        store.remove_checkpoint(run.id, checkpoint.id)
    path = filled.data_dir / "runs" / run.id / "checkpoints" / f"{newest.id}.npz"
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
    arrays["unflushed.losses"] = none
    nothing = {"first": run.update + 1, "last": run.update, "samples": [], "epochs": []}
    meta["unflushed"] = nothing | {"seconds": run.seconds}
    write_archive(path, arrays, meta)
    described = {"update": run.update, "smooth_loss": run.smooth_loss, "bytes": path.stat().st_size}
    store.add_checkpoint(run.id, newest.model_copy(update=described))
