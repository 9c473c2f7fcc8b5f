"""The probabilities that docs/load_weights.py computes, saved for `test_weights.py`.

Needs PyTorch and safetensors (`pip install torch==2.13.0 safetensors`):
`python -m tests.standalone.golden.make_probabilities`.
"""

import runpy
import tempfile
from pathlib import Path

import numpy as np
import torch

from server.standalone.weights import write_safetensors
from tests.serving import ROOT
from tests.standalone.golden.models import CASES, PATH, TEXT, VOCABULARY, key, model


def by_example(example, path):
    """Return the example's probabilities after each character."""
    return example["probabilities"](*example["load"](path), TEXT).numpy().astype(np.float64)


def main():
    """Write the file."""
    example = runpy.run_path(str(ROOT / "docs" / "load_weights.py"))
    golden = {"pytorch": np.array(torch.__version__)}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "weights.safetensors"
        for case in CASES:
            write_safetensors(path, model(*case), VOCABULARY, {})
            golden[key(*case)] = by_example(example, path)
    np.savez_compressed(PATH, **golden)


if __name__ == "__main__":
    main()
