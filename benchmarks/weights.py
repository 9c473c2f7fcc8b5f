"""The weight files in PyTorch itself: docs/load_weights.py gives the server's probabilities."""

import runpy
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.training.tasks import indices, text, vocabulary
from benchmarks.verdicts import Verdict
from server.rnn.architecture import MAX_LAYERS
from server.rnn.cells import CELLS
from server.rnn.model import Model
from server.rnn.sampling.inference import Stepper
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.standalone.weights import write_safetensors

__all__ = ["weights"]

EXAMPLE = Path(__file__).parents[1] / "docs" / "load_weights.py"
UPDATES = 300
CHARACTERS = 1_000
MOST = 1e-5


def weights(_arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Compare the probabilities after each of 1,000 characters, for every cell and depth."""
    console.print(
        f"The greatest difference of the probabilities after {CHARACTERS:,} characters,"
        f" m 100, trained for {UPDATES} updates, float32."
    )
    for cell, layers in product(CELLS, range(1, MAX_LAYERS + 1)):
        settings = TrainerSettings(cell=cell, layers=layers)
        trainer = Trainer(indices(), len(vocabulary()), settings)
        for _ in range(UPDATES):
            trainer.update()
        model = trainer.current_model()
        apart = float(np.abs(_by_pytorch(model) - _ours(model)).max())
        yield Verdict(f"{cell}, {layers} of {MAX_LAYERS} layers", apart, "at most", MOST)


def _by_pytorch(model: Model) -> NDArray[Any]:
    example = runpy.run_path(str(EXAMPLE))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "weights.safetensors"
        write_safetensors(path, model, vocabulary(), {})
        loaded = example["load"](path)
    probabilities: NDArray[Any] = example["probabilities"](*loaded, text()[:CHARACTERS]).numpy()
    return probabilities


def _ours(model: Model) -> NDArray[Any]:
    stepper = Stepper(model)
    logits = np.array(
        [stepper.step(index)[0].astype(np.float64) for index in indices()[:CHARACTERS]]
    )
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    shares: NDArray[Any] = exponentials / exponentials.sum(1, keepdims=True)
    return shares
