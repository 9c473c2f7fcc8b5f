"""What early stopping saves: `python -m benchmarks sweep [SEED ...]`.

For each seed of the sampler, the same 27 configurations are run twice, to the last update and with
early stopping, by a real server. docs/sweeps.md has the figures.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.server.server_process import ServerProcess
from benchmarks.verdicts import Verdict

__all__ = ["sweep"]

SEEDS = (0, 1, 2)
CONFIGURATIONS = 27
SPEC = {"max_updates": 9_000, "sample_every": 9_000, "sample_length": 20}
PARAMETERS = {
    "learning_rate": {"low": 0.003, "high": 1, "log": True},
    "hidden_size": {"low": 20, "high": 80},
    "optimizer": {"values": ["adagrad", "sgd"]},
}
LEAST_SAVED = 0.4
GREATEST_LOSS_OF_BEST = 1.01
POLL_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Figures:
    """What one sweep took, and the lowest loss that it found."""

    updates: int
    best: float
    seconds: float


def sweep(arguments: list[str], console: Console) -> list[Verdict]:
    """Measure, print the figures, and return their verdicts.

    Parameters
    ----------
    arguments : list of str
        Seeds of the sampler.
    console : rich.console.Console
        The output.
    """
    table = Table(title=f"{CONFIGURATIONS} configurations, to the last update / stopped early")
    for column in ("seed", "updates", "saved", "time", "best smooth loss", "ratio"):
        table.add_column(column, justify="right")
    verdicts = []
    for seed in [int(word) for word in arguments] or SEEDS:
        whole, early = (_measure(seed, stop_early=stop_early) for stop_early in (False, True))
        saved, ratio = 1 - early.updates / whole.updates, early.best / whole.best
        table.add_row(
            str(seed),
            f"{whole.updates:,} / {early.updates:,}",
            f"{saved:.0%}",
            f"{whole.seconds:.0f} / {early.seconds:.0f} s",
            f"{whole.best:.2f} / {early.best:.2f}",
            f"{ratio:.4f}",
        )
        verdicts += [
            Verdict(f"share of the updates saved, seed {seed}", saved, "at least", LEAST_SAVED),
            Verdict(f"best loss, ratio, seed {seed}", ratio, "at most", GREATEST_LOSS_OF_BEST),
        ]
    console.print(table)
    return verdicts


def _measure(seed: int, *, stop_early: bool) -> Figures:
    body = {
        "spec": SPEC,
        "parameters": PARAMETERS,
        "sampler": "random",
        "runs": CONFIGURATIONS,
        "stop_early": stop_early,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as directory, ServerProcess(Path(directory)) as server:
        start_s = time.monotonic()
        found: dict[str, Any] = server.request("POST", "/sweeps", body)
        while found["state"] == "running":
            time.sleep(POLL_EVERY_S)
            found = server.request("GET", f"/sweeps/{found['id']}")
        return Figures(found["updates"], found["best"]["value"], time.monotonic() - start_s)
