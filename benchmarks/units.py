"""How long it takes to find what 100 units follow on 50,000 characters."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.training.tasks import CORPUS, indices, vocabulary
from benchmarks.verdicts import Verdict
from server.checkpoints.checkpoint_format import model_contents, new_trainer
from server.checkpoints.npz import write_archive
from server.inference.inspection.loading import LoadedFiles
from server.inference.inspection.messages import FindUnits
from server.inference.inspection.units import UnitReader
from server.rnn.cells import CELLS
from server.spec.run_spec import RunSpec

UPDATES = 300
MAX_S = 2.0


def units(_arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Time the first request of a run, with all that it prepares, and the next one."""
    console.print("100 units, two stretches of 50,000 characters, processor time of one request.")
    for cell in CELLS:
        spec = RunSpec(cell=cell, hidden_size=100).model_dump(mode="json")
        trainer = new_trainer(indices(), vocabulary(), spec)
        for _ in range(UPDATES):
            trainer.update()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.npz"
            contents = model_contents(trainer.current_model(), vocabulary(), spec)
            write_archive(path, *contents, durable=False)
            command = FindUnits(
                path=str(path),
                which="latest",
                spec=spec,
                corpus_path=str(CORPUS),
                characters_to_learn=len(indices()),
            )
            reader = UnitReader(LoadedFiles())
            for request in ("first", "next"):
                start_s = time.process_time()
                found = reader.find(command)
                took_s = time.process_time() - start_s
                yield Verdict(f"{cell}, {request} request, s", took_s, "under", MAX_S)
        known = sum(unit is not None for unit in found["units"])
        console.print(f"{cell}: {found['features']} features; {known} units follow one.")
